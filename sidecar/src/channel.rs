//! The app channel: our connections to our own app.
//!
//! Called by the internal server for peers and by `invoke` for self calls.
//! Nothing is retried at this hop, except what the app cannot have looked at.
//!
//! `http` is what calls of HTTP apps have in common, `http1` with `pool` and
//! `http2` with `connections` are the two ways they travel; `grpc` calls gRPC
//! apps over the same `connections`. All of them `dial`.

mod connections;
mod dial;
mod grpc;
mod health;
mod http;
mod http1;
mod http2;
mod init;
mod path;
mod pool;
mod socket;
mod spoken;
mod wait;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ::http::HeaderValue;
use api::grpc::Status;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use health::{HealthCheck, watch_app};
pub(crate) use init::load_configuration;
pub(crate) use path::{PathError, probe_target};
pub(crate) use wait::wait_for_app;

use crate::{
    message::{Reply, Request},
    rpc::{Rpc, RpcAnswer},
};
use connections::Connections;
use dial::{Tls, Version};
use health::AppHealth;
use pool::Pool;
use spoken::Spoken;

/// Connections to the app in use at one time; further calls wait.
const MAX_CONNECTIONS: usize = 1024;

/// Where the app is and how it is called; shared by all workers.
#[derive(Debug)]
pub(crate) struct App {
    /// Where it listens.
    site: dial::Site,
    /// Port the app listens on.
    pub(crate) port: u16,
    /// What it speaks.
    pub(crate) protocol: Protocol,
    /// `host:port` as the app sees itself.
    authority: String,
    /// The same with the scheme in front.
    base: String,
    host_header: HeaderValue,
    tls: Option<Tls>,
    /// What HTTP apps with TLS are called over; it shows in a handshake.
    over_http2: AtomicBool,
    /// It has answered over HTTP/1.1.
    answered: AtomicBool,
    token: Option<HeaderValue>,
    concurrency: Option<Arc<Semaphore>>,
    connections: Arc<Semaphore>,
    header_limit: usize,
    message_limit: usize,
    health: AppHealth,
}

/// What an app speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 without TLS.
    H2c,
    /// gRPC without TLS.
    Grpc,
    /// gRPC over TLS.
    Grpcs,
}

impl Protocol {
    const ALL: [Self; 5] = [Self::Http, Self::Https, Self::H2c, Self::Grpc, Self::Grpcs];

    /// The protocol of a name in lower case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// As flags and metadata spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
        }
    }

    /// The same with TLS, where there is such a thing.
    pub(crate) fn over_tls(self) -> Self {
        match self {
            Self::Http => Self::Https,
            Self::Grpc => Self::Grpcs,
            other => other,
        }
    }

    /// Methods are called by `OnInvoke`.
    pub(crate) fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc | Self::Grpcs)
    }

    fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Settings of the app channel.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Host the app listens on: IP address or DNS name.
    pub(crate) host: String,
    /// Port the app listens on.
    pub(crate) port: u16,
    /// What it speaks.
    pub(crate) protocol: Protocol,
    /// Bytes one message to or from a gRPC app may have.
    pub(crate) message_limit: usize,
    /// Sent to the app as `dapr-api-token`.
    pub(crate) token: Option<HeaderValue>,
    /// Calls in the app at one time; `None` for no limit.
    pub(crate) max_concurrency: Option<usize>,
    /// Bytes of a response header block.
    pub(crate) header_limit: usize,
    /// The app is asked whether it is well, and is unwell until it says so.
    pub(crate) checked: bool,
}

/// Why the app did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    /// The app has not seen the call: no connection, or none that took it.
    #[error("{verb} \"{url}\": {reason}")]
    Unseen {
        /// Verb, as Go spells it in errors.
        verb: String,
        /// Address of the call.
        url: String,
        /// Go's wording of the reason.
        reason: String,
    },
    /// The app closed the connection and left the call on it unread: nothing
    /// has run, unless the app read it and then reset the connection itself.
    #[error("{verb} \"{url}\": {reason}")]
    Unread {
        /// Verb, as Go spells it in errors.
        verb: String,
        /// Address of the call.
        url: String,
        /// Go's wording of the reason.
        reason: String,
    },
    /// The connection failed before a response.
    #[error("{verb} \"{url}\": {reason}")]
    Exchange {
        /// Verb, as Go spells it in errors.
        verb: String,
        /// Address of the call.
        url: String,
        /// What went wrong.
        reason: String,
        /// What the app speaks instead of what it is said to speak.
        spoken: Option<Spoken>,
    },
    /// The app is known to be unwell.
    #[error("rpc error: code = Internal desc = app is not in a healthy state")]
    Unhealthy,
    /// A verb no HTTP app can be called with.
    #[error("rpc error: code = InvalidArgument desc = invalid HTTP verb")]
    Verb,
    /// A gRPC client that says no verb.
    #[error("rpc error: code = InvalidArgument desc = missing HTTP extension field")]
    Extension,
    /// A method that is no URL path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A gRPC app cannot be reached: it has not seen the call.
    #[error("{0}")]
    Unreachable(Status),
    /// A gRPC call of the app that never came about, or was cut.
    #[error("{0}")]
    Rpc(Status),
}

impl ChannelError {
    /// True when the app cannot have seen any of the call.
    pub(crate) fn never_reached_app(&self) -> bool {
        matches!(
            self,
            Self::Unseen { .. } | Self::Unhealthy | Self::Unreachable(_)
        )
    }

    /// True when the app went without looking at the call, as far as its
    /// connection tells.
    pub(crate) fn was_left_unread(&self) -> bool {
        matches!(self, Self::Unread { .. })
    }
}

impl App {
    /// The app of these settings.
    pub(crate) fn new(config: Config) -> Self {
        // An IPv6 address stands in brackets before a port.
        let authority = if config.host.contains(':') {
            format!("[{}]:{}", config.host, config.port)
        } else {
            format!("{}:{}", config.host, config.port)
        };
        let is_tls = config.protocol.is_tls();
        Self {
            host_header: HeaderValue::from_str(&authority)
                .unwrap_or_else(|_| HeaderValue::from_static("localhost")),
            base: format!("{}://{authority}", if is_tls { "https" } else { "http" }),
            authority,
            tls: is_tls.then(|| Tls::new(&config.host)),
            over_http2: AtomicBool::new(config.protocol == Protocol::H2c),
            answered: AtomicBool::new(false),
            site: dial::Site::new(&config.host, config.port),
            port: config.port,
            protocol: config.protocol,
            token: config.token,
            concurrency: config
                .max_concurrency
                .map(|limit| Arc::new(Semaphore::new(limit))),
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            header_limit: config.header_limit,
            message_limit: config.message_limit,
            health: AppHealth::new(config.checked),
        }
    }

    /// What it is called over, when its methods are called over HTTP.
    fn version(&self) -> Version {
        if self.over_http2.load(Ordering::Relaxed) {
            Version::Http2
        } else {
            Version::Http1
        }
    }

    /// A TLS handshake has shown what it does not speak.
    fn does_not_speak(&self, version: Version) {
        self.over_http2
            .store(version == Version::Http1, Ordering::Relaxed);
    }

    fn has_answered(&self) {
        if self.is_mute() {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    /// It has never answered over HTTP/1.1.
    fn is_mute(&self) -> bool {
        !self.answered.load(Ordering::Relaxed)
    }

    /// What is known about its health.
    pub(crate) fn health(&self) -> &AppHealth {
        &self.health
    }

    /// Token of the app, if it has one.
    pub(crate) fn token(&self) -> Option<&HeaderValue> {
        self.token.as_ref()
    }
}

/// The app channel of one worker.
#[derive(Debug)]
pub(crate) struct Channel {
    app: Arc<App>,
    /// Connections of HTTP/1.1 that may be in use.
    slots: Arc<Semaphore>,
    pool: Arc<Pool>,
    connections: Connections,
}

impl Channel {
    /// A channel without connections yet.
    pub(crate) fn new(app: Arc<App>) -> Self {
        let slots = Arc::clone(&app.connections);
        Self::with_slots(app, slots)
    }

    /// A channel that does not wait behind calls.
    fn for_probes(app: Arc<App>) -> Self {
        Self::with_slots(app, Arc::new(Semaphore::new(1)))
    }

    fn with_slots(app: Arc<App>, slots: Arc<Semaphore>) -> Self {
        Self {
            slots,
            pool: Arc::new(Pool::new(app.header_limit)),
            connections: Connections::new(&app),
            app,
        }
    }

    /// Methods of the app are called by `OnInvoke`.
    pub(crate) fn is_grpc(&self) -> bool {
        self.app.protocol.is_grpc()
    }

    /// Calls a method of the app. Headers are those of the message; what must
    /// not reach the app is taken out here.
    pub(crate) async fn call(&self, request: Request) -> Result<Reply, ChannelError> {
        if !self.app.health.is_well() {
            return Err(ChannelError::Unhealthy);
        }
        if self.app.protocol.is_grpc() {
            self.on_invoke(request)
                .await
                .map(|reply| Reply::Grpc(Box::new(reply)))
        } else {
            self.over_http(request).await.map(Reply::Http)
        }
    }

    /// Passes an rpc on to the app, whatever its protocol is said to be.
    pub(crate) async fn proxy(&self, rpc: Rpc) -> Result<RpcAnswer, ChannelError> {
        self.pass_on(rpc).await
    }

    /// A slot of the concurrency asked for by the user.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so a permit always comes.
        match &self.app.concurrency {
            Some(slots) => Arc::clone(slots).acquire_owned().await.ok(),
            None => None,
        }
    }
}
