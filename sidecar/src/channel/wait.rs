//! Waiting until the app listens.

use std::time::Duration;

use tracing::{info, warn};

use super::{
    App,
    dial::{DialError, Version},
};

const SCOPE: &str = "dapr.runtime";
const TRY: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);
/// Tries between two reminders in the log.
const REMIND: u32 = 100;

/// Returns once a connection to the app succeeds, with the TLS handshake where
/// the app speaks TLS.
pub(crate) async fn wait_for_app(app: &App) {
    let (port, protocol) = (app.port, app.protocol);
    info!(
        target: SCOPE,
        "application protocol: {protocol}. waiting on port {port}.  This will block until the app is listening on that port."
    );
    let mut tries = 0u32;
    let mut told = false;
    loop {
        let failed = match tokio::time::timeout(TRY, try_app(app)).await {
            Ok(Ok(())) => {
                info!(target: SCOPE, "application discovered on port {port}");
                return;
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        tries += 1;
        let is_reminder = tries.is_multiple_of(REMIND);
        if is_reminder {
            info!(target: SCOPE, "waiting for application to listen on port {port}");
        }
        match failed {
            // It has not come yet.
            Some(error) if error.is_refusal() => {}
            // Waiting will not help.
            Some(error) if is_reminder || !told => {
                told = true;
                warn!(target: SCOPE, "the app on port {port} cannot be reached: {error}");
            }
            None if is_reminder => {
                warn!(target: SCOPE, "the app on port {port} cannot be reached: no {protocol} connection within {TRY:?}");
            }
            _ => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn try_app(app: &App) -> Result<(), DialError> {
    let version = if app.protocol.is_grpc() {
        Version::Http2
    } else {
        app.version()
    };
    match app.dial(version).await {
        Ok(socket) => {
            socket.close().await;
            Ok(())
        }
        Err(DialError::Version(version)) if !app.protocol.is_grpc() => {
            // It is there; the first call speaks the other version.
            app.does_not_speak(version);
            Ok(())
        }
        Err(error) => Err(error),
    }
}
