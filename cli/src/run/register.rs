//! Tells a sidecar who started it, for `dapr list` and `dapr stop`.

use std::io;
use std::time::{Duration, Instant};

use super::app::Plan;
use super::events::{Event, Events, Waited};
use crate::http::{Endpoint, Request, Response, send};

/// For all values together; upstream tries as long for each.
const PATIENCE: Duration = Duration::from_secs(15);
/// For one try.
const TRY: Duration = Duration::from_secs(5);

/// Why a sidecar did not take a value.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegisterError {
    #[error("{0}")]
    Send(io::Error),
    #[error("unexpected status {status} {reason}")]
    Refused { status: u16, reason: String },
    /// The sidecar ended, or the run shall end.
    #[error("interrupted")]
    Interrupted,
}

/// The metadata of one sidecar.
pub(super) struct Registrar {
    endpoint: Endpoint,
    token: String,
    /// Which sidecar of the run it is.
    at: usize,
    deadline: Instant,
}

impl Registrar {
    pub(super) fn new(plan: &Plan, at: usize) -> Self {
        Self {
            endpoint: plan.http(),
            token: std::env::var("DAPR_API_TOKEN").unwrap_or_default(),
            at,
            deadline: Instant::now() + PATIENCE,
        }
    }

    /// Stores one value. A sidecar that is not up yet, or fails, is asked
    /// again.
    ///
    /// # Errors
    /// It refused, or did not answer well in time.
    pub(super) fn put(
        &self,
        events: &mut Events,
        key: &str,
        value: &str,
    ) -> Result<(), RegisterError> {
        let patience = self.deadline.saturating_duration_since(Instant::now());
        let mut last = None;
        let at = self.at;
        let pointless = |event: &Event| event.ends_start_of(at);
        let waited = events.wait(patience, pointless, || {
            match self.try_put(key, value) {
                Ok(answer) if answer.status < 500 => return Some(answer),
                failed => last = Some(failed),
            }
            None
        });
        let answer = match (waited, last) {
            (Waited::Ready(answer), _) | (Waited::TimedOut, Some(Ok(answer))) => answer,
            (Waited::TimedOut, Some(Err(error))) => return Err(RegisterError::Send(error)),
            _ => return Err(RegisterError::Interrupted),
        };
        if answer.succeeded() {
            return Ok(());
        }
        Err(RegisterError::Refused {
            status: answer.status,
            reason: answer.reason,
        })
    }

    fn try_put(&self, key: &str, value: &str) -> io::Result<Response> {
        let with_token = [("dapr-api-token", self.token.as_str())];
        let request = Request {
            method: "PUT",
            path: &format!("/v1.0/metadata/{key}"),
            headers: if self.token.is_empty() {
                &[]
            } else {
                &with_token
            },
            body: value.as_bytes(),
        };
        send(&self.endpoint, request, Some(TRY))
    }
}
