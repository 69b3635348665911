//! From configuration to a serving process and back: authority, listeners,
//! servers, signal, drain.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use lifecycle::bind::{BindError, bind_patiently};
use lifecycle::drain::Drain;
use lifecycle::health::Health;
use lifecycle::signals::Signals;
use security::{Identity, SpiffeId, SpiffeIdError};
use tokio::time::timeout;

use super::SCOPE;
use super::bundle::{self, Bundle, BundleError, Files, GenerateError};
use super::ca::{Authority, OwnSvidError, UnusableKey};
use super::config::{Config, Listen};
use super::metrics::Metrics;
use super::reload::Reload;
use super::service::Service;
use super::store::{self, Origin, StoreError};
use super::{http, server};

/// Time for requests in flight once a signal came.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// An issuer this close to its end is worth a warning at every start.
const EXPIRY_WARNING: Duration = Duration::from_hours(24 * 30);

/// Why the program ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error("failed to get CA bundle: {0}")]
    Store(#[from] StoreError<GenerateError>),
    #[error("failed to get CA bundle: failed to verify CA bundle: {0}")]
    Bundle(#[from] BundleError),
    #[error("failed to get CA bundle: {0}")]
    Key(#[from] UnusableKey),
    #[error("invalid namespace {namespace:?}: {source}")]
    Namespace {
        namespace: String,
        source: SpiffeIdError,
    },
    #[error("failed to create our own identity: {0}")]
    OwnSvid(#[from] OwnSvidError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("failed to watch signals: {0}")]
    Signals(std::io::Error),
    #[error("{0} server ended unexpectedly")]
    Ended(&'static str),
}

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(config: Config) -> Result<(), RunError> {
    let Config {
        paths,
        trust_domain,
        namespace,
        authority: authority_address,
        health: health_address,
        metrics: metrics_address,
        lifetime,
    } = config;
    let mut signals = Signals::new().map_err(RunError::Signals)?;

    let (files, origin) = store::load_or_create(&paths, || {
        bundle::generate(&trust_domain, &namespace, lifetime.skew)
    })?;
    let authority = Authority::new(verify(&files, origin)?, lifetime)?;
    let id = SpiffeId::workload(&trust_domain, &namespace, "dapr-sentry").map_err(|source| {
        RunError::Namespace {
            namespace: namespace.clone(),
            source,
        }
    })?;
    let identity = Identity::new(authority.own_svid(&id)?);
    let metrics = Arc::new(Metrics::default());
    metrics.issuer_expiry.store(authority.not_after(), Relaxed);
    warn_of_expiry(&authority);
    let authority = Arc::new(ArcSwap::from_pointee(authority));

    let authority_listener = bind("sentry", &authority_address).await?;
    let health_listener = bind("healthz", &health_address).await?;
    let metrics_listener = match &metrics_address {
        Some(address) => Some(bind("metrics", address).await?),
        None => None,
    };
    tracing::info!(target: SCOPE, id = %id, "sentry certificate authority is running");

    let health = Health::default();
    let serving = health.target("sentry-server");
    let (drain, side_drain) = (Drain::default(), Drain::default());
    let mut signing = lifecycle::spawn(
        "sentry",
        server::serve(
            authority_listener,
            identity.clone(),
            Service {
                authority: Arc::clone(&authority),
                metrics: Arc::clone(&metrics),
            },
            drain.watch(),
        ),
    );
    let mut healthz = lifecycle::spawn(
        "healthz",
        http::serve_health(health_listener, health, side_drain.watch()),
    );
    let metrics_watch = side_drain.watch();
    let shown = Arc::clone(&metrics);
    let mut metrics_server = lifecycle::spawn("metrics", async move {
        match metrics_listener {
            Some(listener) => http::serve_metrics(listener, shown, metrics_watch).await,
            None => std::future::pending().await,
        }
    });
    let renewal = renew(identity.clone(), Arc::clone(&authority), id.clone());
    let _renewal = lifecycle::spawn("renewal", renewal).abort_on_drop();
    let reload = Reload {
        paths,
        lifetime,
        id,
        authority,
        identity,
        metrics,
    };
    let _reload = lifecycle::spawn("reload", reload.watch(files)).abort_on_drop();
    serving.ready();

    let signal = tokio::select! {
        signal = signals.next() => signal,
        _ = &mut signing => return Err(RunError::Ended("sentry")),
        _ = &mut healthz => return Err(RunError::Ended("healthz")),
        _ = &mut metrics_server => return Err(RunError::Ended("metrics")),
    };
    tracing::info!(target: SCOPE, "received signal '{signal}'; beginning shutdown");
    serving.not_ready();
    if timeout(DRAIN_TIMEOUT, drain.finish()).await.is_err() {
        tracing::warn!(target: SCOPE, "requests still in flight are cut off");
    }
    side_drain.start();
    Ok(())
}

/// Never returns.
async fn renew(identity: Identity, authority: Arc<ArcSwap<Authority>>, id: SpiffeId) {
    security::renew_with(identity, || {
        let svid = authority.load().own_svid(&id);
        async { svid }
    })
    .await;
}

fn verify(files: &Files, origin: Origin) -> Result<Bundle, RunError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let bundle = Bundle::verify(files, now)?;
    match origin {
        Origin::Created => {
            tracing::info!(target: SCOPE, "root and issuer certs not found: self-signed CA created");
        }
        Origin::Loaded => {
            tracing::info!(target: SCOPE, "root and issuer certs found: using existing certs");
        }
    }
    Ok(bundle)
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

async fn bind(what: &'static str, address: &Listen) -> Result<TcpListener, RunError> {
    let Listen { host, port } = address;
    let listener = bind_patiently(host, *port, |error| {
        tracing::warn!(target: SCOPE, "{what} server cannot listen yet, trying again: {error}");
    })
    .await?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(target: SCOPE, %address, "{what} server is listening");
    }
    Ok(listener)
}
