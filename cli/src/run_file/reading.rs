//! How run files are read, and what is told of those that cannot be.

use std::borrow::Cow;
use std::string::FromUtf8Error;

use serde::{Deserialize, Deserializer};
use serde_saphyr::{DuplicateKeyPolicy, Error, MessageFormatter, Options, UserMessageFormatter};

/// Why a text is no run file: the line and what was expected there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreadable(String);

impl From<Error> for Unreadable {
    fn from(error: Error) -> Self {
        Self(error.render_with_formatter(&Plain))
    }
}

impl From<FromUtf8Error> for Unreadable {
    fn from(error: FromUtf8Error) -> Self {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes()[..good].split(|byte| *byte == b'\n');
        let line = before.count();
        Self(format!("line {line} is not UTF-8 text"))
    }
}

/// As YAML 1.1 parsers do: octal numbers, and the last of two equal keys.
pub(super) fn options() -> Options {
    serde_saphyr::options! {
        with_snippet: false,
        legacy_octal_numbers: true,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
    }
}

/// A whole number, which may be written as `1.0`.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(deserializer)? else {
        return Ok(None);
    };
    #[expect(clippy::cast_possible_truncation, reason = "as Go's parser does")]
    Ok(Some(number as i64))
}

/// Messages without the parser's own terms.
struct Plain;

impl MessageFormatter for Plain {
    fn format_message<'a>(&self, error: &'a Error) -> Cow<'a, str> {
        match error {
            Error::InvalidScalar { ty, .. } => Cow::Borrowed(match *ty {
                "i64" => "expected a whole number",
                "floating point" => "expected a number",
                "boolean" => "expected true or false",
                _ => "the value has the wrong type",
            }),
            Error::Unexpected { expected, .. } => Cow::Borrowed(match *expected {
                "sequence start" => "expected a list",
                "mapping start" => "expected a mapping of keys to values",
                "string scalar" => "expected a text",
                other => return Cow::Owned(format!("expected {other}")),
            }),
            Error::RecursiveReferencesRequireWeakTypes { .. } => {
                Cow::Borrowed("an alias stands within its own anchor")
            }
            Error::UnknownAnchor { .. } => Cow::Borrowed("an alias without an anchor of its name"),
            Error::Budget { .. } => {
                Cow::Borrowed("the file is too large, or its aliases expand too far")
            }
            _ => UserMessageFormatter.format_message(error),
        }
    }
}
