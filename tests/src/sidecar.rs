//! The sidecar as a process: built like a sentence, ready when returned.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::app::RawApp;
use crate::binaries;
use crate::ca::CONTROL_PLANE;
use crate::client::{Request, Response, invoke_path};
use crate::grpc_app::GrpcApp;
use crate::mesh::{Names, names_spec};
use crate::ports::reserve;
use crate::process::Process;
use crate::sentry::Sentry;
use crate::wait::eventually;

/// A sidecar about to start.
#[derive(Clone, Debug)]
pub struct SidecarBuilder {
    app_id: String,
    ports: Ports,
    flags: Vec<String>,
    env: BTreeMap<String, String>,
    spec: String,
    program: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    http: u16,
    grpc: u16,
    internal: u16,
    metrics: u16,
}

/// A started sidecar; also a [`Process`].
#[derive(Debug)]
pub struct Sidecar {
    app_id: String,
    ports: Ports,
    process: Process,
    _directory: TempDir,
}

/// A sidecar for `app_id` without app or identity, with names nobody else
/// reads unless told otherwise.
pub fn sidecar(app_id: &str) -> SidecarBuilder {
    let env = [
        // Loopback is the only way between the sidecars of a test.
        ("DAPR_HOST_IP", "127.0.0.1".to_owned()),
        ("PATH", std::env::var("PATH").unwrap_or_default()),
    ];
    SidecarBuilder {
        app_id: app_id.to_owned(),
        ports: Ports {
            http: reserve(),
            grpc: reserve(),
            internal: reserve(),
            metrics: reserve(),
        },
        flags: Vec::new(),
        env: env.map(|(name, value)| (name.to_owned(), value)).into(),
        spec: String::new(),
        program: None,
    }
}

// === impl SidecarBuilder ===

impl SidecarBuilder {
    /// In front of this app.
    #[must_use]
    pub fn app(self, app: &RawApp) -> Self {
        self.app_port(app.port())
    }

    /// In front of this gRPC app.
    #[must_use]
    pub fn grpc_app(self, app: &GrpcApp) -> Self {
        self.app_port(app.port())
            .flag("app-protocol", app.protocol())
    }

    /// In front of an app on this port.
    #[must_use]
    pub fn app_port(self, port: u16) -> Self {
        self.flag("app-port", &port.to_string())
    }

    /// Finds others, and is found, by these names.
    #[must_use]
    pub fn names(self, names: &Names) -> Self {
        self.spec(&names.spec())
    }

    /// With an identity signed by this sentry.
    #[must_use]
    pub fn mtls(self, sentry: &Sentry) -> Self {
        self.mtls_at(sentry.port(), sentry.anchors())
    }

    /// With an identity from whoever listens on this port.
    #[must_use]
    pub fn mtls_at(self, port: u16, anchors: &str) -> Self {
        self.switch("enable-mtls")
            .flag("sentry-address", &format!("127.0.0.1:{port}"))
            .flag("control-plane-trust-domain", CONTROL_PLANE)
            .flag("control-plane-namespace", "default")
            .env("DAPR_TRUST_ANCHORS", anchors)
    }

    /// Made by somebody else.
    #[must_use]
    pub fn program(mut self, daprd: &Path) -> Self {
        self.program = Some(daprd.to_owned());
        self
    }

    /// In this namespace.
    #[must_use]
    pub fn namespace(self, namespace: &str) -> Self {
        self.env("NAMESPACE", namespace)
    }

    /// Adds `--name value`.
    #[must_use]
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.push(format!("--{name}"));
        self.flags.push(value.to_owned());
        self
    }

    /// Adds `--name`.
    #[must_use]
    pub fn switch(mut self, name: &str) -> Self {
        self.flags.push(format!("--{name}"));
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds a line to `spec` of its Configuration.
    #[must_use]
    pub fn spec(mut self, line: &str) -> Self {
        self.spec.push_str("  ");
        self.spec.push_str(line);
        self.spec.push('\n');
        self
    }

    /// On this HTTP port.
    #[must_use]
    pub fn http_port(mut self, port: u16) -> Self {
        self.ports.http = port;
        self
    }

    /// On this internal port.
    #[must_use]
    pub fn internal_port(mut self, port: u16) -> Self {
        self.ports.internal = port;
        self
    }

    /// Starts it and waits until it is ready.
    #[track_caller]
    pub fn run(self) -> Sidecar {
        let sidecar = self.start();
        sidecar.wait_until_ready();
        sidecar
    }

    /// Starts it.
    #[track_caller]
    pub fn start(self) -> Sidecar {
        let directory = TempDir::new().expect("a temporary directory");
        let mut command = Command::new(self.program.unwrap_or_else(binaries::daprd));
        command
            .env_clear()
            .envs(&self.env)
            .current_dir(directory.path())
            .args(["--app-id", &self.app_id])
            .args(["--dapr-listen-addresses", "127.0.0.1"])
            .args(["--dapr-internal-grpc-listen-address", "127.0.0.1"])
            .args(["--metrics-listen-address", "127.0.0.1"])
            .args(["--dapr-http-port", &self.ports.http.to_string()])
            .args(["--dapr-grpc-port", &self.ports.grpc.to_string()])
            .args([
                "--dapr-internal-grpc-port",
                &self.ports.internal.to_string(),
            ])
            .args(["--metrics-port", &self.ports.metrics.to_string()])
            .args(&self.flags);
        let mut spec = self.spec;
        let named = spec.contains("nameResolution:") || self.env.contains_key("DAPR_RUN_REGISTRY");
        if !named {
            let file = directory.path().join("names.db");
            spec.push_str("  ");
            spec.push_str(&names_spec(&file));
            spec.push('\n');
        }
        if !spec.is_empty() {
            let config = directory.path().join("config.yaml");
            let text = format!(
                "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata:\n  name: test\nspec:\n{spec}"
            );
            std::fs::write(&config, text).expect("the directory is ours");
            command.arg("--config").arg(config);
        }
        Sidecar {
            process: Process::spawn(&format!("daprd {}", self.app_id), command),
            app_id: self.app_id,
            ports: self.ports,
            _directory: directory,
        }
    }
}

// === impl Sidecar ===

impl Sidecar {
    /// Its app id.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// Port of the HTTP API.
    pub fn http(&self) -> u16 {
        self.ports.http
    }

    /// Port of the gRPC API.
    pub fn grpc(&self) -> u16 {
        self.ports.grpc
    }

    /// Port other sidecars call.
    pub fn internal(&self) -> u16 {
        self.ports.internal
    }

    /// Port of the metrics.
    pub fn metrics(&self) -> u16 {
        self.ports.metrics
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Waits for `/v1.0/healthz`.
    #[track_caller]
    pub fn wait_until_ready(&self) {
        self.wait_for_status("/v1.0/healthz", 204);
    }

    /// Waits for `/v1.0/healthz/outbound`.
    #[track_caller]
    pub fn wait_until_outbound(&self) {
        self.wait_for_status("/v1.0/healthz/outbound", 204);
    }

    /// Asks the API; fails the test when no answer comes.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        Request::get(path).send(self.http())
    }

    /// Sends a request to the API; fails the test when no answer comes.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        request.send(self.http())
    }

    /// GET `method` on `app_id` through this sidecar.
    #[track_caller]
    pub fn invoke(&self, app_id: &str, method: &str) -> Response {
        self.get(&invoke_path(app_id, method))
    }

    /// Asks for the metrics text.
    #[track_caller]
    pub fn metrics_text(&self) -> String {
        Request::get("/metrics").send(self.metrics()).text()
    }

    /// Waits for the line that ends the start: those before it are captured.
    #[track_caller]
    pub fn wait_until_logged(&self) {
        self.process
            .wait_for_output("dapr initialized. Status: Running.");
    }

    /// Lines of its log at level error or fatal, those of the start included.
    #[track_caller]
    pub fn error_lines(&self) -> Vec<String> {
        self.wait_until_logged();
        self.process
            .stdout()
            .lines()
            .filter(|line| line.contains("level=error") || line.contains("level=fatal"))
            .map(str::to_owned)
            .collect()
    }

    #[track_caller]
    fn wait_for_status(&self, path: &str, status: u16) {
        eventually(&format!("{} of {} is {status}", path, self.app_id), || {
            assert!(
                self.process.exited().is_none(),
                "daprd {} ended:\n{}{}",
                self.app_id,
                self.process.stdout(),
                self.process.stderr()
            );
            let answer = Request::get(path).try_send(self.http()).ok()?;
            (answer.status == status).then_some(())
        });
    }
}

impl Deref for Sidecar {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
