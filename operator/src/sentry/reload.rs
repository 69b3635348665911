//! Watches the authority's files and puts a new bundle in use in place.
//! Differs from Dapr, which restarts its servers.

use std::time::Duration;

use tokio::time::sleep;

use super::SCOPE;
use super::bundle::Files;
use super::current::{AdoptError, Current};
use super::stamp::Stamp;
use super::store::{self, Paths, StoreError};

/// Three `stat` calls per interval.
const INTERVAL: Duration = Duration::from_secs(2);

/// What a reload touches.
pub(super) struct Reload {
    pub(super) paths: Paths,
    pub(super) current: Current,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ReloadError {
    #[error(transparent)]
    Read(#[from] StoreError<std::convert::Infallible>),
    #[error("a file is missing")]
    Missing,
    #[error(transparent)]
    Adopt(#[from] AdoptError),
}

impl Reload {
    /// Runs for ever. `files` are those in use. A broken set is reported once
    /// and the old one stays in use.
    pub(super) async fn watch(self, mut files: Files) {
        let mut stamps = self.stamps();
        loop {
            sleep(INTERVAL).await;
            self.current.check_expiry();
            let now = self.stamps();
            if now == stamps {
                continue;
            }
            stamps = now;
            match self.load(&files) {
                Ok(Some(new)) => files = new,
                Ok(None) => {}
                Err(error) => tracing::error!(
                    target: SCOPE,
                    "issuer files changed but cannot be used, keeping the old ones: {error}"
                ),
            }
        }
    }

    /// `None` when the content is what is in use already.
    pub(super) fn load(&self, current: &Files) -> Result<Option<Files>, ReloadError> {
        let files = store::read(&self.paths)?.ok_or(ReloadError::Missing)?;
        if files == *current {
            return Ok(None);
        }
        self.current.adopt(&files)?;
        tracing::info!(target: SCOPE, "issuer files changed, new certificate authority in use");
        Ok(Some(files))
    }

    fn stamps(&self) -> [Stamp; 3] {
        let Paths {
            anchors,
            certificate,
            key,
        } = &self.paths;
        [anchors, certificate, key].map(|path| Stamp::of(path))
    }
}
