//! Asking the API server whether it calls us, by creating a Lease with
//! dry-run. With several injectors any of them may answer; asking again
//! reaches another.

use std::time::{Duration, Instant};

use kube::Client;
use tokio::time::sleep;

use crate::cluster::{self, Body, CallError};
use crate::self_test;

/// How long to go on asking.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pauses between questions.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// Who answered.
pub(super) enum Asked {
    /// This process.
    Us,
    /// Only other injectors.
    Others,
    /// The Lease came back as it was.
    Nobody,
    /// We may not ask.
    Refused(String),
    /// There is nobody to ask.
    Unreachable(CallError),
}

/// Asks until this process answers.
pub(super) async fn ask(client: &Client, namespace: &str, instance: &str) -> Asked {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases?dryRun=All");
    let lease = self_test::lease(namespace, instance);
    let start = Instant::now();
    let mut pause = PAUSE.0;
    let mut asked = Asked::Nobody;
    while start.elapsed() < PATIENCE {
        match cluster::write(client, &path, Body::Object(&lease)).await {
            Ok(answer) => match self_test::answered_by(&answer) {
                Some(id) if id == instance => return Asked::Us,
                Some(_) => asked = Asked::Others,
                None => {}
            },
            Err(CallError::Refused {
                code: code @ (401 | 403 | 404 | 405),
                message,
            }) => {
                return Asked::Refused(format!("{code} {message}"));
            }
            // Busy, or its webhooks failed: asking again may help.
            Err(CallError::Refused { .. }) => {}
            Err(error @ CallError::Unreachable(_)) => return Asked::Unreachable(error),
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
    asked
}
