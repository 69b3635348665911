//! Asking the app whether it is well, as far as the user wants that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Uri};
use tokio::{sync::watch, time::MissedTickBehavior};
use tracing::{info, warn};

use super::{App, Channel};
use crate::message::Body;

const SCOPE: &str = "dapr.runtime";

/// How the app is asked.
#[derive(Clone, Debug)]
pub(crate) struct HealthCheck {
    /// Path of the probe as the user sees it, with its leading slash.
    pub(crate) path: String,
    /// The same as a request target.
    pub(crate) target: Uri,
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
    let channel = Channel::for_probes(Arc::clone(&app));
    let mut ticks = tokio::time::interval(check.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failures = 0u32;
    loop {
        ticks.tick().await;
        let asked = async {
            if app.protocol.is_grpc() {
                channel.health_check().await
            } else {
                probe(&app, &check.target).await
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
                    app.health().set(true);
                    info!(target: SCOPE, "App entered healthy status");
                }
            }
            Err(reason) => {
                failures = failures.saturating_add(1);
                if was_well && failures >= check.threshold {
                    app.health().set(false);
                    warn!(target: SCOPE, "App entered un-healthy status: {reason}");
                }
            }
        }
    }
}

/// One probe on a connection of its own: neither token nor headers. An answer
/// is judged by its status; redirects are no answer.
async fn probe(app: &Arc<App>, target: &Uri) -> Result<(), String> {
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = target.clone();
    let response = Channel::for_probes(Arc::clone(app))
        .send(request, &mut None)
        .await
        .map_err(|failure| failure.to_string())?;
    match response.status {
        status if status.is_success() => Ok(()),
        status => Err(format!("status code {status}")),
    }
}
