//! A pair of `daprd` with mutual TLS, whoever built them: sentry, shared SQLite name resolution, metrics on.
//!
//! Only flags and files that a real daprd accepts are used, so that both kinds run under the same configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::{Peer, Setup};
use crate::binaries::Binaries;
use crate::child::Process;
use crate::load::grpc::APP_ID;
use crate::ports::{self, Entry};
use crate::probe;

const TRUST_DOMAIN: &str = "bench.internal";

/// A running sentry and everything a sidecar needs to be started under it.
#[derive(Debug)]
pub(crate) struct Authority {
    process: Process,
    port: u16,
    trust_anchors: String,
    daprd: PathBuf,
    folder: PathBuf,
    app: Entry,
}

/// What the app of a sidecar speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum App {
    Http,
    Grpc,
}

/// Ports of one sidecar.
#[derive(Debug, Clone, Copy)]
struct Ports {
    http: u16,
    grpc: u16,
    internal: u16,
    metrics: u16,
}

impl Authority {
    /// Starts sentry in `<run folder>/<name>` and writes the sidecars' configuration.
    pub(crate) fn start(name: &str, binaries: &Binaries, setup: Setup<'_>) -> anyhow::Result<Self> {
        let folder = setup.folder.join(name);
        let credentials = folder.join("credentials");
        fs::create_dir_all(&credentials)?;
        fs::create_dir_all(folder.join("resources"))?;
        fs::write(folder.join("config.yaml"), sidecar_configuration(&folder))?;
        fs::write(folder.join("sentry.yaml"), SENTRY_CONFIGURATION)?;
        let [grpc, healthz, metrics] = ports::free()?;
        let arguments = options(&[
            ("--mode", "standalone"),
            ("--config", &path(&folder, "sentry.yaml")),
            ("--issuer-credentials", &path(&folder, "credentials")),
            ("--trust-domain", TRUST_DOMAIN),
            ("--listen-address", "127.0.0.1"),
            ("--port", &grpc.to_string()),
            ("--healthz-listen-address", "127.0.0.1"),
            ("--healthz-port", &healthz.to_string()),
            ("--metrics-listen-address", "127.0.0.1"),
            ("--metrics-port", &metrics.to_string()),
        ]);
        let mut process = Process::start("sentry", &binaries.sentry, &arguments, &[], &folder)?;
        let anchors = credentials.join("ca.crt");
        probe::wait(&mut process, Duration::from_millis(10), || {
            probe::status(probe::loopback(healthz), "/healthz") == Some(200) && anchors.is_file()
        })
        .context("start sentry")?;
        Ok(Self {
            process,
            port: grpc,
            trust_anchors: fs::read_to_string(&anchors)?,
            daprd: binaries.daprd.clone(),
            folder,
            app: setup.origin,
        })
    }

    /// Starts the callees `b` (HTTP) and `g` (gRPC) and the caller `a` of both, and waits until all are ready.
    pub(crate) fn pair(self, name: &'static str, about: String) -> anyhow::Result<Peer> {
        let (http_callee, _) = self.ready_sidecar("b", App::Http)?;
        let (grpc_callee, _) = self.ready_sidecar(APP_ID, App::Grpc)?;
        let (caller, ports) = self.ready_sidecar("a", App::Http)?;
        let mut peer = Peer::new(name, about, ports.entry());
        peer.hops = vec![caller, http_callee];
        peer.grpc_callee = Some(grpc_callee);
        peer.helpers = vec![self.process];
        Ok(peer)
    }

    /// Starts one more sidecar; returns it at once with its HTTP port.
    pub(crate) fn timed_sidecar(&self, app_id: &str) -> anyhow::Result<(Process, u16)> {
        let ports = Ports::free()?;
        let process = Process::start_timed(
            app_id,
            &self.daprd,
            &self.arguments(app_id, App::Http, ports),
            &self.environment(),
            &self.folder,
        )?;
        Ok((process, ports.http))
    }

    fn ready_sidecar(&self, app_id: &str, app: App) -> anyhow::Result<(Process, Ports)> {
        let ports = Ports::free()?;
        let mut process = Process::start(
            app_id,
            &self.daprd,
            &self.arguments(app_id, app, ports),
            &self.environment(),
            &self.folder,
        )?;
        probe::wait(&mut process, Duration::from_millis(10), || {
            probe::status(probe::loopback(ports.http), "/v1.0/healthz") == Some(204)
        })
        .with_context(|| format!("start the sidecar of {app_id}"))?;
        Ok((process, ports))
    }

    fn arguments(&self, app_id: &str, app: App, ports: Ports) -> Vec<String> {
        let (protocol, app_port) = match app {
            App::Http => ("http", self.app.http),
            App::Grpc => ("grpc", self.app.grpc),
        };
        let mut arguments = options(&[
            ("--app-id", app_id),
            ("--app-protocol", protocol),
            ("--app-port", &app_port.to_string()),
            ("--dapr-http-port", &ports.http.to_string()),
            ("--dapr-grpc-port", &ports.grpc.to_string()),
            ("--dapr-internal-grpc-port", &ports.internal.to_string()),
            ("--dapr-internal-grpc-listen-address", "127.0.0.1"),
            ("--dapr-listen-addresses", "127.0.0.1"),
            ("--metrics-port", &ports.metrics.to_string()),
            ("--metrics-listen-address", "127.0.0.1"),
            ("--dapr-graceful-shutdown-seconds", "1"),
            ("--config", &path(&self.folder, "config.yaml")),
            ("--resources-path", &path(&self.folder, "resources")),
            ("--sentry-address", &format!("127.0.0.1:{}", self.port)),
            ("--control-plane-trust-domain", TRUST_DOMAIN),
            ("--control-plane-namespace", "default"),
        ]);
        arguments.push("--enable-mtls".to_owned());
        arguments
    }

    fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("DAPR_TRUST_ANCHORS", self.trust_anchors.clone()),
            ("DAPR_HOST_IP", "127.0.0.1".to_owned()),
        ]
    }
}

impl Ports {
    fn free() -> anyhow::Result<Self> {
        let [http, grpc, internal, metrics] = ports::free()?;
        Ok(Self {
            http,
            grpc,
            internal,
            metrics,
        })
    }

    /// Where calls come in.
    fn entry(self) -> Entry {
        Entry {
            http: self.http,
            grpc: self.grpc,
        }
    }
}

const SENTRY_CONFIGURATION: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: sentry
spec:
  mtls:
    enabled: true
";

fn sidecar_configuration(folder: &Path) -> String {
    format!(
        "\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: bench
spec:
  nameResolution:
    component: sqlite
    version: v1
    configuration:
      connectionString: {}
",
        path(folder, "names.db")
    )
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn options(pairs: &[(&str, &str)]) -> Vec<String> {
    pairs
        .iter()
        .flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()])
        .collect()
}
