//! Closed loop: every caller sends its next request when the previous answer is complete.
//!
//! With one caller this is sequential latency, with several it saturates the machine. All requests are finished
//! when a run returns, so that CPU counters read before and after belong to exactly the counted calls.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::caller::{Caller, Lines};
use super::connection::Target;
use super::{Outcome, PATIENCE, new_histogram};

/// Callers, and the connections under them, that live from one run to the next.
#[derive(Debug)]
pub(crate) struct Pool {
    lines: Lines,
    size: usize,
    callers: Vec<Caller>,
}

impl Pool {
    /// `size` callers; gRPC callers share `connections`, an HTTP caller has its own.
    pub(crate) fn new(target: Target, size: usize, connections: usize) -> Self {
        Self {
            lines: Lines::new(target, connections),
            size,
            callers: Vec::with_capacity(size),
        }
    }

    /// Runs for `duration`; a caller whose call fails stops and is replaced in the next run.
    pub(crate) async fn run(&mut self, duration: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        let mut workers = JoinSet::new();
        let callers = self.take(&mut outcome).await;
        let start = Instant::now();
        for caller in callers {
            workers.spawn(work(caller, start + duration));
        }
        let finish = async {
            while let Some(joined) = workers.join_next().await {
                match joined {
                    Ok((caller, part)) => {
                        outcome.add(&part);
                        self.callers.extend(caller);
                    }
                    Err(error) => outcome.fail(&error),
                }
            }
        };
        if tokio::time::timeout(duration + PATIENCE, finish)
            .await
            .is_err()
        {
            outcome.fail(&"a call was never answered");
        }
        outcome.elapsed = start.elapsed();
        outcome
    }

    /// The callers, filled up to the wanted number.
    pub(super) async fn take(&mut self, outcome: &mut Outcome) -> Vec<Caller> {
        while self.callers.len() < self.size {
            match self.lines.caller().await {
                Ok(caller) => self.callers.push(caller),
                Err(error) => {
                    outcome.fail(&error);
                    break;
                }
            }
        }
        std::mem::take(&mut self.callers)
    }

    pub(super) fn put_back(&mut self, caller: Caller) {
        self.callers.push(caller);
    }
}

async fn work(mut caller: Caller, until: Instant) -> (Option<Caller>, Outcome) {
    let mut outcome = Outcome {
        latency: new_histogram(),
        ..Outcome::default()
    };
    let reopened = caller.reopened();
    let mut sent = Instant::now();
    while sent < until {
        if let Err(error) = caller.call().await {
            outcome.fail(&error);
            return (None, outcome);
        }
        let answered = Instant::now();
        outcome.count(answered - sent);
        sent = answered;
    }
    outcome.reopened = caller.reopened() - reopened;
    (Some(caller), outcome)
}
