//! What the user configures: Configuration and policies, in files and resource
//! directories or from the operator.
//!
//! The runtime loads them once at start (and again on reload) and hands the
//! result to the modules that need a part of it. Nothing here decides what a
//! setting means for a call.

mod changes;
mod decode;
mod directory;
mod expand;
mod load;
pub(crate) mod model;
mod operator;

#[cfg(test)]
mod tests;

pub(crate) use directory::{DirectoryError, scan};
pub(crate) use load::ConfigurationError;
#[cfg(test)]
pub(crate) use model::AppOperation;
pub(crate) use model::{AccessControl, AppPolicy, Configuration, NameResolution};
pub(crate) use operator::{Operator, OperatorError, Snapshot};

/// The reason of a failed file operation in the words Go programs use, so
/// that whole messages equal upstream's.
fn reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::IsADirectory => "is a directory".to_owned(),
        ErrorKind::NotADirectory => "not a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// A YAML error without its excerpt of the file, in one line.
fn one_line(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}
