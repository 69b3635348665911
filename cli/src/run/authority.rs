//! The run's own certificate authority.
//!
//! Every run starts one, all over the same root in `<root>/certs`, so that
//! apps of two runs trust each other and ending one run never hurts another.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::events::{Event, Events, Waited, Who};
use super::ports::{PortError, Ports};
use super::process::{Process, end};
use crate::binaries::{self, NotFound};
use crate::http::{Endpoint, Request, send};
use crate::root::Root;

/// Trust domain of the authority itself.
pub(super) const TRUST_DOMAIN: &str = "localhost";
/// Namespace of the authority itself, whatever that of the apps is.
pub(super) const NAMESPACE: &str = "default";

/// Enough for a busy machine to make two keys.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running authority.
#[derive(Debug)]
pub(super) struct Authority {
    process: Process,
    address: String,
    anchors: String,
    log: PathBuf,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuthorityError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error("error preparing {}: {source}", .path.display())]
    Prepare { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("fork/exec {}: {source}", .path.display())]
    Start { path: PathBuf, source: io::Error },
    #[error("the certificate authority did not start: {0}")]
    NotReady(String),
    #[error("interrupted")]
    Interrupted,
}

impl Authority {
    /// Starts an authority and waits until it signs.
    ///
    /// # Errors
    /// There is no `sentry`, it does not become ready, or a signal came.
    pub(super) fn start(
        root: &Root,
        ports: &mut Ports,
        events: &mut Events,
    ) -> Result<Self, AuthorityError> {
        let binary = binaries::sentry(root)?;
        let certs = root.certs();
        let prepare = |path: &Path, result: io::Result<()>| {
            result.map_err(|source| AuthorityError::Prepare {
                path: path.to_owned(),
                source,
            })
        };
        prepare(&certs, private_directory(&certs))?;
        let log = root
            .logs()
            .join(format!("sentry-{}.log", std::process::id()));
        prepare(&log, fs::create_dir_all(root.logs()))?;
        // Two runs that begin together must not make two roots.
        let lock = certs.join(".lock");
        let guard = File::create(&lock).and_then(|file| file.lock().map(|()| file));
        let guard = guard.map_err(|source| AuthorityError::Prepare { path: lock, source })?;

        let port = ports.claim("sentry", 0)?;
        let health = ports.claim("sentry health", 0)?;
        let metrics = ports.claim("sentry metrics", 0)?;
        ports.release();
        let mut command = Command::new(&binary);
        command
            .args(["--mode", "standalone", "--trust-domain", TRUST_DOMAIN])
            .arg("--issuer-credentials")
            .arg(&certs)
            .args(["--port", &port.to_string(), "--listen-address", "127.0.0.1"])
            .args(["--healthz-port", &health.to_string()])
            .args(["--healthz-listen-address", "127.0.0.1"])
            .args(["--metrics-port", &metrics.to_string()])
            .args(["--metrics-listen-address", "127.0.0.1"]);
        // Upstream's authority insists on a configuration.
        if root.config().is_file() {
            command.arg("--config").arg(root.config());
        }
        command.env("NAMESPACE", NAMESPACE).stdin(Stdio::null());
        let output = File::create(&log)
            .and_then(|file| Ok((file.try_clone()?, file)))
            .map_err(|source| AuthorityError::Prepare {
                path: log.clone(),
                source,
            })?;
        command.stdout(output.0).stderr(output.1);
        let process = Process::spawn(command, Who::Authority, events).map_err(|source| {
            AuthorityError::Start {
                path: binary,
                source,
            }
        })?;
        let mut authority = Self {
            process,
            address: format!("127.0.0.1:{port}"),
            anchors: String::new(),
            log,
        };
        let ready = authority.await_ready(health, &certs, events);
        drop(guard);
        match ready {
            Ok(anchors) => {
                authority.anchors = anchors;
                Ok(authority)
            }
            Err(error) => {
                end(vec![&mut authority.process], events);
                Err(error)
            }
        }
    }

    /// The trust anchors, once the authority is healthy.
    fn await_ready(
        &self,
        health: u16,
        certs: &Path,
        events: &mut Events,
    ) -> Result<String, AuthorityError> {
        let pointless = |event: &Event| match event {
            Event::Signal(_) => true,
            Event::Exited { who, .. } => *who == Who::Authority,
        };
        let request = Request {
            method: "GET",
            path: "/healthz",
            headers: &[],
            body: b"",
        };
        let endpoint = Endpoint::Tcp(health);
        let ready = || {
            let answer = send(&endpoint, request, Some(Duration::from_secs(1))).ok()?;
            answer
                .succeeded()
                .then(|| fs::read_to_string(certs.join("ca.crt")).ok())?
        };
        match events.wait(PATIENCE, pointless, ready) {
            Waited::Ready(anchors) => Ok(anchors),
            Waited::Interrupted if self.process.exit().is_none() => {
                Err(AuthorityError::Interrupted)
            }
            Waited::Interrupted | Waited::TimedOut => {
                Err(AuthorityError::NotReady(self.last_words()))
            }
        }
    }

    /// The last line it logged, which says why it ended.
    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty());
        match last {
            Some(line) => line.trim().to_owned(),
            None => format!("see {}", self.log.display()),
        }
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// PEM text of the trust anchors.
    pub(super) fn anchors(&self) -> &str {
        &self.anchors
    }

    /// Ends it. Its log is of no use when it ended because it was asked to.
    pub(super) fn end(mut self, events: &mut Events) {
        let well = self.process.exit().is_none();
        end(vec![&mut self.process], events);
        if well {
            let _ = fs::remove_file(&self.log);
        }
    }
}

/// Only the user may look into it: it holds the issuer's key.
fn private_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Another run was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}
