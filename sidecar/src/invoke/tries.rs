//! Attempts under the user's retry policy: when the next one is due, and what
//! the log says of it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use api::duration::GoDuration;
use policy::resiliency::{Backoff, Retry};
use tracing::{debug, info, warn};

use super::attempts::moment;

const SCOPE: &str = "dapr.runtime";

/// What a call is named in the log.
pub(super) struct Operation<'a> {
    pub(super) target: &'a str,
    pub(super) method: String,
}

impl fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, method } = self;
        write!(f, "endpoint[{target}, {target}:{method}]")
    }
}

/// The attempts of one call.
pub(super) struct Tries<'a> {
    operation: &'a Operation<'a>,
    backoff: Option<Backoff>,
    began: Instant,
    made: u32,
}

impl<'a> Tries<'a> {
    /// The first attempt begins now. Without a policy it is the only one.
    pub(super) fn new(retry: Option<&Retry>, operation: &'a Operation<'a>) -> Self {
        Self {
            operation,
            backoff: retry.map(Retry::backoff),
            began: Instant::now(),
            made: 1,
        }
    }

    /// The pause before the next attempt, after one that failed like this;
    /// `None` when there is no next one.
    pub(super) fn next(&mut self, error: impl fmt::Display) -> Option<Duration> {
        let moment = moment(self.began);
        let pause = self.backoff.as_mut()?.next(moment.elapsed, moment.random)?;
        let operation = self.operation;
        if self.made == 1 {
            let shown = GoDuration::from(pause);
            warn!(target: SCOPE, "Error processing operation {operation}. Retrying in {shown}…");
        }
        debug!(target: SCOPE, "Error for operation {operation} was: {error}");
        self.made += 1;
        Some(pause)
    }

    /// An attempt succeeded.
    pub(super) fn succeeded(&self) {
        let (operation, made) = (self.operation, self.made);
        if made > 1 {
            info!(target: SCOPE, "Recovered processing operation {operation} after {made} attempts");
        }
    }
}
