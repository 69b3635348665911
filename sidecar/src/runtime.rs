//! The life of the sidecar: identity, listeners, servers, readiness, drain.

mod identity;
mod listeners;
mod operator;
mod servers;
mod stop;
mod unavailable;

use std::{process::ExitCode, sync::Arc, time::Instant};

use http::HeaderValue;
use lifecycle::{
    health::Health,
    signals::{Notice, Signals},
    workers::Workers,
};
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::{
    COMMIT, VERSION,
    channel::{self, App, Channel},
    config::{Config, Mode},
    host,
    http::{Api, ApiLog, AppConnection, HealthProperties, Metadata},
    invoke::Invoker,
    me::Me,
    message::{Limits, headers::Forwarder},
    policies::Live,
    resolve::{self, Names},
    resources::{self, Configuration},
    transport::{Connector, Transport},
};
use identity::IdentityError;
use listeners::Listeners;
use security::Identity;
use servers::{Drains, Servers};

const SCOPE: &str = "dapr.runtime";

/// What ends the process before or while it serves.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuntimeError {
    /// Threads or signal handlers.
    #[error("failed to start: {0}")]
    System(#[from] std::io::Error),
    /// Configuration files.
    #[error(transparent)]
    Configuration(#[from] resources::ConfigurationError),
    /// Resource directories.
    #[error(transparent)]
    Resources(#[from] resources::DirectoryError),
    /// The access control list.
    #[error(transparent)]
    AccessControl(#[from] policy::access::InvalidSpec),
    /// A setting that cannot be left out.
    #[error(transparent)]
    Unprotected(#[from] unavailable::Unprotected),
    /// The first certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// In a cluster nothing works without one.
    #[error("an identity is required in kubernetes mode")]
    NoIdentity,
    /// The operator.
    #[error(transparent)]
    Operator(#[from] resources::OperatorError),
    /// A port.
    #[error(transparent)]
    Listen(#[from] listeners::ListenError),
    /// The address for peers.
    #[error(transparent)]
    Host(#[from] host::NoAddress),
}

/// Bytes of one message from a peer where the body limit says less: the
/// envelope needs room of its own.
const LEAST_MESSAGE: usize = 64 * 1024;

/// Runs the sidecar to its end.
pub(crate) fn run(config: Config) -> Result<ExitCode, RuntimeError> {
    raise_file_limit();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(config))
}

async fn serve(config: Config) -> Result<ExitCode, RuntimeError> {
    let started = Instant::now();
    let mut signals = Signals::new()?;
    let notice = Notice::new()?;
    info!(target: SCOPE, "Starting Dapr Runtime -- version {VERSION} -- commit {COMMIT}");
    info!(target: SCOPE, "{} mode configured", config.mode);
    info!(target: SCOPE, "app id: {}", config.app_id);
    let health = Health::default();
    let security_ready = health.target("security-provider");
    let Loaded {
        configuration,
        identity,
        followed,
        policies,
    } = tokio::select! {
        biased;
        signal = signals.next() => {
            info!(target: SCOPE, "Received signal '{signal}'; beginning shutdown");
            return Ok(ExitCode::SUCCESS);
        }
        loaded = Loaded::new(&config) => loaded?,
    };
    security_ready.ready();

    let listeners = Listeners::bind(&config).await?;
    let workers = Arc::new(Workers::start("worker", worker_count())?);
    let (stop_sender, stop_requests) = mpsc::channel(1);
    let mut parts = Parts::build(
        &config,
        &configuration,
        health,
        stop_sender,
        &listeners,
        identity.as_ref().filter(|_| config.mtls),
        Arc::clone(&policies),
    )
    .await?;
    let drains = Drains::default();
    let registration = parts.registration.take();
    let servers = Servers {
        api: Arc::clone(&parts.api),
        invokers: (0..workers.count()).map(|_| parts.invoker()).collect(),
        identity: identity.filter(|_| config.mtls),
        me: Arc::clone(&parts.me),
        limits: parts.limits,
        policies: Arc::clone(&policies),
        workers,
    };
    let ready = servers.start(listeners, &drains, &config)?;
    if let Some(followed) = followed
        && configuration.feature("HotReload")
    {
        followed.start(&config, policies);
    }
    ready.outbound.ready();
    let leaving = stop::announce(notice, Arc::clone(&drains.leaving));
    lifecycle::spawn("termination notice", leaving).detach();
    let app_ready = async {
        match &parts.app {
            Some(app) => {
                channel::wait_for_app(app).await;
                match config.app.health_check.clone() {
                    None => load_app_configuration(&config, app).await,
                    Some(check) => {
                        // The app is asked for its configuration once it is
                        // well; readiness does not wait for that.
                        let probed = Arc::clone(app);
                        lifecycle::spawn("app health", channel::watch_app(probed, check)).detach();
                        let (config, app) = (config.clone(), Arc::clone(app));
                        lifecycle::spawn("app configuration", async move {
                            app.health().becomes(true).await;
                            load_app_configuration(&config, &app).await;
                        })
                        .detach();
                    }
                }
            }
            None => {
                warn!(target: SCOPE, "App channel is not initialized. Did you configure an app-port?");
            }
        }
        ready.runtime.ready();
        let elapsed = started.elapsed().as_millis();
        info!(target: SCOPE, "dapr initialized. Status: Running. Init Elapsed {elapsed}ms");
        std::future::pending::<()>().await;
    };
    let stop = stop::Stopper {
        app: parts.app.clone(),
        signals,
        requests: stop_requests,
        shutdown: config.shutdown,
    };
    let code = stop.run(app_ready, drains, registration).await;
    for socket in ready.sockets {
        // Somebody may have removed it already.
        let _ = std::fs::remove_file(socket);
    }
    Ok(code)
}

/// What has to be known before anything listens.
struct Loaded {
    configuration: Configuration,
    identity: Option<Identity>,
    followed: Option<operator::Followed>,
    policies: Arc<Live>,
}

impl Loaded {
    async fn new(config: &Config) -> Result<Self, RuntimeError> {
        let Some(address) = &config.operator_address else {
            // Files first: a mistake in them needs no certificate to be told.
            let (configuration, policies) = load_configuration(config)?;
            return Ok(Self {
                configuration,
                identity: identity::obtain(config).await?,
                followed: None,
                policies,
            });
        };
        let identity = identity::obtain(config).await?;
        let known = identity.as_ref().ok_or(RuntimeError::NoIdentity)?;
        let (configuration, followed) = operator::load(config, address, known).await?;
        let policies = announce(config, &configuration, &followed.snapshot.resiliencies)?;
        Ok(Self {
            configuration,
            identity,
            followed: Some(followed),
            policies,
        })
    }
}

fn load_configuration(config: &Config) -> Result<(Configuration, Arc<Live>), RuntimeError> {
    let configuration = if config.files.is_empty() {
        info!(target: SCOPE, "loading default configuration");
        Configuration::default()
    } else {
        Configuration::load(&config.files, |name| std::env::var(name).ok())?
    };
    let resiliencies = resources::scan(
        &config.resource_directories,
        configuration.feature("HotReload"),
        &std::env::var("NAMESPACE").unwrap_or_default(),
    )?;
    let policies = announce(config, &configuration, &resiliencies)?;
    Ok((configuration, policies))
}

/// Says what the configuration switches on, and refuses what would leave
/// calls unprotected. Gives the policies to start with.
fn announce(
    config: &Config,
    configuration: &Configuration,
    resiliencies: &[serde_json::Value],
) -> Result<Arc<Live>, RuntimeError> {
    unavailable::check(config, configuration)?;
    let features = configuration.enabled_features();
    if !features.is_empty() {
        info!(target: SCOPE, "Enabled features: {}", features.join(" "));
    }
    let access = configuration.access_control.as_ref();
    let policies = Live::new(
        &config.app_id,
        config.app.protocol.name(),
        access,
        resiliencies,
    )?;
    Ok(Arc::new(policies))
}

async fn load_app_configuration(config: &Config, app: &Arc<App>) {
    if config.app.protocol.is_grpc() {
        return;
    }
    if !config.app.load_configuration {
        warn!(target: SCOPE, "Skipping programmatic dapr configuration loading (see 'disable-init-endpoints' flag/annotation)");
        return;
    }
    let Ok(app_id) = HeaderValue::from_str(&config.app_id) else {
        return;
    };
    channel::load_configuration(&Channel::new(Arc::clone(app)), &app_id).await;
}

/// What the servers are made of.
struct Parts {
    api: Arc<Api>,
    app: Option<Arc<App>>,
    me: Arc<Me>,
    names: Names,
    registration: Option<resolve::Registration>,
    connector: Arc<Connector>,
    forwarder: Arc<Forwarder>,
    limits: Limits,
    policies: Arc<Live>,
}

impl Parts {
    async fn build(
        config: &Config,
        configuration: &Configuration,
        health: Health,
        stop: mpsc::Sender<crate::http::Stop>,
        listeners: &Listeners,
        identity: Option<&Identity>,
        policies: Arc<Live>,
    ) -> Result<Self, RuntimeError> {
        let me = Arc::new(Me {
            app_id: config.app_id.clone(),
            namespace: config.namespace.clone(),
        });
        let address = advertised(config)?;
        let announced = resolve::Me {
            app_id: me.app_id.clone(),
            namespace: me.namespace.clone(),
            address: address.clone(),
            internal_port: listeners.internal_port(),
            http_port: config.listen.http_port,
            grpc_port: config.listen.grpc_port,
            run_registry: config.run_registry.clone(),
            kubernetes: config.mode == Mode::Kubernetes,
        };
        let (names, registration) = resolve::build(configuration, &announced).await;
        let body_limit = config
            .body_limit
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(usize::MAX / 2);
        let limits = Limits {
            message: body_limit.max(LEAST_MESSAGE),
            body: body_limit,
            replay: config.retry_body,
        };
        let app = config.app.port.map(|port| {
            Arc::new(App::new(channel::Config {
                host: config.app.host.clone(),
                port,
                protocol: config.app.protocol,
                message_limit: limits.body,
                token: config.app.token.clone(),
                max_concurrency: config.app.max_concurrency,
                header_limit: config.header_limit,
                checked: config.app.health_check.is_some(),
            }))
        });
        let outbound = Health::default();
        let api = Arc::new(Api {
            me: Arc::clone(&me),
            health,
            outbound,
            token: config.api_token.clone(),
            metadata: Metadata::new(AppConnection {
                port: config.app.port,
                protocol: config.app.protocol.name().to_owned(),
                channel_address: config.app.host.clone(),
                max_concurrency: config.app.max_concurrency,
                health: config.app.health_check.as_ref().map(|check| {
                    HealthProperties::new(
                        &check.path,
                        check.interval,
                        check.timeout,
                        check.threshold,
                    )
                }),
            }),
            stop,
            body_limit: config.body_limit,
            header_limit: config.header_limit,
            log: api_log(config, configuration),
            policies: Arc::clone(&policies),
        });
        Ok(Self {
            api,
            app,
            me,
            names,
            registration,
            connector: Arc::new(Connector::new(identity.cloned())),
            forwarder: Arc::new(Forwarder::new(&address, &host::name())),
            limits,
            policies,
        })
    }

    /// The invocations of one worker, with connections of their own.
    fn invoker(&self) -> (Arc<Invoker>, Option<Arc<Channel>>) {
        let channel = self
            .app
            .as_ref()
            .map(|app| Arc::new(Channel::new(Arc::clone(app))));
        let invoker = Invoker::new(
            Arc::clone(&self.me),
            self.names.clone(),
            Transport::new(Arc::clone(&self.connector)),
            channel.clone(),
            Arc::clone(&self.forwarder),
            self.limits,
            Arc::clone(&self.policies),
        );
        (Arc::new(invoker), channel)
    }
}

/// A server that listens on loopback only is advertised there.
fn advertised(config: &Config) -> Result<String, RuntimeError> {
    let host = config.listen.internal_host.as_str();
    if matches!(host, "127.0.0.1" | "localhost" | "[::1]") {
        return Ok(host.to_owned());
    }
    match &config.host_address {
        Some(address) => Ok(address.clone()),
        None => match host::address() {
            Ok(address) => Ok(address.to_string()),
            // A machine without a network: the apps of its own runs are here.
            Err(_) if config.run_registry.is_some() => {
                warn!(target: SCOPE, "this machine has no network address; only its own apps can reach this sidecar");
                Ok("127.0.0.1".to_owned())
            }
            Err(none) => Err(none.into()),
        },
    }
}

fn api_log(config: &Config, configuration: &Configuration) -> Option<ApiLog> {
    let logging = configuration.api_logging();
    config
        .api_logging
        .unwrap_or(logging.enabled)
        .then_some(ApiLog {
            obfuscate_urls: logging.obfuscate_urls,
            omit_health_checks: logging.omit_health_checks,
        })
}

/// Data threads for the CPU limit of this process's control group.
fn worker_count() -> usize {
    let limit = std::fs::read_to_string("/sys/fs/cgroup/cpu.max")
        .ok()
        .and_then(|text| {
            let (quota, period) = text.trim().split_once(' ')?;
            let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
            Some(quota * 1000 / period.max(1))
        });
    lifecycle::workers::count_for(limit)
}

/// Each call needs a few descriptors; the soft limit is often low.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Staying at the soft limit is what happens otherwise.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
