//! Closed loop: every connection sends its next request when the previous answer is complete.
//!
//! With one connection this is sequential latency, with several it saturates the machine. All requests are finished
//! when a run returns, so that CPU counters read before and after belong to exactly the counted calls.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::connection::{Connection, Target};
use super::{Outcome, PATIENCE, new_histogram};

/// Keep-alive connections that live from one run to the next.
#[derive(Debug)]
pub(crate) struct Pool {
    target: Target,
    size: usize,
    connections: Vec<Connection>,
}

impl Pool {
    pub(crate) fn new(target: Target, size: usize) -> Self {
        Self {
            target,
            size,
            connections: Vec::with_capacity(size),
        }
    }

    /// Runs for `duration`; a connection whose call fails stops and is opened again in the next run.
    pub(crate) async fn run(&mut self, duration: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        let mut workers = JoinSet::new();
        let connections = self.take(&mut outcome).await;
        let start = Instant::now();
        for connection in connections {
            workers.spawn(work(connection, start + duration));
        }
        let finish = async {
            while let Some(joined) = workers.join_next().await {
                match joined {
                    Ok((connection, part)) => {
                        outcome.add(&part);
                        self.connections.extend(connection);
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

    /// The open connections, filled up to the wanted number.
    pub(super) async fn take(&mut self, outcome: &mut Outcome) -> Vec<Connection> {
        while self.connections.len() < self.size {
            match Connection::open(&self.target).await {
                Ok(connection) => self.connections.push(connection),
                Err(error) => {
                    outcome.fail(&error);
                    break;
                }
            }
        }
        std::mem::take(&mut self.connections)
    }

    pub(super) fn put_back(&mut self, connection: Connection) {
        self.connections.push(connection);
    }
}

async fn work(mut connection: Connection, until: Instant) -> (Option<Connection>, Outcome) {
    let mut outcome = Outcome {
        latency: new_histogram(),
        ..Outcome::default()
    };
    let reopened = connection.reopened;
    let mut sent = Instant::now();
    while sent < until {
        if let Err(error) = connection.call().await {
            outcome.fail(&error);
            return (None, outcome);
        }
        let answered = Instant::now();
        outcome.count(answered - sent);
        sent = answered;
    }
    outcome.reopened = connection.reopened - reopened;
    (Some(connection), outcome)
}
