//! Texts of flags to values, with the words Go's parsers use.

use super::{Flag, Kind};

/// A parsed value; the variant follows from the flag's kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Bool(bool),
    Int(i64),
}

impl Value {
    /// What a flag is worth when nobody gives it.
    pub(super) fn default_of(flag: &Flag) -> Self {
        match flag.kind {
            Kind::List => Self::List(Vec::new()),
            _ => Self::parse(flag.kind, flag.default).expect("defaults are well-formed"),
        }
    }

    /// # Errors
    /// The reason, as pflag prints it behind the flag's name.
    pub(super) fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        match kind {
            Kind::Text => Ok(Self::Text(text.to_owned())),
            Kind::List => Ok(Self::List(split_list(text))),
            Kind::Bool => boolean(text)
                .map(Self::Bool)
                .ok_or_else(|| format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
            Kind::Int => integer(text).map(Self::Int),
        }
    }
}

/// The words Go takes for true and false.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn integer(text: &str) -> Result<i64, String> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};

    text.parse().map_err(|error: std::num::ParseIntError| {
        let why = match error.kind() {
            PosOverflow | NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.ParseInt: parsing {text:?}: {why}")
    })
}

/// Comma-separated values; a value in double quotes may hold commas.
fn split_list(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut values = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => values.push(String::new()),
            _ => values
                .last_mut()
                .expect("there is always a value being read")
                .push(letter),
        }
    }
    values
}
