//! Names to addresses: which sidecars serve an app id.
//!
//! [`build`] picks the resolver from the configuration, announces this
//! sidecar if the resolver keeps a list, and returns [`Names`], the handle
//! that data workers use. Look-ups run on the control thread; answers are
//! kept fresh there, so that a call rarely waits for one.
//!
//! **Invariant:** no connection to a peer is opened here.

mod cache;
mod hosts;
mod kubernetes;
mod local;
mod mdns;
mod nameformat;
mod registry;
mod settings;
mod sqlite;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;
use tracing::{error, info};

pub(crate) use self::cache::Names;
use self::cache::{Changes, Pace};
use self::kubernetes::Kubernetes;
use self::local::Local;
use self::nameformat::NameFormat;
use self::sqlite::Sqlite;
use crate::resources::{Configuration, NameResolution};

/// What is announced about this sidecar, and where it runs.
#[derive(Debug, Clone)]
pub(crate) struct Me {
    /// Own app id.
    pub(crate) app_id: String,
    /// Own namespace; may be empty.
    pub(crate) namespace: String,
    /// Host that other sidecars reach us at.
    pub(crate) address: String,
    /// Port of the internal server.
    pub(crate) internal_port: u16,
    /// Port of the HTTP API.
    pub(crate) http_port: u16,
    /// Port of the gRPC API.
    pub(crate) grpc_port: u16,
    /// Kubernetes mode, where DNS is the default resolver.
    pub(crate) kubernetes: bool,
    /// Directory of the run registry when the CLI started us.
    pub(crate) run_registry: Option<PathBuf>,
}

impl Me {
    /// `host:port` of the internal server, IPv6 hosts in brackets.
    fn host_port(&self) -> String {
        hosts::join(&self.address, self.internal_port)
    }
}

/// Why a name has no address. The texts reach the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    /// The component is missing or failed to start.
    #[error("name resolver not initialized")]
    NotInitialized,
    /// SQLite knows no live sidecar of that id.
    #[error("no host found with the given ID")]
    NoHost,
    /// Neither the run registry knows one, nor did one answer over mDNS.
    #[error("couldn't find service: {0}")]
    NoService(String),
    /// The database cannot be read.
    #[error("failed to look up address: {0}")]
    LookUp(String),
    /// The registry directory cannot be read.
    #[error("failed to read run registry: {0}")]
    ReadRegistry(String),
    /// DNS gave no address.
    #[error("failed to resolve address for '{host}': {reason}")]
    Host {
        /// The name asked for.
        host: String,
        /// The reason.
        reason: String,
        /// DNS answered that there is none, rather than not at all.
        absent: bool,
    },
}

impl ResolveError {
    /// The resolver answered: older answers are void. Otherwise it could not
    /// answer, and older answers are the best there is.
    fn is_answer(&self) -> bool {
        match self {
            Self::NoHost | Self::NoService(_) => true,
            Self::Host { absent, .. } => *absent,
            Self::NotInitialized | Self::LookUp(_) | Self::ReadRegistry(_) => false,
        }
    }
}

/// A source of addresses.
#[derive(Debug)]
enum Resolver {
    Sqlite(Sqlite),
    Kubernetes(Box<Kubernetes>),
    NameFormat(NameFormat),
    Local(Local),
}

impl Resolver {
    /// All addresses of the app, at least one.
    async fn lookup(&self, app_id: &str, namespace: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        match self {
            Self::Sqlite(sqlite) => hosts::addresses(sqlite.lookup(app_id)?).await,
            Self::Kubernetes(kubernetes) => kubernetes.lookup(app_id, namespace).await,
            Self::NameFormat(format) => hosts::addresses(vec![format.address(app_id)]).await,
            Self::Local(local) => local.lookup(app_id, namespace).await,
        }
    }

    /// The error for an app id without addresses.
    fn none(&self, app_id: &str) -> ResolveError {
        match self {
            Self::Sqlite(_) => ResolveError::NoHost,
            Self::Local(_) => ResolveError::NoService(app_id.to_owned()),
            Self::Kubernetes(_) | Self::NameFormat(_) => ResolveError::Host {
                host: app_id.to_owned(),
                reason: "no such host".to_owned(),
                absent: true,
            },
        }
    }

    fn pace(&self) -> Pace {
        match self {
            Self::Kubernetes(_) => Pace::DNS,
            Self::Sqlite(_) | Self::NameFormat(_) => Pace::LOCAL,
            Self::Local(local) => local.pace(),
        }
    }

    /// Nobody is at `address`; the next look-up should not count on it.
    fn refused(&self, app_id: &str, address: SocketAddr) {
        match self {
            Self::Local(local) => local.refused(app_id, address),
            // Their answers come from elsewhere each time.
            Self::Sqlite(_) | Self::Kubernetes(_) | Self::NameFormat(_) => {}
        }
    }

    /// Word of answers that changed; to be had once.
    fn changes(&mut self) -> Option<Changes> {
        match self {
            Self::Local(local) => local.changes(),
            Self::Sqlite(_) | Self::Kubernetes(_) | Self::NameFormat(_) => None,
        }
    }
}

/// This sidecar's entry in a list that others read. Keep it while serving.
#[derive(Debug)]
#[must_use = "dropping it leaves the entry to expire; call `withdraw`"]
pub(crate) enum Registration {
    /// A row of the hosts table.
    Sqlite(sqlite::Registration),
    /// A file of the run registry, an announcement, or both.
    Local(local::Registration),
}

impl Registration {
    /// Takes the entry away, so that nobody calls us any more.
    pub(crate) async fn withdraw(self) {
        match self {
            Self::Sqlite(registration) => registration.withdraw().await,
            Self::Local(registration) => registration.withdraw().await,
        }
    }
}

/// Why a component could not be started.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("couldn't find name resolver {name}/{version}")]
    Unknown { name: String, version: String },
    #[error(transparent)]
    Setting(#[from] settings::SettingError),
    #[error(transparent)]
    Sqlite(#[from] sqlite::SqliteError),
    #[error(transparent)]
    Local(#[from] local::LocalError),
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::KubernetesError),
    #[error(transparent)]
    NameFormat(#[from] nameformat::FormatError),
}

/// Starts the configured resolver on the current runtime, which must be the
/// control thread's. A resolver that cannot be started leaves the sidecar
/// running; look-ups then fail.
pub(crate) async fn build(configuration: &Configuration, me: &Me) -> (Names, Option<Registration>) {
    let component = Component::of(configuration.name_resolution.as_ref(), me);
    match component.start(me).await {
        Ok((resolver, registration)) => {
            info!(target: "dapr.runtime", "Initialized name resolution to {}", component.name);
            let own = me.host_port().parse().ok();
            (Names::start(resolver, own), registration)
        }
        Err(error) => {
            let Component { name, version, .. } = component;
            error!(
                target: "dapr.runtime",
                "[CREATE_COMPONENT_FAILURE]: initialization error occurred for {name} \
                 (nameResolution/{version}): {error}"
            );
            (Names::unavailable(), None)
        }
    }
}

/// The selected component.
struct Component {
    name: String,
    version: String,
    configuration: Value,
}

impl Component {
    fn of(chosen: Option<&NameResolution>, me: &Me) -> Self {
        let or = |text: Option<&String>, default: &str| match text {
            Some(text) if !text.is_empty() => text.to_ascii_lowercase(),
            _ => default.to_owned(),
        };
        let default = if me.kubernetes { "kubernetes" } else { "mdns" };
        Self {
            name: or(chosen.map(|chosen| &chosen.component), default),
            version: or(chosen.map(|chosen| &chosen.version), "v1"),
            configuration: chosen.map_or(Value::Null, |chosen| chosen.configuration.clone()),
        }
    }

    async fn start(&self, me: &Me) -> Result<(Resolver, Option<Registration>), InitError> {
        let settings = settings::Settings::new(&self.configuration);
        match (self.name.as_str(), self.version.as_str()) {
            ("sqlite", "v1") => {
                let (sqlite, registration) = Sqlite::start(settings, me).await?;
                Ok((
                    Resolver::Sqlite(sqlite),
                    Some(Registration::Sqlite(registration)),
                ))
            }
            ("kubernetes", "v1") => Ok((
                Resolver::Kubernetes(Box::new(Kubernetes::new(settings, me)?)),
                None,
            )),
            ("nameformat", "v1") => Ok((Resolver::NameFormat(NameFormat::new(settings)?), None)),
            ("mdns", "v1") => {
                let (local, registration) = Local::start(me)?;
                Ok((
                    Resolver::Local(local),
                    Some(Registration::Local(registration)),
                ))
            }
            (name, version) => Err(InitError::Unknown {
                name: name.to_owned(),
                version: version.to_owned(),
            }),
        }
    }
}
