//! The process: flags, start, serving, stop.

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use control_plane::{
    BindError, ClusterError, Flag, FlagError, Flags, IdentityError, IdentitySettings, Program,
    SettingError, Side, SideError, obtain_identity,
};
use kube::Client;
use lifecycle::drain::Drain;
use lifecycle::health::{Health, Target};
use lifecycle::signals::{Signal, Signals};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::SCOPE;
use crate::daprsystem::Mtls;
use crate::metrics::Metrics;
use crate::server::{self, Ending, Trust, Webhook};
use crate::service_accounts;
use crate::serving::Serving;
use crate::settings::{Settings, SettingsError};
use crate::webhook::Keeper;

/// How long to go on serving once a signal came: until then API servers may
/// still be led here.
const FAREWELL: Duration = Duration::from_secs(5);
/// Time for requests in flight after that.
const DRAIN: Duration = Duration::from_secs(5);

const PROGRAM: Program = Program {
    name: "injector",
    scope: SCOPE,
    flags: &[
        Flag::text(
            "listen-address",
            "",
            "Address the webhook listens on; empty for all",
        ),
        Flag::text("port", "4000", "Port the webhook listens on"),
        Flag::boolean(
            "scheduler-enabled",
            "true",
            "Tell sidecars the address of the scheduler",
        ),
    ],
};

/// Why the program ended.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("failed to read the settings: {0}")]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Flag(#[from] FlagError),
    #[error(transparent)]
    Side(#[from] SideError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("failed to watch signals: {0}")]
    Signals(std::io::Error),
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// Runs `injector` with the arguments behind its name.
pub fn main(args: impl Iterator<Item = String>) -> ExitCode {
    PROGRAM.main(args, run)
}

async fn run(flags: Flags) -> Result<(), RunError> {
    control_plane::refuse_root()?;
    let namespace = control_plane::namespace()?;
    let Settings {
        sidecar,
        requesters,
        identity,
    } = Settings::from_env(namespace.clone(), flags.on("scheduler-enabled"))?;
    let address = flags.listen("listen-address", "port")?;
    let mut signals = Signals::new().map_err(RunError::Signals)?;
    let client = control_plane::client(flags.text("kubeconfig")).await?;

    let health = Health::default();
    let security = health.target("security-provider");
    let service = health.target("injector-service");
    let configuration = health.target("webhook-configuration");
    let metrics = Arc::new(Metrics::default());
    let listener = control_plane::bind("injector", &address).await?;
    let shown = Arc::clone(&metrics);
    let mut side = Side::start(&flags, health, move || shown.render()).await?;

    let mtls = Mtls::default();
    let instance = format!("{:016x}", fastrand::u64(..));
    let (announce, trust) = watch::channel(None);
    let (farewell, drain) = (Drain::default(), Drain::default());
    let webhook = Arc::new(Webhook {
        sidecar,
        requesters: requesters.clone(),
        mtls: mtls.clone(),
        instance: instance.clone(),
        metrics,
    });
    let ending = Ending {
        farewell: farewell.watch(),
        drain: drain.watch(),
    };
    let serving = server::serve(listener, webhook, trust, ending);
    let mut serving = lifecycle::spawn("injector", serving);
    let learning = service_accounts::learn(client.clone(), requesters);
    let _learning = lifecycle::spawn("service accounts", learning).abort_on_drop();
    service.ready();

    let becoming = Becoming {
        client,
        namespace,
        instance,
        mtls,
        announce,
        security,
        configuration,
    };
    let becoming = std::pin::pin!(becoming.effective(identity));
    let signal = tokio::select! {
        signal = stop(&mut signals) => signal,
        Err(error) = becoming => return Err(error.into()),
        _ = &mut serving => return Err(RunError::Ended("webhook server")),
        name = side.ended() => return Err(RunError::Ended(name)),
    };
    tracing::info!(target: SCOPE, "received signal '{signal}'; beginning shutdown");
    service.not_ready();
    farewell.start();
    tokio::select! {
        () = tokio::time::sleep(FAREWELL) => {}
        _ = stop(&mut signals) => {}
        _ = &mut serving => {}
    }
    if timeout(DRAIN, drain.finish()).await.is_err() {
        tracing::warn!(target: SCOPE, "requests still in flight are cut off");
    }
    side.stop();
    Ok(())
}

/// What makes a listening injector an effective one.
struct Becoming {
    client: Client,
    namespace: String,
    instance: String,
    mtls: Mtls,
    announce: watch::Sender<Option<Trust>>,
    security: Target,
    configuration: Target,
}

impl Becoming {
    /// Gets an identity, then keeps the API server calling us for ever.
    async fn effective(self, settings: IdentitySettings) -> Result<Infallible, IdentityError> {
        let own = obtain_identity(settings).await?;
        self.security.ready();
        self.mtls.refresh(&self.client, &self.namespace).await;
        let serving = Serving::new(own.identity.clone());
        self.announce.send_replace(Some(Trust {
            acceptor: TlsAcceptor::from(serving.config()),
            anchors: own.anchors.clone(),
        }));
        let keeper = Keeper {
            client: self.client.clone(),
            namespace: self.namespace.clone(),
            instance: self.instance,
            identity: own.identity.clone(),
            anchors: own.anchors.clone(),
            serving,
            health: self.configuration,
        };
        tokio::select! {
            never = keeper.run() => Ok(never),
            never = self.mtls.follow(self.client, self.namespace) => Ok(never),
        }
    }
}

/// The next signal that ends a process.
async fn stop(signals: &mut Signals) -> Signal {
    loop {
        match signals.next().await {
            Signal::Hangup => {}
            signal @ (Signal::Terminate | Signal::Interrupt) => return signal,
        }
    }
}
