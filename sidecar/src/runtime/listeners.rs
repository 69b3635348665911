//! Every listening socket, bound before anything is served.

use std::{
    io,
    net::TcpListener,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
};

use lifecycle::bind::{self, BindError};
use tracing::{debug, error, info, warn};

use crate::{
    config::{self, Config},
    host,
};

/// A port that could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// None of the API's addresses.
    #[error("failed to start {server} server: could not listen on any endpoint: {source}")]
    Api {
        /// `HTTP` or `gRPC`.
        server: &'static str,
        /// Of the last address.
        source: BindError,
    },
    /// A socket of the API.
    #[error("failed to start {server} server: listen unix {}: {source}", path.display())]
    Socket {
        /// `HTTP` or `gRPC`.
        server: &'static str,
        /// The socket.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// The internal server.
    #[error("failed to start internal gRPC server: {0}")]
    Internal(BindError),
    /// The public server.
    #[error("failed to start public HTTP server: {0}")]
    Public(BindError),
    /// The metrics listener.
    #[error("failed to listen on {address}: {source}")]
    Metrics {
        /// `host:port`.
        address: String,
        /// Reason.
        source: BindError,
    },
}

/// Where one server of the API listens.
#[derive(Debug)]
pub(super) enum Api {
    /// Ports.
    Tcp(Vec<TcpListener>),
    /// A socket, and the file to remove at the end.
    Unix(UnixListener, PathBuf),
}

/// The bound sockets.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) http: Api,
    pub(super) grpc: Api,
    pub(super) internal: TcpListener,
    pub(super) public: Option<TcpListener>,
    pub(super) metrics: Option<TcpListener>,
}

impl Listeners {
    /// Binds all of them; a port in use is waited for, except for metrics.
    pub(super) async fn bind(config: &Config) -> Result<Self, ListenError> {
        let listen = &config.listen;
        let metrics = match &listen.metrics {
            None => None,
            Some((host, port)) => {
                let address = format!("{host}:{port}");
                let listener = bind::bind(host, *port).map_err(|source| ListenError::Metrics {
                    address: address.clone(),
                    source,
                })?;
                info!(target: "dapr.metrics", "metrics server started on {address}/");
                Some(listener)
            }
        };
        let internal = internal(config).await?;
        let (grpc, http) = match &listen.socket_folder {
            Some(folder) => (
                socket(folder, &config.app_id, "gRPC")?,
                socket(folder, &config.app_id, "HTTP")?,
            ),
            None => (
                api(&listen.api_hosts, listen.grpc_port, "gRPC").await?,
                api(&listen.api_hosts, listen.http_port, "HTTP").await?,
            ),
        };
        let public = match &listen.public {
            None => None,
            Some((host, port)) => Some(patiently(host, *port).await.map_err(ListenError::Public)?),
        };
        Ok(Self {
            http,
            grpc,
            internal,
            public,
            metrics,
        })
    }

    /// Port peers reach us on.
    pub(super) fn internal_port(&self) -> u16 {
        self.internal
            .local_addr()
            .map(|address| address.port())
            .unwrap_or_default()
    }
}

async fn patiently(host: &str, port: u16) -> Result<TcpListener, BindError> {
    bind::bind_patiently(host, port, |refused| {
        warn!(target: super::SCOPE, "{refused}; trying for {:?}", bind::PATIENCE);
    })
    .await
}

/// At least one of the addresses must bind: one family may be missing.
async fn api(hosts: &[String], port: u16, server: &'static str) -> Result<Api, ListenError> {
    let mut bound = Vec::new();
    let mut refused = None;
    for host in hosts {
        match patiently(host, port).await {
            Ok(listener) => bound.push(listener),
            Err(source) => {
                debug!(target: super::SCOPE, "{source}");
                refused = Some(source);
            }
        }
    }
    match refused {
        Some(source) if bound.is_empty() => Err(ListenError::Api { server, source }),
        _ => Ok(Api::Tcp(bound)),
    }
}

/// `dapr-<app id>-<server>.socket`; a file that is there already is somebody
/// else's.
fn socket(folder: &Path, app_id: &str, server: &'static str) -> Result<Api, ListenError> {
    let path = folder.join(format!("dapr-{app_id}-{}.socket", server.to_lowercase()));
    let listen = || {
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    match listen() {
        Ok(listener) => Ok(Api::Unix(listener, path)),
        Err(source) => Err(ListenError::Socket {
            server,
            path,
            source,
        }),
    }
}

async fn internal(config: &Config) -> Result<TcpListener, ListenError> {
    let host = config.listen.internal_host.as_str();
    if let Some(port) = config.listen.internal_port {
        return patiently(host, port).await.map_err(ListenError::Internal);
    }
    let folder = std::env::current_dir()
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let user = nix::unistd::getuid().as_raw();
    let port = config::stable_internal_port(&config.app_id, &folder, user, &host::name());
    bind::bind(host, port).or_else(|refused| {
        if !refused.is_in_use() {
            error!(target: super::SCOPE, "{refused}");
        }
        bind::bind(host, 0).map_err(ListenError::Internal)
    })
}
