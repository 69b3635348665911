//! Asking the app whether it is well, as far as the user wants that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::watch, time::MissedTickBehavior};
use tracing::{info, warn};

use super::{App, Channel};

const SCOPE: &str = "dapr.runtime";

/// How the app is asked.
#[derive(Clone, Debug)]
pub(crate) struct HealthCheck {
    /// Path of the probe, with its leading slash.
    pub(crate) path: String,
    /// Time between two probes.
    pub(crate) interval: Duration,
    /// Time for the answer of one.
    pub(crate) timeout: Duration,
    /// Failures in a row after which the app counts as unwell.
    pub(crate) threshold: u32,
}

/// What is known about the app; shared by all workers.
#[derive(Debug)]
pub(crate) struct AppHealth {
    well: AtomicBool,
    changes: watch::Sender<bool>,
}

impl AppHealth {
    /// Without a check the app counts as well from the start.
    pub(super) fn new(checked: bool) -> Self {
        Self {
            well: AtomicBool::new(!checked),
            changes: watch::Sender::new(!checked),
        }
    }

    /// True while calls may go to the app.
    pub(crate) fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    /// Returns once the app counts as well (`true`) or unwell.
    pub(crate) async fn becomes(&self, well: bool) {
        let mut changes = self.changes.subscribe();
        // The sender lives as long as this value.
        let _ = changes.wait_for(|state| *state == well).await;
    }

    fn set(&self, well: bool) {
        self.well.store(well, Ordering::Relaxed);
        self.changes.send_replace(well);
    }
}

/// Probes the app for ever, the first time at once.
pub(crate) async fn watch_app(app: Arc<App>, check: HealthCheck) {
    let channel = Channel::new(Arc::clone(&app));
    let mut ticks = tokio::time::interval(check.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failures = 0u32;
    loop {
        ticks.tick().await;
        let asked = async {
            if app.protocol.is_grpc() {
                channel.health_check().await
            } else {
                probe(&app, &check.path).await
            }
        };
        let outcome = tokio::time::timeout(check.timeout, asked)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {:?}", check.timeout)));
        let was_well = app.health().is_well();
        match outcome {
            Ok(()) => {
                failures = 0;
                if !was_well {
                    info!(target: SCOPE, "App entered healthy status");
                    app.health().set(true);
                }
            }
            Err(reason) => {
                failures = failures.saturating_add(1);
                if was_well && failures >= check.threshold {
                    warn!(target: SCOPE, "App entered un-healthy status: {reason}");
                    app.health().set(false);
                }
            }
        }
    }
}

/// One probe on a connection of its own: neither token nor headers.
async fn probe(app: &App, path: &str) -> Result<(), String> {
    let socket = TcpStream::connect((app.host.as_str(), app.port))
        .await
        .map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket))
        .await
        .map_err(|error| error.to_string())?;
    let _driver = lifecycle::spawn("app probe", async move {
        let _ = connection.await;
    })
    .abort_on_drop();
    let request = Request::get(path)
        .header(header::HOST, &app.authority)
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())?;
    let status = response.status();
    if !status.is_success() {
        return Err(format!("status code {status}"));
    }
    response
        .into_body()
        .collect()
        .await
        .map(drop)
        .map_err(|error| error.to_string())
}
