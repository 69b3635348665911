//! Watches the authority's files and puts a new bundle in use in place:
//! no listener closes, no request fails. Differs from Dapr, which restarts its
//! servers.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use security::{Identity, SpiffeId};
use tokio::time::sleep;

use super::SCOPE;
use super::bundle::{Bundle, BundleError, Files};
use super::ca::{Authority, OwnSvidError, UnusableKey};
use super::config::Lifetime;
use super::metrics::Metrics;
use super::store::{self, Paths, StoreError};

/// Three `stat` calls per interval.
const INTERVAL: Duration = Duration::from_secs(2);

/// What a reload touches.
pub(super) struct Reload {
    pub(super) paths: Paths,
    pub(super) lifetime: Lifetime,
    pub(super) id: SpiffeId,
    pub(super) authority: Arc<ArcSwap<Authority>>,
    pub(super) identity: Identity,
    pub(super) metrics: Arc<Metrics>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ReloadError {
    #[error(transparent)]
    Read(#[from] StoreError<std::convert::Infallible>),
    #[error("a file is missing")]
    Missing,
    #[error("failed to verify CA bundle: {0}")]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Key(#[from] UnusableKey),
    #[error(transparent)]
    OwnSvid(#[from] OwnSvidError),
}

type Stamp = [Option<(u64, i64, i64, u64)>; 3];

impl Reload {
    /// Runs for ever. `files` are those in use. A broken set is reported once
    /// and the old one stays in use.
    pub(super) async fn watch(self, mut files: Files) {
        let mut stamp = self.stamp();
        loop {
            sleep(INTERVAL).await;
            let now = self.stamp();
            if now == stamp {
                continue;
            }
            stamp = now;
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
        self.metrics.issuer_changed.increment();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let bundle = Bundle::verify(&files, now)?;
        let authority = Authority::new(bundle, self.lifetime)?;
        let svid = authority.own_svid(&self.id)?;
        self.metrics
            .issuer_expiry
            .store(authority.not_after(), Relaxed);
        self.authority.store(Arc::new(authority));
        self.identity.replace(svid);
        tracing::info!(target: SCOPE, "issuer files changed, new certificate authority in use");
        Ok(Some(files))
    }

    fn stamp(&self) -> Stamp {
        let stamp = |path: &Path| {
            let data = std::fs::metadata(path).ok()?;
            Some((data.ino(), data.mtime(), data.mtime_nsec(), data.size()))
        };
        let Paths {
            anchors,
            certificate,
            key,
        } = &self.paths;
        [stamp(anchors), stamp(certificate), stamp(key)]
    }
}
