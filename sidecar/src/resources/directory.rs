//! Resource directories of standalone mode.
//!
//! Every YAML file directly inside a directory is read and each of its
//! documents must parse. Resiliency objects are handed on; kinds we do not
//! serve (Component, Subscription, …) are accepted, because Dapr's `dapr init`
//! creates some. Components are named: an app may count on one.

use std::fs;
use std::io;
use std::path::Path;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use tracing::{error, info, warn};

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

/// The kind that is handed on.
const RESILIENCY: &str = "Resiliency";

/// Reads all directories and warns about what cannot be parsed. Gives the
/// Resiliency objects in the order of the directories and the file names.
/// Objects of another namespace than `namespace` are left out, unless that is
/// empty.
///
/// # Errors
/// A directory is missing or unreadable.
pub(crate) fn scan(
    directories: &[String],
    hot_reload: bool,
    namespace: &str,
) -> Result<Vec<Value>, DirectoryError> {
    let mut found = Vec::new();
    for directory in directories {
        scan_directory(directory, &mut found).map_err(|error| {
            let (directory, reason) = (directory.clone(), reason(&error));
            if hot_reload {
                DirectoryError::Watch { directory, reason }
            } else {
                DirectoryError::Open { directory, reason }
            }
        })?;
    }
    found.retain(|object| {
        let of_object = text_at(object, "/metadata/namespace");
        namespace.is_empty() || of_object.is_empty() || of_object == namespace
    });
    Ok(found)
}

fn scan_directory(directory: &str, found: &mut Vec<Value>) -> io::Result<()> {
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
            scan_file(&path, found);
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

fn scan_file(path: &Path, found: &mut Vec<Value>) {
    let file = path.display();
    match fs::read_to_string(path) {
        Err(error) => {
            let reason = reason(&error);
            warn!(
                target: "dapr.runtime.loader.disk",
                "daprd load resource error when reading file {file}: {reason}"
            );
        }
        Ok(text) => {
            let documents = documents(&text).into_iter();
            found.extend(documents.filter_map(|document| read(path, document)));
        }
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

/// The object in a document, where it is one for us.
fn read(path: &Path, document: &str) -> Option<Value> {
    if let Err(reason) = parse::<IgnoredAny>(document) {
        error!(target: "dapr.runtime.loader.disk", "Could not determine resource type: {reason}");
        for kind in KINDS {
            warn_of(kind, path, &reason);
        }
        return None;
    }
    // Documents of other kinds may hold what JSON cannot.
    let object: Value = match parse(document) {
        Ok(object) => object,
        Err(reason) => {
            if parse::<Header>(document).is_ok_and(|header| header.kind == RESILIENCY) {
                warn_of(RESILIENCY, path, &reason);
            }
            return None;
        }
    };
    if text_at(&object, "/kind") == "Component" {
        let (name, what) = (
            text_at(&object, "/metadata/name"),
            text_at(&object, "/spec/type"),
        );
        info!(
            target: "dapr.runtime.loader.disk",
            "Component not loaded: {name} ({what}); only service invocation is served here"
        );
    }
    if text_at(&object, "/kind") != RESILIENCY {
        return None;
    }
    let version = text_at(&object, "/apiVersion");
    if !version.is_empty() && version != "dapr.io/v1alpha1" {
        warn_of(
            RESILIENCY,
            path,
            &format!("apiVersion {version} is not dapr.io/v1alpha1"),
        );
        return None;
    }
    let name = text_at(&object, "/metadata/name");
    if matches!(name, "." | "..") || name.contains(['/', '%']) {
        warn_of(RESILIENCY, path, &format!("invalid name {name:?}"));
        return None;
    }
    Some(object)
}

#[derive(serde::Deserialize)]
struct Header {
    #[serde(default)]
    kind: String,
}

fn parse<T: DeserializeOwned>(document: &str) -> Result<T, String> {
    use serde_saphyr::options::DuplicateKeyPolicy;
    let options = serde_saphyr::options! {
        with_snippet: false,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
    };
    serde_saphyr::from_str_with_options(document, options).map_err(|error| one_line(&error))
}

fn warn_of(kind: &str, path: &Path, reason: &str) {
    let file = path.display();
    warn!(
        target: "dapr.runtime.loader.disk",
        "daprd load {kind} error when parsing manifests yaml resource in {file}: {reason}"
    );
}

fn text_at<'a>(object: &'a Value, pointer: &str) -> &'a str {
    let text = object.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default()
}
