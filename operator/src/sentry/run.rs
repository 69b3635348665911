//! From flags to a serving process and back: authority, listeners, servers,
//! signal, drain.

mod load;

use std::sync::Arc;
use std::time::Duration;

use control_plane::{BindError, ClusterError, Flags, SettingError, Side, SideError};
use lifecycle::drain::Drain;
use lifecycle::health::Health;
use lifecycle::signals::Signals;
use security::SpiffeIdError;
use tokio::time::timeout;

use self::load::{Loader, Source};
use super::bundle::GenerateError;
use super::cluster::CallError;
use super::config::{Config, ConfigError, Mode, MtlsError};
use super::current::AdoptError;
use super::metrics::Metrics;
use super::service::Service;
use super::store::{LoadError, StoreError};
use super::{SCOPE, server};

/// Time for requests in flight once a signal came.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the program ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Mtls(#[from] MtlsError),
    #[error("failed to read our configuration: {0}")]
    Configuration(CallError),
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("failed to get CA bundle: {0}")]
    Files(#[from] StoreError<GenerateError>),
    #[error("failed to get CA bundle: {0}")]
    Objects(#[from] LoadError),
    #[error("failed to get CA bundle: {0}")]
    Bundle(#[from] AdoptError),
    #[error("invalid namespace {namespace:?}: {source}")]
    Namespace {
        namespace: String,
        source: SpiffeIdError,
    },
    #[error(transparent)]
    Side(#[from] SideError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("failed to watch signals: {0}")]
    Signals(std::io::Error),
    #[error("{0} server ended unexpectedly")]
    Ended(&'static str),
}

/// Runs until SIGTERM, SIGINT or SIGHUP.
pub(super) async fn run(flags: Flags) -> Result<(), RunError> {
    tracing::info!(target: SCOPE, "starting sentry certificate authority -- version {}", env!("CARGO_PKG_VERSION"));
    let Config {
        mode,
        trust_domain,
        namespace,
        authority: address,
    } = Config::new(&flags, |name| std::env::var(name).ok())?;
    let mut signals = Signals::new().map_err(RunError::Signals)?;
    let health = Health::default();
    let serving = health.target("sentry-server");
    let metrics = Arc::new(Metrics::default());
    let loader = Loader {
        trust_domain,
        namespace,
        metrics: Arc::clone(&metrics),
        health: health.clone(),
    };
    let side = async || {
        let metrics = Arc::clone(&metrics);
        Side::start(&flags, health.clone(), move || metrics.render()).await
    };
    let (source, mut side) = match mode {
        Mode::Standalone { paths, settings } => {
            let source = loader.over_files(paths, settings)?;
            (source, side().await?)
        }
        Mode::Kubernetes {
            keys,
            configuration,
            kubeconfig,
        } => {
            control_plane::refuse_root()?;
            // The API server may be away for long: probes get their answer.
            let side = side().await?;
            let client = control_plane::client(&kubeconfig).await?;
            tokio::select! {
                source = loader.over_cluster(client, keys, &configuration) => (source?, side),
                signal = signals.next() => {
                    tracing::info!(target: SCOPE, "received signal '{signal}' before the start was complete");
                    return Ok(());
                }
            }
        }
    };
    let Source {
        current,
        validators,
        watch: _watch,
    } = source;

    let listener = control_plane::bind("sentry", &address).await?;
    let drain = Drain::default();
    let service = Service {
        authority: Arc::clone(&current.authority),
        metrics,
        validators,
    };
    let mut signing = lifecycle::spawn(
        "sentry",
        server::serve(listener, current.identity.clone(), service, drain.watch()),
    );
    let _renewal = lifecycle::spawn("renewal", current.renew()).abort_on_drop();
    serving.ready();
    tracing::info!(target: SCOPE, "sentry certificate authority is running");

    let signal = tokio::select! {
        signal = signals.next() => signal,
        _ = &mut signing => return Err(RunError::Ended("sentry")),
        name = side.ended() => return Err(RunError::Ended(name)),
    };
    tracing::info!(target: SCOPE, "received signal '{signal}'; beginning shutdown");
    serving.not_ready();
    if timeout(DRAIN_TIMEOUT, drain.finish()).await.is_err() {
        tracing::warn!(target: SCOPE, "requests still in flight are cut off");
    }
    side.stop();
    tracing::info!(target: SCOPE, "sentry shut down gracefully");
    Ok(())
}
