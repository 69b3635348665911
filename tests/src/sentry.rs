//! The certificate authority as a process.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::binaries;
use crate::ca::{CONTROL_PLANE, Ca};
use crate::client::Request;
use crate::ports::reserve;
use crate::process::Process;
use crate::wait::eventually;

/// A sentry about to start.
#[derive(Debug)]
pub struct SentryBuilder<'a> {
    ca: &'a Ca,
    port: u16,
    mtls: String,
    program: Option<PathBuf>,
}

/// A running sentry.
#[derive(Debug)]
pub struct Sentry {
    process: Process,
    port: u16,
    health: u16,
    anchors: String,
    _directory: TempDir,
}

/// A sentry that signs with the issuer of `ca`.
pub fn sentry(ca: &Ca) -> SentryBuilder<'_> {
    SentryBuilder {
        ca,
        port: reserve(),
        mtls: String::new(),
        program: None,
    }
}

impl SentryBuilder<'_> {
    /// On this port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Made by somebody else.
    #[must_use]
    pub fn program(mut self, sentry: &Path) -> Self {
        self.program = Some(sentry.to_owned());
        self
    }

    /// Adds a line to `spec.mtls` of its Configuration.
    #[must_use]
    pub fn mtls(mut self, line: &str) -> Self {
        self.mtls.push_str("    ");
        self.mtls.push_str(line);
        self.mtls.push('\n');
        self
    }

    /// Starts it and waits until it is healthy.
    #[track_caller]
    pub fn run(self) -> Sentry {
        let sentry = self.start();
        sentry.wait_until_healthy();
        sentry
    }

    /// Starts it.
    pub fn start(self) -> Sentry {
        let directory = TempDir::new().expect("a temporary directory");
        let config = directory.path().join("sentry.yaml");
        let text = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata:\n  name: sentry\nspec:\n  mtls:\n    enabled: true\n{}",
            self.mtls
        );
        std::fs::write(&config, text).expect("the directory is ours");
        let health = reserve();
        let mut command = Command::new(self.program.unwrap_or_else(binaries::sentry));
        command
            .env_clear()
            .args(["--mode", "standalone", "--trust-domain", CONTROL_PLANE])
            .arg("--issuer-credentials")
            .arg(self.ca.directory())
            .arg("--config")
            .arg(&config)
            .args(["--port", &self.port.to_string()])
            .args(["--listen-address", "127.0.0.1"])
            .args(["--healthz-port", &health.to_string()])
            .args(["--metrics-port", &reserve().to_string()]);
        let process = Process::spawn("sentry", command);
        Sentry {
            process,
            port: self.port,
            health,
            anchors: self.ca.anchors().to_owned(),
            _directory: directory,
        }
    }
}

impl Sentry {
    /// Waits for `/healthz`.
    #[track_caller]
    pub fn wait_until_healthy(&self) {
        eventually("sentry is healthy", || {
            assert!(
                self.process.exited().is_none(),
                "sentry ended:\n{}{}",
                self.process.stdout(),
                self.process.stderr()
            );
            self.is_healthy().then_some(())
        });
    }

    /// What `/healthz` says now.
    pub fn is_healthy(&self) -> bool {
        let answer = Request::get("/healthz").try_send(self.health);
        answer.is_ok_and(|answer| (200..300).contains(&answer.status))
    }

    /// The port of its gRPC server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The trust anchors of everything it signs.
    pub fn anchors(&self) -> &str {
        &self.anchors
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }
}
