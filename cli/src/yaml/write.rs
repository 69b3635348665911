//! A tree to text: blocks, two spaces deep, the way kubectl prints.

use std::fmt::Write as _;

use super::{Node, Scalar, Style, Value};

/// The document, with a final line end.
pub(crate) fn write(node: &Node) -> String {
    let mut text = String::new();
    collection(&mut text, node, 0);
    text
}

/// A node at the beginning of a line that is indented already.
fn collection(text: &mut String, node: &Node, indent: usize) {
    match &node.value {
        Value::Mapping(entries) if !entries.is_empty() => {
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    pad(text, indent);
                }
                text.push_str(&inline(key));
                text.push(':');
                value_of(text, value, indent);
            }
        }
        Value::Sequence(nodes) if !nodes.is_empty() => {
            for (at, item) in nodes.iter().enumerate() {
                if at > 0 {
                    pad(text, indent);
                }
                text.push('-');
                item_of(text, item, indent);
            }
        }
        _ => leaf(text, node, indent),
    }
}

/// What follows `key:`.
fn value_of(text: &mut String, node: &Node, indent: usize) {
    let deeper = match &node.value {
        Value::Mapping(entries) if !entries.is_empty() => indent + 2,
        // Lists stand under their key, not deeper.
        Value::Sequence(nodes) if !nodes.is_empty() => indent,
        _ => {
            space(text, node);
            return leaf(text, node, indent);
        }
    };
    if let Some(tag) = &node.tag {
        text.extend([" ", tag]);
    }
    text.push('\n');
    pad(text, deeper);
    collection(text, node, deeper);
}

/// What follows `-`.
fn item_of(text: &mut String, node: &Node, indent: usize) {
    if is_leaf(node) {
        space(text, node);
        return leaf(text, node, indent);
    }
    text.push(' ');
    if let Some(tag) = &node.tag {
        text.extend([tag, "\n"]);
        pad(text, indent + 2);
    }
    collection(text, node, indent + 2);
}

fn is_leaf(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(_) => true,
        Value::Sequence(nodes) => nodes.is_empty(),
        Value::Mapping(entries) => entries.is_empty(),
    }
}

/// An empty plain scalar needs no space in front.
fn space(text: &mut String, node: &Node) {
    let nothing = matches!(&node.value, Value::Scalar(scalar) if inline(scalar).is_empty());
    if node.tag.is_some() || !nothing {
        text.push(' ');
    }
}

/// A scalar or an empty collection, with the end of its line.
fn leaf(text: &mut String, node: &Node, indent: usize) {
    if let Some(tag) = &node.tag {
        text.extend([tag, " "]);
    }
    match &node.value {
        Value::Mapping(_) => text.push_str("{}"),
        Value::Sequence(_) => text.push_str("[]"),
        Value::Scalar(scalar) => {
            if let Some(lines) = block(scalar, indent + 2) {
                return text.push_str(&lines);
            }
            text.push_str(&inline(scalar));
        }
    }
    text.push('\n');
}

/// A scalar in one line.
fn inline(scalar: &Scalar) -> String {
    // Only lines folded away can have put a line end into a plain scalar.
    if scalar.style == Style::Plain && !scalar.text.contains('\n') {
        return scalar.text.clone();
    }
    let mut text = String::from("\"");
    for letter in scalar.text.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            _ if printable(letter) => text.push(letter),
            _ => {
                let _ = write!(text, "\\u{:04x}", u32::from(letter));
            }
        }
    }
    text.push('"');
    text
}

/// A scalar of several lines behind `|`, where that form can hold it.
fn block(scalar: &Scalar, indent: usize) -> Option<String> {
    let body = scalar.text.trim_end_matches('\n');
    let fits = scalar.style == Style::Block
        && !body.starts_with([' ', '\t', '\n'])
        && !body.is_empty()
        && body
            .chars()
            .all(|c| matches!(c, '\n' | '\t') || printable(c));
    if !fits {
        return None;
    }
    let ends = scalar.text.len() - body.len();
    let mut text = String::from(match ends {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    });
    for line in body.split('\n') {
        if !line.is_empty() {
            pad(&mut text, indent);
            text.push_str(line);
        }
        text.push('\n');
    }
    text.extend(std::iter::repeat_n('\n', ends.saturating_sub(1)));
    Some(text)
}

/// Neither a control character nor a line end to some readers.
fn printable(letter: char) -> bool {
    !letter.is_control() && !matches!(letter, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn pad(text: &mut String, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
}
