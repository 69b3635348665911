//! One app and its sidecar, as wanted and as started.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::http::Endpoint;
use crate::instances::socket;

/// What a command line or a run file asks for. Numbers at or below zero mean
/// "not given"; empty texts likewise.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// Empty until the checks have made one up.
    pub(crate) id: String,
    /// Empty for a sidecar without an app.
    pub(crate) command: Vec<String>,
    pub(crate) port: i64,
    pub(crate) http_port: i64,
    pub(crate) grpc_port: i64,
    pub(crate) internal_grpc_port: i64,
    pub(crate) metrics_port: i64,
    pub(crate) profile_port: i64,
    /// Host the app listens on.
    pub(crate) channel_address: String,
    /// Directory of the sidecar's sockets.
    pub(crate) socket_directory: String,
    pub(crate) protocol: String,
    pub(crate) ssl: bool,
    pub(crate) listen_addresses: String,
    pub(crate) enable_profiling: bool,
    pub(crate) log_level: String,
    pub(crate) max_concurrency: i64,
    /// `None` for the one of the runtime root.
    pub(crate) config: Option<PathBuf>,
    /// Empty for those of the runtime root.
    pub(crate) resources: Vec<PathBuf>,
    /// The deprecated single directory; counts only without `resources`.
    pub(crate) components: Option<PathBuf>,
    /// A quantity.
    pub(crate) max_body_size: String,
    /// A quantity.
    pub(crate) read_buffer_size: String,
    pub(crate) health_check: bool,
    pub(crate) health_path: String,
    /// Seconds.
    pub(crate) health_interval: i64,
    /// Milliseconds.
    pub(crate) health_timeout: i64,
    pub(crate) health_threshold: i64,
    pub(crate) api_logging: bool,
    /// `None` for the default, empty to pass nothing.
    pub(crate) placement: Option<String>,
    /// As `placement`.
    pub(crate) scheduler: Option<String>,
    /// Variables for the app, over all others.
    pub(crate) env: BTreeMap<String, String>,
}

/// An app that passed the checks: names, ports and sizes are final.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) app: App,
    pub(crate) ports: SidecarPorts,
    /// Canonical quantity.
    pub(crate) max_body_size: String,
    /// Canonical quantity.
    pub(crate) read_buffer_size: String,
    /// The configuration to pass on, if there is one.
    pub(crate) config: Option<PathBuf>,
    /// The resource directories to pass on.
    pub(crate) resources: Vec<PathBuf>,
    pub(crate) mtls: Mtls,
}

/// Ports of one sidecar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SidecarPorts {
    pub(crate) http: u16,
    pub(crate) grpc: u16,
    pub(crate) metrics: u16,
    pub(crate) internal_grpc: u16,
    /// Only with profiling.
    pub(crate) profile: Option<u16>,
}

/// Who proves the identity of a sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mtls {
    /// This run's own authority.
    Own,
    /// The one the user runs at the usual address, as the Configuration says.
    Users,
    /// Nobody: calls are not encrypted.
    Off,
}

impl Plan {
    /// The first line of every start; scripts read the ports from it.
    pub(crate) fn starting(&self) -> String {
        let id = &self.app.id;
        if self.uses_sockets() {
            let (http, grpc) = (self.socket("http"), self.socket("grpc"));
            return format!(
                "Starting Dapr with id {id}. HTTP Socket: {}. gRPC Socket: {}.",
                http.display(),
                grpc.display()
            );
        }
        let (http, grpc) = (self.ports.http, self.ports.grpc);
        format!("Starting Dapr with id {id}. HTTP Port: {http}. gRPC Port: {grpc}")
    }

    pub(crate) const fn uses_sockets(&self) -> bool {
        !self.app.socket_directory.is_empty()
    }

    /// The socket of one API, `http` or `grpc`.
    pub(crate) fn socket(&self, api: &str) -> PathBuf {
        socket(&self.app.socket_directory, &self.app.id, api)
    }

    /// Where the sidecar's HTTP API will listen.
    pub(crate) fn http(&self) -> Endpoint {
        if self.uses_sockets() {
            return Endpoint::Unix(self.socket("http"));
        }
        Endpoint::Tcp(self.ports.http)
    }

    /// Where the sidecar's gRPC API will listen.
    pub(crate) fn grpc(&self) -> Endpoint {
        if self.uses_sockets() {
            return Endpoint::Unix(self.socket("grpc"));
        }
        Endpoint::Tcp(self.ports.grpc)
    }
}
