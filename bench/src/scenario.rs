//! The ways a peer is loaded, and one measurement of one of them.

use std::time::Duration;

use serde::Serialize;

use crate::load::closed::Pool;
use crate::load::connection::{Protocol, Target};
use crate::load::{Outcome, count_as_f64, open};
use crate::proc::{Usage, Used};

/// How requests are issued.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Load {
    /// The next request follows the answer.
    Closed,
    /// So many per second, come what may.
    Rate(f64),
}

/// One row group of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    /// Connections to the caller side; one call at a time on each of HTTP.
    pub(crate) connections: usize,
    /// Calls at a time over all connections.
    pub(crate) at_once: usize,
    pub(crate) load: Load,
    /// Generator and origin on one CPU, both hops on another: wake-ups cross CPUs at the same places for every pair.
    pub(crate) pinned: bool,
}

/// Latency without any queue.
pub(crate) const SEQUENTIAL: Scenario = Scenario {
    name: "sequential",
    protocol: Protocol::Http,
    connections: 1,
    at_once: 1,
    load: Load::Closed,
    pinned: true,
};

/// Cost per request with all CPUs busy.
pub(crate) const SATURATION: Scenario = Scenario {
    name: "saturation",
    protocol: Protocol::Http,
    connections: 16,
    at_once: 16,
    load: Load::Closed,
    pinned: false,
};

/// The load of Dapr's own release tests.
pub(crate) const RATE: Scenario = Scenario {
    name: "rate-1000",
    protocol: Protocol::Http,
    connections: 16,
    at_once: 16,
    load: Load::Rate(1000.0),
    pinned: true,
};

/// `SATURATION` with unary gRPC calls of the same size through the transparent proxy.
pub(crate) const GRPC_SATURATION: Scenario = Scenario {
    name: "grpc-saturation",
    protocol: Protocol::Grpc,
    ..SATURATION
};

/// The same from one client: all calls share its connection.
pub(crate) const GRPC_MULTIPLEXED: Scenario = Scenario {
    name: "grpc-multiplexed",
    connections: 1,
    ..GRPC_SATURATION
};

/// `RATE` with unary gRPC calls.
pub(crate) const GRPC_RATE: Scenario = Scenario {
    name: "grpc-rate-1000",
    protocol: Protocol::Grpc,
    ..RATE
};

/// One peer under one scenario in one round.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Sample {
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    pub(crate) reopened: u64,
    pub(crate) rate: f64,
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    /// CPU time of both hops per answered call.
    pub(crate) cpu_us: f64,
    /// The part of the caller side.
    pub(crate) caller_us: f64,
    /// The part of the callee side.
    pub(crate) callee_us: f64,
    /// Voluntary context switches of both hops per answered call.
    pub(crate) switches: f64,
}

/// Warms up, then measures; `hops` are the processes whose CPU time counts.
pub(crate) async fn measure(
    scenario: Scenario,
    target: &Target,
    hops: &[u32],
    warm_up: Duration,
    duration: Duration,
) -> anyhow::Result<Sample> {
    let mut pool = Pool::new(target.clone(), scenario.at_once, scenario.connections);
    // Warming up is closed loop for every scenario: it opens all connections of both hops.
    let warm = pool.run(warm_up).await;
    let before = usage(hops)?;
    let outcome = match scenario.load {
        Load::Closed => pool.run(duration).await,
        Load::Rate(rate) => open::run(&mut pool, rate, duration).await,
    };
    let used: Vec<Used> = usage(hops)?
        .iter()
        .zip(&before)
        .map(|(now, before)| now.since(before))
        .collect();
    let per_call = |total: u64| count_as_f64(total) / count_as_f64(outcome.calls.max(1));
    let of_hop = |hop: usize| per_call(used.get(hop).map_or(0, |used| used.cpu_ns)) / 1000.0;
    Ok(Sample {
        calls: outcome.calls,
        errors: outcome.errors + warm.errors,
        first_error: first(&warm, &outcome),
        reopened: outcome.reopened,
        rate: outcome.rate(),
        mean_us: outcome.mean_us(),
        p50_us: outcome.quantile_us(0.5),
        p90_us: outcome.quantile_us(0.9),
        p99_us: outcome.quantile_us(0.99),
        cpu_us: per_call(used.iter().map(|used| used.cpu_ns).sum()) / 1000.0,
        caller_us: of_hop(0),
        callee_us: of_hop(1),
        switches: per_call(used.iter().map(|used| used.switches).sum()),
    })
}

/// Counters of each hop.
fn usage(hops: &[u32]) -> anyhow::Result<Vec<Usage>> {
    hops.iter().map(|hop| Usage::of(&[*hop])).collect()
}

fn first(warm: &Outcome, measured: &Outcome) -> Option<String> {
    warm.first_error
        .clone()
        .or_else(|| measured.first_error.clone())
}
