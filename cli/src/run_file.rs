//! Run files: several apps in one YAML file, for `dapr run -f`.
//!
//! [`locate`] finds the file, [`Template`] is what it says, [`load`] gives
//! every app with all paths resolved and all defaults filled in.

mod entry;
mod keys;
mod paths;
mod reading;
mod settings;
#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub(crate) use entry::Entry;
pub(crate) use paths::{PathError, Stat, locate, stat};
pub(crate) use reading::Unreadable;
pub(crate) use settings::{Destination, FileApp};

use crate::root::Root;

/// A run file, as written.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Template {
    #[serde(default, deserialize_with = "reading::whole")]
    version: Option<i64>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    common: Option<Entry>,
    #[serde(default)]
    apps: Option<Vec<Entry>>,
}

/// A run file, ready to run.
#[derive(Debug)]
pub(crate) struct RunFile {
    /// May be empty.
    pub(crate) name: String,
    pub(crate) apps: Vec<FileApp>,
}

/// Why a run file cannot be used; the texts are upstream's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunFileError {
    #[error("error in reading the provided app config file: {0}")]
    Read(#[from] io::Error),
    #[error("error in parsing the provided app config file: {0}")]
    Parse(#[from] Unreadable),
    #[error("required field 'version' not found in the provided run template file")]
    NoVersion,
    #[error("required field 'appDirPath' not found in the provided app config file")]
    NoAppDirectory,
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("invalid log destination type: {0}")]
    Destination(String),
    #[error("invalid containerImagePullPolicy: {0}, allowed values: Always, Never, IfNotPresent")]
    PullPolicy(String),
}

/// The path that stands for standard input.
pub(crate) const STDIN: &str = "-";

/// Reads a run file; relative paths in it start at its directory. What is
/// ignored by mistake is told to `warn`.
///
/// # Errors
/// The file is not readable, not YAML of the right shape, or names a path
/// that does not exist.
pub(crate) fn load(
    path: &Path,
    root: &Root,
    warn: impl FnMut(String),
) -> Result<RunFile, RunFileError> {
    let from_stdin = path == Path::new(STDIN);
    let text = if from_stdin {
        let mut text = Vec::new();
        io::stdin().lock().read_to_end(&mut text)?;
        text
    } else {
        std::fs::read(path)?
    };
    let base = if from_stdin {
        std::env::current_dir()?
    } else {
        path.parent().map(Path::to_owned).unwrap_or_default()
    };
    let text = String::from_utf8(text).map_err(Unreadable::from)?;
    let template = parse(&text)?;
    keys::ignored(&text).into_iter().for_each(warn);
    template.resolve(&base, root)
}

/// The first document; a file without one is an empty template.
fn parse(text: &str) -> Result<Template, RunFileError> {
    let mut input = text.as_bytes();
    let mut documents =
        serde_saphyr::read_with_options::<_, Option<Template>>(&mut input, reading::options());
    match documents.next() {
        Some(template) => Ok(template.map_err(Unreadable::from)?.unwrap_or_default()),
        None => Ok(Template::default()),
    }
}

impl Template {
    fn resolve(self, base: &Path, root: &Root) -> Result<RunFile, RunFileError> {
        if self.version.unwrap_or(0) == 0 {
            return Err(RunFileError::NoVersion);
        }
        let mut common = self.common.unwrap_or_default();
        common.resolve_shared_paths(base)?;
        let apps = self.apps.unwrap_or_default();
        let apps = apps
            .into_iter()
            .map(|app| settings::resolve(app, &common, base, root))
            .collect::<Result<_, _>>()?;
        Ok(RunFile {
            name: self.name.unwrap_or_default(),
            apps,
        })
    }
}

/// How a run of the file that was located calls it to its sidecars, for
/// `stop -f` of any version. Standard input counts as a file of the current
/// directory.
pub(crate) fn registered(path: &Path) -> String {
    RunFile::absolute(path).display().to_string()
}

impl RunFile {
    /// Absolute and free of `.` and `..`, so that `stop -f` derives the same.
    pub(crate) fn absolute(path: &Path) -> PathBuf {
        paths::clean(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
    }
}
