//! Resource directories of standalone mode.
//!
//! Every YAML file directly inside a directory is read and each of its
//! documents must parse; kinds we do not serve (Component, Subscription, …)
//! are accepted without a word, because `dapr init` creates some.

use std::fs;
use std::io;
use std::path::Path;

use serde::de::IgnoredAny;
use tracing::{error, warn};

use super::{one_line, reason};

/// A directory that cannot be used; the wording depends on what upstream
/// trips over first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// Found when the directory is to be watched.
    #[error("failed to create watcher: failed to add target {directory}: {reason}")]
    Watch { directory: String, reason: String },
    /// Found when it is to be read.
    #[error("failed to load components: open {directory}: {reason}")]
    Open { directory: String, reason: String },
}

/// The kinds this sidecar reads from directories.
const KINDS: [&str; 2] = ["Resiliency", "HTTPEndpoint"];

/// Checks all directories and warns about what cannot be parsed.
///
/// # Errors
/// A directory is missing or unreadable.
pub(crate) fn scan(directories: &[String], hot_reload: bool) -> Result<(), DirectoryError> {
    for directory in directories {
        scan_directory(directory).map_err(|error| {
            let (directory, reason) = (directory.clone(), reason(&error));
            if hot_reload {
                DirectoryError::Watch { directory, reason }
            } else {
                DirectoryError::Open { directory, reason }
            }
        })?;
    }
    Ok(())
}

fn scan_directory(directory: &str) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    for path in files {
        let yaml = path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml");
        if yaml {
            scan_file(&path);
        } else {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            warn!(
                target: "dapr.runtime.loader.disk",
                "A non-YAML resource file {name} was detected, it will not be loaded"
            );
        }
    }
    Ok(())
}

fn scan_file(path: &Path) {
    let file = path.display();
    match fs::read_to_string(path) {
        Err(error) => {
            let reason = reason(&error);
            warn!(
                target: "dapr.runtime.loader.disk",
                "daprd load resource error when reading file {file}: {reason}"
            );
        }
        Ok(text) => documents(&text)
            .into_iter()
            .for_each(|text| check(path, text)),
    }
}

/// Text between lines that start with `---`, without what says nothing.
fn documents(text: &str) -> Vec<&str> {
    text.strip_prefix("---")
        .unwrap_or(text)
        .split("\n---")
        .filter(|document| {
            let mut lines = document.lines().map(str::trim_start);
            lines.any(|line| !line.is_empty() && !line.starts_with('#'))
        })
        .collect()
}

fn check(path: &Path, document: &str) {
    use serde_saphyr::options::DuplicateKeyPolicy;
    let options = serde_saphyr::options! {
        with_snippet: false,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
    };
    let Err(error) = serde_saphyr::from_str_with_options::<IgnoredAny>(document, options) else {
        return;
    };
    let (file, reason) = (path.display(), one_line(&error));
    error!(target: "dapr.runtime.loader.disk", "Could not determine resource type: {reason}");
    for kind in KINDS {
        warn!(
            target: "dapr.runtime.loader.disk",
            "daprd load {kind} error when parsing manifests yaml resource in {file}: {reason}"
        );
    }
}
