//! The authority's files in standalone mode; `kubernetes` below has the two
//! objects that take their place in a cluster. Several sentries may start over
//! one directory at once (each `dapr run` starts its own): a file lock makes
//! one of them create the files and the others read them.

mod kubernetes;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::bundle::Files;

pub(super) use kubernetes::Keys;
pub(super) use kubernetes::{Keeper, LoadError, TrustBundle};

/// The lock is held for the milliseconds it takes to make two keys.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(5);
const LOCK_FILE: &str = ".sentry.lock";

/// Where the three files are.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    /// Trust anchors.
    pub(super) anchors: PathBuf,
    /// Issuer chain.
    pub(super) certificate: PathBuf,
    /// Issuer key.
    pub(super) key: PathBuf,
}

/// Whether the files were there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Read as they were.
    Loaded,
    /// Made just now.
    Created,
}

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError<E> {
    /// A file is there but unreadable.
    #[error("failed to read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or directory cannot be written.
    #[error("failed to write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another sentry holds the lock too long.
    #[error("timed out waiting for the lock {0}, held by another sentry")]
    Locked(PathBuf),
    /// New files could not be made.
    #[error(transparent)]
    Generate(E),
}

/// Reads the files, or makes all three when one is missing.
///
/// # Errors
/// Files cannot be read or written, or `generate` fails.
pub(super) fn load_or_create<E>(
    paths: &Paths,
    generate: impl FnOnce() -> Result<Files, E>,
) -> Result<(Files, Origin), StoreError<E>> {
    let directory = parent(&paths.key);
    let lock = prepare(directory).and_then(|()| lock(directory));
    let lock = match lock {
        Ok(lock) => lock,
        // A read-only directory (a mounted secret) is fine once it is complete.
        Err(error) => {
            return match read(paths)? {
                Some(files) => Ok((files, Origin::Loaded)),
                None => Err(error),
            };
        }
    };
    let loaded = if let Some(files) = read(paths)? {
        (files, Origin::Loaded)
    } else {
        let files = generate().map_err(StoreError::Generate)?;
        write(paths, &files)?;
        (files, Origin::Created)
    };
    drop(lock);
    Ok(loaded)
}

/// The files as they are; `None` when one is missing.
///
/// # Errors
/// A file is there but unreadable.
pub(super) fn read<E>(paths: &Paths) -> Result<Option<Files>, StoreError<E>> {
    let read = |path: &Path| match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Read {
            path: path.to_owned(),
            source,
        }),
    };
    let (anchors, certificate, key) = (
        read(&paths.anchors)?,
        read(&paths.certificate)?,
        read(&paths.key)?,
    );
    Ok(anchors
        .zip(certificate)
        .zip(key)
        .map(|((anchors, certificate), key)| Files {
            anchors,
            certificate,
            key,
        }))
}

/// The old key goes first and the new key comes last, so a crash in between
/// leaves an incomplete set, which the next start replaces, and never a mixed one.
fn write<E>(paths: &Paths, files: &Files) -> Result<(), StoreError<E>> {
    match fs::remove_file(&paths.key) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(StoreError::Write {
                path: paths.key.clone(),
                source: error,
            });
        }
        _ => {}
    }
    for (path, content) in [
        (&paths.anchors, &files.anchors),
        (&paths.certificate, &files.certificate),
        (&paths.key, &files.key),
    ] {
        replace(path, content).map_err(|source| StoreError::Write {
            path: path.clone(),
            source,
        })?;
    }
    Ok(())
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = parent(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = directory.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Nothing of a key may stay behind; the first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(directory)?.sync_all()
}

fn prepare<E>(directory: &Path) -> Result<(), StoreError<E>> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| StoreError::Write {
            path: directory.to_owned(),
            source,
        })
}

fn lock<E>(directory: &Path) -> Result<Flock<File>, StoreError<E>> {
    let path = directory.join(LOCK_FILE);
    let failed = |source| StoreError::Write {
        path: path.clone(),
        source,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
            Err((_, errno)) => return Err(failed(errno.into())),
        };
        if Instant::now() >= deadline {
            return Err(StoreError::Locked(path));
        }
        thread::sleep(LOCK_PAUSE);
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
