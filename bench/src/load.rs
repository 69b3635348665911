//! The generator: callers over HTTP/1.1 and gRPC, closed and open loop, and what a run found out.
//!
//! It is one thread of this process and the same for every peer; its CPU time is never part of a peer's.

pub(crate) mod caller;
pub(crate) mod closed;
pub(crate) mod codec;
pub(crate) mod connection;
pub(crate) mod grpc;
pub(crate) mod open;
pub(crate) mod streams;

use std::fmt::Display;
use std::time::Duration;

use hdrhistogram::Histogram;

/// How long after its planned end a run may wait for the last answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one run over some connections did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Calls that were answered with the right status and the right bytes.
    pub(crate) calls: u64,
    /// Everything else.
    pub(crate) errors: u64,
    /// Text of the first failure.
    pub(crate) first_error: Option<String>,
    /// Connections that the other side closed after an answer.
    pub(crate) reopened: u64,
    /// Nanoseconds per call.
    pub(crate) latency: Histogram<u64>,
    pub(crate) elapsed: Duration,
}

impl Default for Outcome {
    fn default() -> Self {
        Self {
            calls: 0,
            errors: 0,
            first_error: None,
            reopened: 0,
            latency: new_histogram(),
            elapsed: Duration::ZERO,
        }
    }
}

impl Outcome {
    fn count(&mut self, latency: Duration) {
        self.calls += 1;
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latency.saturating_record(nanoseconds.max(1));
    }

    fn fail(&mut self, error: &impl Display) {
        self.errors += 1;
        if self.first_error.is_none() {
            self.first_error = Some(error.to_string());
        }
    }

    fn add(&mut self, part: &Self) {
        self.calls += part.calls;
        self.errors += part.errors;
        self.reopened += part.reopened;
        if self.first_error.is_none() {
            self.first_error.clone_from(&part.first_error);
        }
        self.latency
            .add(&part.latency)
            .expect("both histograms have the same range");
    }

    /// A latency quantile in microseconds.
    pub(crate) fn quantile_us(&self, quantile: f64) -> f64 {
        nanoseconds_as_us(self.latency.value_at_quantile(quantile))
    }

    /// Mean latency in microseconds.
    pub(crate) fn mean_us(&self) -> f64 {
        self.latency.mean() / 1000.0
    }

    /// Answered calls per second.
    pub(crate) fn rate(&self) -> f64 {
        count_as_f64(self.calls) / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// 1 ns to 60 s with three significant digits.
fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are constants")
}

/// A count as a float; counts of a run are far below 2^53.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^53"
)]
pub(crate) fn count_as_f64(count: u64) -> f64 {
    count as f64
}

fn nanoseconds_as_us(nanoseconds: u64) -> f64 {
    count_as_f64(nanoseconds) / 1000.0
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::closed::Pool;
    use super::connection::{Protocol, Target};
    use super::streams::Streams;
    use super::*;
    use crate::apps;

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(test)
    }

    const BOTH: [Protocol; 2] = [Protocol::Http, Protocol::Grpc];

    async fn origin(protocol: Protocol) -> (SocketAddr, tokio::task::JoinSet<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        match protocol {
            Protocol::Http => tasks.spawn(apps::echo::serve(listener)),
            Protocol::Grpc => tasks.spawn(apps::grpc::serve(listener)),
        };
        (address, tasks)
    }

    fn target(protocol: Protocol, address: SocketAddr, path: &str) -> Target {
        Target {
            protocol,
            address,
            path: path.to_owned(),
            body: 1024,
        }
    }

    #[test]
    fn closed_and_open_loop_count_every_echoed_call() {
        run(async {
            for protocol in BOTH {
                let (address, _tasks) = origin(protocol).await;
                let mut pool = Pool::new(target(protocol, address, "/echo"), 4, 2);
                let closed = pool.run(Duration::from_millis(50)).await;
                assert_eq!((closed.errors, &closed.first_error), (0, &None));
                assert!(closed.calls > 4);
                assert_eq!(closed.calls, closed.latency.len());
                let open = open::run(&mut pool, 1000.0, Duration::from_millis(300)).await;
                assert_eq!((open.errors, &open.first_error), (0, &None));
                assert!((150..450).contains(&open.calls), "{}", open.calls);
            }
        });
    }

    #[test]
    fn a_wrong_status_is_an_error_and_not_a_call() {
        run(async {
            for (protocol, path, error) in [
                (Protocol::Http, "/dapr/config", "status 404"),
                (Protocol::Grpc, "/dapr.proto.x/Y", "grpc-status 12"),
            ] {
                let (address, _tasks) = origin(protocol).await;
                let mut pool = Pool::new(target(protocol, address, path), 2, 2);
                let outcome = pool.run(Duration::from_secs(5)).await;
                assert_eq!((outcome.calls, outcome.errors), (0, 2));
                assert!(outcome.first_error.unwrap().contains(error));
            }
        });
    }

    #[test]
    fn streams_stay_open_until_they_are_ended() {
        run(async {
            let (address, _tasks) = origin(Protocol::Grpc).await;
            let target = target(Protocol::Grpc, address, "/echo");
            let mut streams = Streams::open(&target, 20, 3).await.unwrap();
            streams.end().await.unwrap();
        });
    }

    #[test]
    fn a_refused_connection_is_an_error() {
        run(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            drop(listener);
            for protocol in BOTH {
                let mut pool = Pool::new(target(protocol, address, "/echo"), 2, 2);
                let outcome = pool.run(Duration::from_millis(10)).await;
                assert_eq!((outcome.calls, outcome.errors), (0, 1));
            }
        });
    }
}
