//! Where keys come from.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::key_set::{KeySet, KeySetError};
use super::remote::{FetchError, Remote};

/// Largest key set that is read, in bytes. Sets of large issuers are around
/// ten KiB.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// What the option `source` names.
#[derive(Debug)]
pub(in crate::sentry) enum Source {
    /// A web server, asked again and again.
    Remote(Remote),
    /// A file, read again when it changes.
    File(PathBuf),
    /// The keys themselves.
    Inline(KeySet),
}

/// Why a source gives no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("failed to read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is larger than {MAX_BYTES} bytes")]
    TooLarge { path: PathBuf },
    #[error("failed to fetch {address}: {source}")]
    Fetch { address: String, source: FetchError },
    #[error("{place}: {source}")]
    Parse { place: String, source: KeySetError },
}

/// The keys of a file.
pub(super) fn read(path: &Path) -> Result<KeySet, SourceError> {
    let failed = |source| SourceError::Read {
        path: path.to_owned(),
        source,
    };
    let mut json = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut json))
        .map_err(failed)?;
    if json.len() > MAX_BYTES {
        return Err(SourceError::TooLarge {
            path: path.to_owned(),
        });
    }
    parse(&json, &path.display())
}

/// The keys of a web server.
pub(super) async fn fetch(remote: &Remote) -> Result<KeySet, SourceError> {
    let address = remote.shown_address();
    match remote.fetch().await {
        Ok(json) => parse(&json, &address),
        Err(source) => Err(SourceError::Fetch { address, source }),
    }
}

fn parse(json: &[u8], place: &dyn std::fmt::Display) -> Result<KeySet, SourceError> {
    KeySet::parse(json).map_err(|source| SourceError::Parse {
        place: place.to_string(),
        source,
    })
}
