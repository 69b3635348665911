//! Paths of and in run files.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::{RunFile, STDIN};

/// A path that cannot be used; the texts are upstream's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PathError {
    #[error("error getting file info for {}: {source}", .path.display())]
    Info { path: PathBuf, source: Stat },
    #[error(
        "error in validating the file path \"{0}\": error in getting the file info for {0}: {source}",
        .path.display()
    )]
    InDirectory { path: PathBuf, source: Stat },
    #[error("file \"{}\" is not a YAML file", .0.display())]
    NotYaml(PathBuf),
    #[error("error in getting the file info for {}: {source}", .path.display())]
    Named { path: PathBuf, source: Stat },
    #[error("error in getting the home directory: HOME is not set")]
    NoHome,
}

/// Why a file's information is not available, in Go's words.
#[derive(Debug, thiserror::Error)]
#[error("stat {}: {reason}", .path.display())]
pub(crate) struct Stat {
    path: PathBuf,
    reason: String,
}

/// Whether the path exists, with the reason when it does not.
///
/// # Errors
/// It does not, or may not be looked at.
pub(crate) fn stat(path: &Path) -> Result<std::fs::Metadata, Stat> {
    std::fs::metadata(path).map_err(|error| Stat {
        path: path.to_owned(),
        reason: reason(&error),
    })
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// The run file that `-f` names: a YAML file, a directory with `dapr.yaml`,
/// or `-`. The answer is absolute and clean, except for `-`.
///
/// # Errors
/// There is no such file, or its name does not end in `.yaml` or `.yml`.
pub(crate) fn locate(text: &str) -> Result<PathBuf, PathError> {
    let path = PathBuf::from(text);
    if text == STDIN {
        return Ok(path);
    }
    let info = stat(&path).map_err(|source| PathError::Info {
        path: path.clone(),
        source,
    })?;
    if info.is_dir() {
        let path = clean(&path.join("dapr.yaml"));
        return match stat(&path) {
            Ok(_) => Ok(RunFile::absolute(&path)),
            Err(source) => Err(PathError::InDirectory { path, source }),
        };
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => Ok(RunFile::absolute(&path)),
        _ => Err(PathError::NotYaml(path)),
    }
}

/// The path, absolute and existing: `~/` is the home, anything relative
/// starts at `base`.
///
/// # Errors
/// It does not exist, or there is no home.
pub(super) fn existing(base: &Path, path: &Path) -> Result<PathBuf, PathError> {
    let path = match path.strip_prefix("~") {
        Ok(rest) => {
            let home = std::env::var_os("HOME").ok_or(PathError::NoHome)?;
            Path::new(&home).join(rest)
        }
        Err(_) => path.to_owned(),
    };
    let path = clean(&base.join(path));
    match stat(&path) {
        Ok(_) => Ok(path),
        Err(source) => Err(PathError::Named { path, source }),
    }
}

/// The path without `.` and `..`, by its text alone.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match clean.components().next_back() {
                Some(Component::Normal(_)) => {
                    clean.pop();
                }
                Some(Component::RootDir) => {}
                _ => clean.push(".."),
            },
            other => clean.push(other),
        }
    }
    if clean.as_os_str().is_empty() {
        return PathBuf::from(".");
    }
    clean
}
