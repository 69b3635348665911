//! Escaping of values, so that nothing a caller sends can start a new line
//! or a new field.

use std::io::Write as _;

/// A logfmt value: bare when harmless, else quoted as Go's `%q` does.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(is_harmless) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for character in text.chars() {
        push_escaped(out, character);
    }
    out.push(b'"');
}

const fn is_harmless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/' | b'@' | b'^' | b'+')
}

fn push_escaped(out: &mut Vec<u8>, character: char) {
    let short = match character {
        '"' => br#"\""#,
        '\\' => br"\\",
        '\u{7}' => br"\a",
        '\u{8}' => br"\b",
        '\u{b}' => br"\v",
        '\u{c}' => br"\f",
        '\n' => br"\n",
        '\r' => br"\r",
        '\t' => br"\t",
        printable if is_printable(printable) => {
            return out.extend_from_slice(printable.encode_utf8(&mut [0; 4]).as_bytes());
        }
        other => {
            let code = u32::from(other);
            // Writing to a Vec cannot fail.
            let _ = match code {
                0..0x80 => write!(out, "\\x{code:02x}"),
                0x80..0x1_0000 => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
            return;
        }
    };
    out.extend_from_slice(short);
}

/// Close to Go's `unicode.IsPrint`: no control, format, private or space
/// characters other than the plain space.
fn is_printable(character: char) -> bool {
    if character == ' ' {
        return true;
    }
    !(character.is_control()
        || character.is_whitespace()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{e000}'..='\u{f8ff}'
                | '\u{feff}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{fffe}'..='\u{ffff}'
                | '\u{e0000}'..='\u{10ffff}'
        ))
}

/// A JSON string with its quotes.
pub(super) fn push_json(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(br#"\""#),
            '\\' => out.extend_from_slice(br"\\"),
            '\n' => out.extend_from_slice(br"\n"),
            '\r' => out.extend_from_slice(br"\r"),
            '\t' => out.extend_from_slice(br"\t"),
            // The last three end a line for some readers.
            '\0'..' ' | '\u{7f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
