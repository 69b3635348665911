//! Texts of flags to values, with the words Go's parsers use.

use api::flags::{boolean, csv_line, integer};

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
            Kind::List | Kind::Array => Self::List(Vec::new()),
            _ => Self::parse(flag.kind, flag.default).expect("defaults are well-formed"),
        }
    }

    /// # Errors
    /// The reason, as pflag prints it behind the flag's name.
    pub(super) fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        match kind {
            Kind::Text => Ok(Self::Text(text.to_owned())),
            Kind::List => csv_line(text).map(Self::List),
            Kind::Array => Ok(Self::List(vec![text.to_owned()])),
            Kind::Bool => boolean(text).map(Self::Bool),
            Kind::Int => integer(text).map(Self::Int),
        }
    }
}
