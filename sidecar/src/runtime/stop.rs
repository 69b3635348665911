//! The end: what starts it, what may hold it back, and in which order things
//! finish.

use std::{process::ExitCode, sync::Arc};

use lifecycle::{
    drain::Drain,
    signals::{Notice, Signal, Signals},
};
use telemetry::log;
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::{SCOPE, servers::Drains};
use crate::{channel::App, config::ShutdownConfig, http::Stop, resolve::Registration};

/// Time between the answer to a forced stop and the end.
const FORCED_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Waits for a reason to stop, then stops.
pub(super) struct Stopper {
    pub(super) signals: Signals,
    pub(super) requests: mpsc::Receiver<Stop>,
    pub(super) shutdown: ShutdownConfig,
    pub(super) app: Option<Arc<App>>,
}

enum Reason {
    Signal,
    Api,
    Forced,
}

impl Stopper {
    /// Runs until the end; `serving` goes on meanwhile.
    pub(super) async fn run(
        mut self,
        serving: impl Future<Output = ()>,
        drains: Drains,
        registration: Option<Registration>,
    ) -> ExitCode {
        let reason = tokio::select! {
            reason = self.reason() => reason,
            () = serving => Reason::Api,
        };
        match reason {
            Reason::Forced => return forced().await,
            Reason::Api => {}
            Reason::Signal => {
                if let Some(code) = self.hold_back().await {
                    return code;
                }
            }
        }
        let grace = self.shutdown.grace;
        if grace.is_none() {
            warn!(target: SCOPE, "graceful shutdown waits without a limit");
        }
        let finished = async {
            if let Some(grace) = grace {
                tokio::time::timeout(grace, drain(drains, registration))
                    .await
                    .is_ok()
            } else {
                drain(drains, registration).await;
                true
            }
        };
        tokio::select! {
            finished = finished => {
                if finished {
                    info!(target: SCOPE, "Dapr runtime stopped");
                    info!(target: SCOPE, "Daprd shutdown gracefully");
                    ExitCode::SUCCESS
                } else {
                    log::fatal(SCOPE, "Graceful shutdown timeout exceeded, forcing shutdown");
                    ExitCode::FAILURE
                }
            }
            code = again(&mut self.signals, &mut self.requests) => code,
        }
    }

    async fn reason(&mut self) -> Reason {
        loop {
            tokio::select! {
                signal = self.signals.next() => if signal == Signal::Hangup {
                    info!(target: SCOPE, "Received signal '{signal}'; configuration is read again at the next start only");
                } else {
                    info!(target: SCOPE, "Received signal '{signal}'; beginning shutdown");
                    return Reason::Signal;
                },
                Some(stop) = self.requests.recv() => {
                    info!(target: "dapr.api", "Shutdown requested via API");
                    return if stop == Stop::Forced { Reason::Forced } else { Reason::Api };
                }
            }
        }
    }

    /// Keeps everything running for the configured time, unless a second
    /// signal or the API ends it.
    async fn hold_back(&mut self) -> Option<ExitCode> {
        let block = self.shutdown.block?;
        let shown = api::duration::GoDuration::from(block);
        info!(target: SCOPE, "Blocking graceful shutdown for {shown} or until app reports unhealthy...");
        tokio::select! {
            () = tokio::time::sleep(block) => {
                info!(target: SCOPE, "Block shutdown period expired, entering shutdown...");
                None
            }
            () = unwell(self.app.clone()) => {
                info!(target: SCOPE, "App reported unhealthy, entering shutdown...");
                None
            }
            signal = self.signals.next() => Some(interrupted(signal)),
            Some(stop) = self.requests.recv() => {
                info!(target: "dapr.api", "Shutdown requested via API");
                if stop == Stop::Forced { Some(forced().await) } else { None }
            }
        }
    }
}

/// Without an app there is nobody to wait for.
async fn unwell(app: Option<Arc<App>>) {
    if let Some(app) = app {
        app.health().becomes(false).await;
    }
}

async fn drain(drains: Drains, registration: Option<Registration>) {
    info!(target: SCOPE, "Dapr is shutting down");
    // First of all: nobody new should find us.
    if let Some(registration) = registration {
        registration.withdraw().await;
    }
    let Drains {
        api,
        internal,
        side,
        leaving: _,
    } = drains;
    tokio::join!(api.finish(), internal.finish());
    side.start();
}

async fn forced() -> ExitCode {
    warn!(target: SCOPE, "Force shutdown requested, exiting immediately without graceful shutdown");
    tokio::time::sleep(FORCED_PAUSE).await;
    ExitCode::FAILURE
}

/// A second request during the drain ends it.
async fn again(signals: &mut Signals, requests: &mut mpsc::Receiver<Stop>) -> ExitCode {
    loop {
        tokio::select! {
            signal = signals.next() => return interrupted(signal),
            Some(stop) = requests.recv() => {
                if stop == Stop::Forced {
                    return forced().await;
                }
            }
        }
    }
}

fn interrupted(signal: Signal) -> ExitCode {
    log::fatal(
        SCOPE,
        &format!("Received signal '{signal}' during shutdown; exiting immediately"),
    );
    ExitCode::FAILURE
}

/// Passes the word on that the pod is being ended: peers are told to go
/// elsewhere, while the own app and whoever still comes are served until the
/// signal that ends the process. On Kubernetes a native sidecar gets that
/// signal only after the app has gone.
pub(super) async fn announce(mut notice: Notice, leaving: Arc<Drain>) {
    notice.given().await;
    info!(target: SCOPE, "the pod is being ended; peers are told to call other replicas");
    leaving.start();
    // The default action of the signal would end the process.
    loop {
        notice.given().await;
    }
}
