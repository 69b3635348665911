//! The authority in use: what a new bundle replaces, and what becomes unready
//! when the issuer's time is over.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use lifecycle::health::Target;
use security::{Identity, SpiffeId};

use super::SCOPE;
use super::bundle::{Bundle, BundleError, Files};
use super::ca::{Authority, OwnSvidError, UnusableKey};
use super::config::Lifetime;
use super::metrics::Metrics;

/// An issuer this close to its end is worth a warning.
const EXPIRY_WARNING: Duration = Duration::from_hours(24 * 30);

/// Shared by the server, the renewal of our own identity, and whoever watches
/// the bundle.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) authority: Arc<ArcSwap<Authority>>,
    pub(super) identity: Identity,
    pub(super) metrics: Arc<Metrics>,
    id: SpiffeId,
    lifetime: Lifetime,
    /// Ready while the issuer signs.
    issuer: Target,
}

/// Why a bundle is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdoptError {
    #[error("failed to verify CA bundle: {0}")]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Key(#[from] UnusableKey),
    #[error("failed to create our own identity: {0}")]
    OwnSvid(#[from] OwnSvidError),
}

impl Current {
    /// The first authority, from files of which nothing is known yet.
    pub(super) fn new(
        files: &Files,
        id: SpiffeId,
        lifetime: Lifetime,
        metrics: Arc<Metrics>,
        issuer: Target,
    ) -> Result<Self, AdoptError> {
        let authority = authority(files, lifetime)?;
        let identity = Identity::new(authority.own_svid(&id)?);
        metrics.issuer_expiry.store(authority.not_after(), Relaxed);
        warn_of_expiry(&authority);
        let current = Self {
            authority: Arc::new(ArcSwap::from_pointee(authority)),
            identity,
            metrics,
            id,
            lifetime,
            issuer,
        };
        current.check_expiry();
        Ok(current)
    }

    /// Uses other files from now on; the old ones stay in use when these are
    /// no good. No listener closes and no request fails meanwhile.
    pub(super) fn adopt(&self, files: &Files) -> Result<(), AdoptError> {
        self.metrics.issuer_changed.increment();
        let authority = authority(files, self.lifetime)?;
        let svid = authority.own_svid(&self.id)?;
        self.metrics
            .issuer_expiry
            .store(authority.not_after(), Relaxed);
        warn_of_expiry(&authority);
        self.authority.store(Arc::new(authority));
        self.identity.replace(svid);
        self.check_expiry();
        Ok(())
    }

    /// Keeps the health of the issuer up to date.
    pub(super) fn check_expiry(&self) {
        if self.authority.load().is_expired() {
            self.issuer.not_ready();
        } else {
            self.issuer.ready();
        }
    }

    /// Renews our own identity; never returns.
    pub(super) async fn renew(self) {
        let Self {
            authority,
            identity,
            id,
            ..
        } = self;
        security::renew_with(identity, || {
            let svid = authority.load().own_svid(&id);
            async { svid }
        })
        .await;
    }
}

fn authority(files: &Files, lifetime: Lifetime) -> Result<Authority, AdoptError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let bundle = Bundle::verify(files, now)?;
    Ok(Authority::new(bundle, lifetime)?)
}

fn warn_of_expiry(authority: &Authority) {
    let end = u64::try_from(authority.not_after()).unwrap_or(0);
    let end = UNIX_EPOCH + Duration::from_secs(end);
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    if left < EXPIRY_WARNING {
        let hours = left.as_secs() / 3600;
        tracing::warn!(target: SCOPE, "the issuer certificate expires in {hours} hours, replace it");
    }
}
