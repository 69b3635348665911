//! Where manifests come from: standard input, a URL, a file, or all files of
//! a directory.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::fetch::{FetchError, fetch};

/// One manifest.
#[derive(Debug)]
pub(super) struct Input {
    /// What to call it in messages.
    pub(super) name: String,
    pub(super) text: String,
}

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("stat {path}: {}", reason(.source))]
    Stat { path: String, source: io::Error },
    #[error("error reading {name}: {}", reason(.source))]
    Read { name: String, source: io::Error },
    #[error("error reading {0}: not UTF-8 text")]
    NotText(String),
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// The manifests that `from` stands for.
pub(super) fn read(from: &str) -> Result<Vec<Input>, InputError> {
    if from == "-" {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        return Ok(vec![input("standard input", read.map(|_| bytes))?]);
    }
    if from.contains("://") {
        return Ok(vec![input(from, Ok(fetch(from)?))?]);
    }
    let mut inputs = Vec::new();
    walk(Path::new(from), &mut inputs)?;
    Ok(inputs)
}

/// Files in the order of their names, those of directories included.
fn walk(path: &Path, inputs: &mut Vec<Input>) -> Result<(), InputError> {
    let name = path.display().to_string();
    let metadata = fs::metadata(path).map_err(|source| InputError::Stat {
        path: name.clone(),
        source,
    })?;
    if !metadata.is_dir() {
        inputs.push(input(&name, fs::read(path))?);
        return Ok(());
    }
    let entries = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(|source| InputError::Read { name, source });
    let mut entries: Vec<_> = entries?;
    entries.sort();
    for entry in entries {
        // A link to a directory may lead back up.
        if !(entry.is_symlink() && entry.is_dir()) {
            walk(&entry, inputs)?;
        }
    }
    Ok(())
}

fn input(name: &str, bytes: io::Result<Vec<u8>>) -> Result<Input, InputError> {
    let name = name.to_owned();
    match bytes.map(String::from_utf8) {
        Ok(Ok(text)) => Ok(Input { name, text }),
        Ok(Err(_)) => Err(InputError::NotText(name)),
        Err(source) => Err(InputError::Read { name, source }),
    }
}

/// The reason as other programs word it.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
