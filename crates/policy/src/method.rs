//! Canonical method paths: the one place that decides what a method is
//! called, so that access control and delivery see the same bytes.
//!
//! Mirrors Dapr 1.18 `pkg/messaging/method/normalize.go` and Go `path.Clean`.

use std::fmt::Write as _;

/// A method path that must not be delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// `#`, `?` or NUL: would end the path and begin something else.
    #[error("invalid method: method contains forbidden character: {}", quote(.0))]
    Forbidden(String),
    /// A control byte.
    #[error("invalid method: method contains control character at position {position}: {}", quote(.method))]
    Control {
        /// Byte position in the method.
        position: usize,
        /// The method.
        method: String,
    },
}

/// Cleans a decoded method path: slashes collapsed, `.` and `..` resolved, no
/// slash at either end, never above the root. The root is the empty string.
pub fn clean(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    // Byte lengths of `out` before each kept segment.
    let mut marks: Vec<usize> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                if let Some(mark) = marks.pop() {
                    out.truncate(mark);
                }
            }
            _ => {
                marks.push(out.len());
                if !out.is_empty() {
                    out.push('/');
                }
                out.push_str(segment);
            }
        }
    }
    out
}

/// Refuses characters that could make the callee see another path.
pub fn validate(method: &str) -> Result<(), MethodError> {
    if method
        .bytes()
        .all(|byte| byte > 0x1f && !matches!(byte, b'#' | b'?' | 0x7f))
    {
        return Ok(());
    }
    if method.bytes().any(|byte| matches!(byte, b'#' | b'?' | 0)) {
        return Err(MethodError::Forbidden(method.to_owned()));
    }
    let position = method
        .bytes()
        .position(|byte| byte < 0x20 || byte == 0x7f)
        .unwrap_or_default();
    Err(MethodError::Control {
        position,
        method: method.to_owned(),
    })
}

/// A string as Go's `%q` prints it.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\0'..='\u{1f}' | '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(character));
            }
            '\u{80}'..='\u{9f}' | '\u{a0}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_resolves_like_go() {
        for (raw, cleaned) in [
            ("", ""),
            ("/", ""),
            (".", ""),
            ("a/b", "a/b"),
            ("//a///b//", "a/b"),
            ("a/./b/.", "a/b"),
            ("a/../b", "b"),
            ("../../x", "x"),
            ("a/../../..", ""),
            ("public#/../admin", "admin"),
            ("a/..b/c", "a/..b/c"),
            ("...", "..."),
        ] {
            assert_eq!(clean(raw), cleaned, "{raw}");
            assert_eq!(clean(&clean(raw)), cleaned, "idempotent: {raw}");
        }
    }

    #[test]
    fn validate_names_the_character() {
        assert_eq!(validate("orders/new%20x"), Ok(()));
        assert_eq!(
            validate("a#b").unwrap_err().to_string(),
            r#"invalid method: method contains forbidden character: "a#b""#
        );
        assert_eq!(
            validate("a\0b").unwrap_err().to_string(),
            r#"invalid method: method contains forbidden character: "a\x00b""#
        );
        assert_eq!(
            validate("ab\r").unwrap_err().to_string(),
            r#"invalid method: method contains control character at position 2: "ab\r""#
        );
    }
}
