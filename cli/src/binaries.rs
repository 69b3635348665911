//! Where `daprd` and `sentry` are: an environment variable, then the runtime
//! root, then beside this program.

use std::path::{Path, PathBuf};

use crate::root::Root;

/// A program that was not found.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotFound {
    /// The first words are upstream's.
    #[error("fork/exec {}: no such file or directory (run 'dapr init', or set DAPRD_BIN)", .0.display())]
    Daprd(PathBuf),
    #[error(
        "{} does not exist, so there is no certificate authority for mTLS (run 'dapr init', set SENTRY_BIN, or pass --enable-mtls=false)",
        .0.display()
    )]
    Sentry(PathBuf),
}

pub(crate) fn daprd(root: &Root) -> Result<PathBuf, NotFound> {
    find("daprd", "DAPRD_BIN", Some(&root.bin())).map_err(NotFound::Daprd)
}

pub(crate) fn sentry(root: &Root) -> Result<PathBuf, NotFound> {
    find("sentry", "SENTRY_BIN", Some(&root.bin())).map_err(NotFound::Sentry)
}

/// The program to install, which is not looked for in the runtime root.
/// The error is the path that was tried.
pub(crate) fn to_install(name: &str, variable: &str) -> Result<PathBuf, PathBuf> {
    find(name, variable, None)
}

/// The error is the place that would have been right.
fn find(name: &str, variable: &str, installed: Option<&Path>) -> Result<PathBuf, PathBuf> {
    if let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
        // Absolute: sidecars of a run file start in other directories.
        let path = std::path::absolute(&path).unwrap_or_else(|_| PathBuf::from(path));
        return if path.is_file() { Ok(path) } else { Err(path) };
    }
    let beside = std::env::current_exe().ok();
    let beside = beside.as_deref().and_then(Path::parent);
    let places: Vec<PathBuf> = installed
        .into_iter()
        .chain(beside)
        .map(|directory| directory.join(name))
        .collect();
    if let Some(path) = places.iter().find(|path| path.is_file()) {
        return Ok(path.clone());
    }
    Err(places.into_iter().next().unwrap_or_else(|| name.into()))
}
