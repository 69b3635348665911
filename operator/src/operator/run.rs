//! From flags to a serving process and back: settings, watches, election,
//! identity, server, signal, drain.

use std::sync::Arc;
use std::time::Duration;

use control_plane::{
    ClusterError, Flags, IdentityError, IdentitySettings, OwnIdentity, SettingError, Side,
    SideError, bind, client, namespace, obtain_identity, refuse_root,
};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kube::core::DynamicObject;
use lifecycle::Task;
use lifecycle::bind::BindError;
use lifecycle::drain::{Drain, Watch};
use lifecycle::health::{Health, Target};
use lifecycle::signals::Signals;
use security::KeyKind;
use tokio::time::timeout;

use super::api::{self, Hubs, Pods, Service};
use super::cluster::objects;
use super::election::{Election, Fence};
use super::event::Recorder;
use super::metrics::Metrics;
use super::mirror::follow;
use super::options::{Options, OptionsError};
use super::resource::{Hub, HubMirror, Kind, Secrets};
use super::service::{Index, KINDS, Reconciler, SELECTOR, ServiceMirror, WorkloadMirror, services};
use super::settings::{Settings, SettingsError};
use super::{MANAGER, SCOPE};

/// Time for calls in flight, and for the leader to hand over, once a signal
/// came.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the program ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error(transparent)]
    Environment(#[from] SettingError),
    #[error(transparent)]
    Options(#[from] OptionsError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Side(#[from] SideError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("failed to watch signals: {0}")]
    Signals(std::io::Error),
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// Runs until SIGTERM, SIGINT or SIGHUP.
pub(super) async fn run(flags: Flags) -> Result<(), RunError> {
    tracing::info!(target: SCOPE, "starting dapr operator -- version {}", env!("CARGO_PKG_VERSION"));
    refuse_root()?;
    let options = Options::new(&flags)?;
    let namespace = namespace()?;
    for what in &options.unsupported {
        tracing::warn!(target: SCOPE, "not part of this operator, ignored: {what}");
    }
    let mut signals = Signals::new().map_err(RunError::Signals)?;
    let client = client(&options.kubeconfig).await?;
    let metrics = Arc::new(Metrics::default());
    let shown = Arc::clone(&metrics);
    let mut operator = Operator::new(client, namespace, options, metrics);
    let health = operator.health.clone();
    let mut side = Side::start(&flags, health, move || shown.render()).await?;
    // A signal is heard also while we wait for the API server or for sentry.
    let signal = tokio::select! {
        failed = operator.run() => return Err(failed),
        name = side.ended() => return Err(RunError::Ended(name)),
        signal = signals.next() => signal,
    };
    tracing::info!(target: SCOPE, "received signal '{signal}'; beginning shutdown");
    operator.stop().await;
    side.stop();
    tracing::info!(target: SCOPE, "dapr operator shut down gracefully");
    Ok(())
}

/// Everything that runs beside health and metrics.
struct Operator {
    client: kube::Client,
    namespace: String,
    options: Options,
    metrics: Arc<Metrics>,
    health: Health,
    serving: Target,
    secured: [Target; 2],
    drain: Drain,
    tasks: FuturesUnordered<Task<&'static str>>,
    identity: Option<OwnIdentity>,
}

impl Operator {
    fn new(
        client: kube::Client,
        namespace: String,
        options: Options,
        metrics: Arc<Metrics>,
    ) -> Self {
        let health = Health::default();
        Self {
            client,
            namespace,
            options,
            metrics,
            serving: health.target("operator-api-server"),
            secured: ["security-provider", "operator-security"].map(|name| health.target(name)),
            health,
            drain: Drain::default(),
            tasks: FuturesUnordered::new(),
            identity: None,
        }
    }

    /// Ends only when something fails.
    async fn run(&mut self) -> RunError {
        if let Err(error) = self.start().await {
            return error;
        }
        match self.tasks.next().await {
            Some(Ok(name)) => RunError::Ended(name),
            Some(Err(panicked)) => RunError::Ended(panicked.name),
            None => RunError::Ended("operator"),
        }
    }

    async fn start(&mut self) -> Result<(), RunError> {
        // Registered before anything else, so that readiness waits for them.
        let hubs = Kind::ALL.map(|kind| (Hub::new(kind), self.health.target("operator-cache")));
        let settings = Settings::read(&self.client, &self.namespace, &self.options.config).await?;
        if self.options.reconcile_services {
            self.keep_services(settings.mtls);
        }
        let hubs = hubs.map(|(hub, health)| self.keep_hub(hub, health));
        let identity = obtain_identity(IdentitySettings {
            service: MANAGER,
            namespace: self.namespace.clone(),
            trust_domain: settings.trust_domain,
            sentry_address: settings.sentry_address,
            anchors_file: self.options.anchors_file.clone(),
            key: KeyKind::Ed25519,
        })
        .await?;
        self.secured.iter().for_each(Target::ready);
        let listener = bind("operator", &self.options.listen).await?;
        let [configurations, resiliencies, http_endpoints, components] = hubs;
        let service = Service {
            client: self.client.clone(),
            hubs: Hubs {
                configurations,
                resiliencies,
                http_endpoints,
                components,
            },
            secrets: Secrets::new(self.client.clone()),
            pods: Pods::new(self.client.clone()),
            closing: self.drain.watch(),
        };
        let (own, drain) = (identity.identity.clone(), self.drain.watch());
        tracing::info!(target: SCOPE, id = %own.spiffe_id(), "dapr operator is running");
        self.spawn("operator server", async move {
            if let Err(error) = api::serve(listener, own, service, drain).await {
                tracing::error!(target: SCOPE, "operator server failed: {error}");
            }
        });
        self.identity = Some(identity);
        self.serving.ready();
        Ok(())
    }

    fn keep_hub(&self, hub: Hub, health: Target) -> Hub {
        let kind = hub.kind();
        let api = objects::<DynamicObject>(&self.client, &kind.resource(), self.watched());
        let mirror = HubMirror {
            hub: hub.clone(),
            health,
        };
        self.spawn(kind.plural(), follow(kind.plural(), api, None, mirror));
        hub
    }

    fn keep_services(&self, mtls: bool) {
        let index = Index::new(mtls);
        let watched = self.watched();
        for (kind, what) in KINDS {
            let mirror = WorkloadMirror {
                index: index.clone(),
                kind,
                health: self.health.target("operator-cache"),
            };
            let api = objects(&self.client, &kind.resource(), watched);
            self.spawn(what, follow(what, api, None, mirror));
        }
        let mirror = ServiceMirror {
            index: index.clone(),
            health: self.health.target("operator-cache"),
        };
        let api = objects(&self.client, &services(), watched);
        self.spawn("services", follow("services", api, Some(SELECTOR), mirror));

        let pod = pod();
        let recorder = Recorder::new(self.client.clone(), pod.clone());
        let metrics = Arc::clone(&self.metrics);
        let reconciler = Reconciler::new(self.client.clone(), index, metrics, recorder);
        let election = self
            .options
            .elect_leader
            .then(|| Election::new(self.client.clone(), &self.namespace, &pod));
        let stop = self.drain.watch();
        self.spawn("service reconciler", lead(reconciler, election, stop));
    }

    /// The namespace to look after.
    fn watched(&self) -> Option<&str> {
        self.options.watch_namespace.as_deref()
    }

    fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(lifecycle::spawn(name, async move {
            future.await;
            name
        }));
    }

    /// Ends streams, finishes calls and hands leadership over.
    async fn stop(self) {
        self.serving.not_ready();
        if timeout(DRAIN_TIMEOUT, self.drain.finish()).await.is_err() {
            tracing::warn!(target: SCOPE, "calls still in flight are cut off");
        }
    }
}

/// Writes Services while we are the leader, until the drain starts.
async fn lead(reconciler: Reconciler, election: Option<Election>, mut stop: Watch) {
    let Some(mut election) = election else {
        let alone = Fence::open();
        tokio::select! {
            () = reconciler.run(&alone) => {}
            () = stop.started() => {}
        }
        return;
    };
    loop {
        let fence = tokio::select! {
            biased;
            () = stop.started() => return,
            fence = election.win() => fence,
        };
        tokio::select! {
            biased;
            () = stop.started() => return election.release().await,
            () = election.hold() => {}
            () = reconciler.run(&fence) => {}
        }
    }
}

fn pod() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| MANAGER.to_owned())
}
