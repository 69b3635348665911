//! Values of flags: text to value, with the words Go's parsers use.

use super::{Flag, Kind};
use crate::duration::GoDuration;

/// A parsed value; the variant follows from the flag's kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Bool(bool),
    Int(i64),
    Duration(GoDuration),
}

impl Value {
    /// What a flag is worth when nobody gives it.
    pub(super) fn default_of(flag: &Flag) -> Self {
        match flag.kind {
            Kind::List => Self::List(Vec::new()),
            _ => {
                Self::parse(flag.kind, flag.default).expect("defaults in the table are well-formed")
            }
        }
    }

    /// # Errors
    /// The reason as pflag prints it behind the flag's name.
    pub(super) fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        match kind {
            Kind::Text => Ok(Self::Text(text.to_owned())),
            Kind::List => csv_line(text).map(Self::List),
            Kind::Bool => boolean(text).map(Self::Bool),
            Kind::Int => integer(text).map(Self::Int),
            Kind::Uint => unsigned(text).map(Self::Int),
            Kind::Duration => text
                .parse()
                .map(Self::Duration)
                .map_err(|e: crate::duration::DurationError| e.to_string()),
        }
    }
}

/// The words Go takes for true and false.
///
/// # Errors
/// The reason, in Go's words.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!(
            "strconv.ParseBool: parsing {text:?}: invalid syntax"
        )),
    }
}

/// Whether a text is one of the words Dapr takes for yes in annotations,
/// variables and metadata, in any case; everything else means no.
pub fn truthy(text: &str) -> bool {
    ["y", "yes", "true", "t", "on", "1"]
        .iter()
        .any(|word| text.trim().eq_ignore_ascii_case(word))
}

/// A whole number in any of Go's notations, such as `8080` and `0x1f90`.
///
/// # Errors
/// The reason, in Go's words.
pub fn integer(text: &str) -> Result<i64, String> {
    let fail = |why| format!("strconv.ParseInt: parsing {text:?}: {why}");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = magnitude(digits).map_err(fail)?;
    let value = if negative {
        0_i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    };
    value.ok_or_else(|| fail(RANGE))
}

fn unsigned(text: &str) -> Result<i64, String> {
    magnitude(text)
        .and_then(|value| i64::try_from(value).map_err(|_| RANGE))
        .map_err(|why| format!("strconv.ParseUint: parsing {text:?}: {why}"))
}

const SYNTAX: &str = "invalid syntax";
const RANGE: &str = "value out of range";

/// Digits with Go's base prefixes (`0x`, `0o`, `0b`, a leading `0` for
/// octal) and, only behind such a prefix, underscores between digits.
fn magnitude(text: &str) -> Result<u64, &'static str> {
    let (base, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &text[2..]),
        [b'0', b'o' | b'O', ..] => (8, &text[2..]),
        [b'0', b'b' | b'B', ..] => (2, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    };
    let plain: String = if base == 10 {
        digits.to_owned()
    } else {
        let digits = digits.strip_prefix('_').unwrap_or(digits);
        if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
            return Err(SYNTAX);
        }
        digits.replace('_', "")
    };
    if plain.is_empty() || !plain.chars().all(|c| c.is_digit(base)) {
        return Err(SYNTAX);
    }
    u64::from_str_radix(&plain, base).map_err(|_| RANGE)
}

/// The first CSV record of `text`.
///
/// # Errors
/// The reason, in the words of Go's reader; columns count bytes from 1.
pub fn csv_line(text: &str) -> Result<Vec<String>, String> {
    let line = text.split('\n').next().unwrap_or_default();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let fail = |column: usize, why: &str| format!("parse error on line 1, column {column}: {why}");
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let column = line.len() - rest.len() + 1;
        let Some(quoted) = rest.strip_prefix('"') else {
            let (field, tail) = match rest.split_once(',') {
                Some((field, tail)) => (field, Some(tail)),
                None => (rest, None),
            };
            if let Some(quote) = field.find('"') {
                return Err(fail(column + quote, "bare \" in non-quoted field"));
            }
            fields.push(field.to_owned());
            match tail {
                Some(tail) => rest = tail,
                None => return Ok(fields),
            }
            continue;
        };
        let (field, tail) = quoted_field(quoted)
            .map_err(|at| fail(column + 1 + at, "extraneous or missing \" in quoted-field"))?;
        fields.push(field);
        match tail.strip_prefix(',') {
            Some(tail) => rest = tail,
            None => return Ok(fields),
        }
    }
}

/// A field behind its opening quote, and what follows the closing one.
/// The error is the byte at which the quoting breaks.
fn quoted_field(text: &str) -> Result<(String, &str), usize> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let quote = rest.find('"').ok_or(text.len())?;
        field.push_str(&rest[..quote]);
        let tail = &rest[quote + 1..];
        match tail.as_bytes().first() {
            None | Some(b',') => return Ok((field, tail)),
            Some(b'"') => {
                field.push('"');
                rest = &tail[1..];
            }
            Some(_) => return Err(text.len() - tail.len() - 1),
        }
    }
}
