//! Waiting until the app listens.

use std::time::Duration;

use tokio::net::TcpStream;
use tracing::info;

use super::App;

const TRY: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);
/// Tries between two reminders in the log.
const REMIND: u32 = 100;

/// Returns once a TCP connection to the app succeeds.
pub(crate) async fn wait_for_app(app: &App) {
    let (port, protocol) = (app.port, app.protocol);
    info!(
        target: "dapr.runtime",
        "application protocol: {protocol}. waiting on port {port}.  This will block until the app is listening on that port."
    );
    let mut tries = 0u32;
    loop {
        let dial = TcpStream::connect((app.host.as_str(), port));
        if let Ok(Ok(_)) = tokio::time::timeout(TRY, dial).await {
            info!(target: "dapr.runtime", "application discovered on port {port}");
            return;
        }
        tries += 1;
        if tries.is_multiple_of(REMIND) {
            info!(target: "dapr.runtime", "waiting for application to listen on port {port}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
