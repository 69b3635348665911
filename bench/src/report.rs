//! From samples to what is printed and stored: scenario tables, memory, start-up times and the bounds.
//!
//! Ratios exist only where every call of both sides succeeded. The bounds are those of the project; nothing else makes
//! a run fail.

mod render;

use serde::Serialize;

use crate::idle_streams::StreamMemory;
use crate::load::count_as_f64;
use crate::machine::Machine;
use crate::peers::{direct, nginx, ours};
use crate::proc::Memory;
use crate::scenario::{
    GRPC_MULTIPLEXED, GRPC_RATE, GRPC_SATURATION, RATE, SATURATION, SEQUENTIAL, Sample, Scenario,
};
use crate::stats::{Spread, Verdict, paired_difference, paired_ratio};

/// A CPU ratio that spreads wider than this is called noisy.
pub(crate) const CPU_NOISE: f64 = 0.10;
/// The same for a median latency.
pub(crate) const LATENCY_NOISE: f64 = 0.20;
/// Start-up times are short and always spread.
const START_NOISE: f64 = 0.50;

/// CPU time per request of both hops over that of the nginx pair.
pub(crate) const CPU_LIMIT: f64 = 1.5;
/// p50 at one connection over that of the nginx pair.
pub(crate) const LATENCY_LIMIT: f64 = 1.5;
/// CPU time of a unary gRPC call through the proxy over that of an HTTP call.
pub(crate) const GRPC_LIMIT: f64 = 1.0;
/// KiB that an idle gRPC stream keeps in one sidecar.
const STREAM_LIMIT: f64 = 24.0;
/// Idle resident set of one sidecar with mutual TLS, in bytes.
const RSS_LIMIT: f64 = 12e6;
/// Milliseconds from exec to a 204 of the health path.
const START_LIMIT: f64 = 50.0;

/// The same load over gRPC and over HTTP.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GrpcPair {
    /// What is the same.
    name: &'static str,
    grpc: Scenario,
    http: Scenario,
    /// Name of the bound on it, if it has one.
    bound: Option<&'static str>,
}

/// What gRPC is compared with.
pub(crate) const GRPC_PAIRS: [GrpcPair; 3] = [
    GrpcPair {
        name: "saturation, 16 connections",
        grpc: GRPC_SATURATION,
        http: SATURATION,
        bound: Some("CPU per call, 16 connections, gRPC / HTTP"),
    },
    GrpcPair {
        name: "saturation, gRPC on 1 connection",
        grpc: GRPC_MULTIPLEXED,
        http: SATURATION,
        bound: None,
    },
    GrpcPair {
        name: "1000 per second, 16 connections",
        grpc: GRPC_RATE,
        http: RATE,
        bound: Some("CPU per call, 1000 per second, gRPC / HTTP"),
    },
];

/// All rounds of one peer under one scenario.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Series {
    pub(crate) peer: &'static str,
    pub(crate) rounds: Vec<Sample>,
}

/// All peers under one scenario.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Group {
    pub(crate) scenario: &'static str,
    pub(crate) connections: usize,
    pub(crate) at_once: usize,
    pub(crate) pinned: bool,
    pub(crate) series: Vec<Series>,
}

/// Memory of one peer, caller side first.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PeerMemory {
    pub(crate) peer: &'static str,
    pub(crate) idle: Vec<Memory>,
    pub(crate) loaded: Vec<Memory>,
}

/// Memory of idle gRPC streams of one peer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PeerStreams {
    pub(crate) peer: &'static str,
    pub(crate) memory: StreamMemory,
}

/// Milliseconds from exec to ready.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Starts {
    pub(crate) peer: &'static str,
    pub(crate) milliseconds: Vec<f64>,
}

/// One bound and what was measured against it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bound {
    name: &'static str,
    measured: Option<Spread>,
    limit: f64,
    unit: &'static str,
    verdict: Verdict,
}

/// Everything a run found out.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Name and description of each peer.
    pub(crate) peers: Vec<(&'static str, String)>,
    /// What was not measured, and why.
    pub(crate) notes: Vec<String>,
    pub(crate) groups: Vec<Group>,
    pub(crate) memory: Vec<PeerMemory>,
    pub(crate) streams: Vec<PeerStreams>,
    pub(crate) starts: Vec<Starts>,
    pub(crate) bounds: Vec<Bound>,
    pub(crate) seconds: u64,
}

impl Series {
    fn values(&self, field: fn(&Sample) -> f64) -> Vec<f64> {
        self.rounds.iter().map(field).collect()
    }

    pub(crate) fn errors(&self) -> u64 {
        self.rounds.iter().map(|sample| sample.errors).sum()
    }

    fn first_error(&self) -> Option<&str> {
        self.rounds
            .iter()
            .find_map(|sample| sample.first_error.as_deref())
    }
}

impl Group {
    pub(crate) fn new(scenario: Scenario, peers: &[&'static str]) -> Self {
        let series = |peer: &&'static str| Series {
            peer,
            rounds: Vec::new(),
        };
        Self {
            scenario: scenario.name,
            connections: scenario.connections,
            at_once: scenario.at_once,
            pinned: scenario.pinned,
            series: peers.iter().map(series).collect(),
        }
    }

    fn of(&self, peer: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.peer == peer)
    }

    pub(crate) fn of_mut(&mut self, peer: &str) -> Option<&mut Series> {
        self.series.iter_mut().find(|series| series.peer == peer)
    }

    /// Ratio of `peer` to `base` inside each round, when all their calls succeeded.
    pub(crate) fn ratio(
        &self,
        peer: &str,
        base: &str,
        field: fn(&Sample) -> f64,
    ) -> Option<Spread> {
        let (peer, base) = self.clean_pair(peer, base)?;
        paired_ratio(&peer.values(field), &base.values(field))
    }

    fn added_us(&self, peer: &str) -> Option<Spread> {
        let (peer, base) = self.clean_pair(peer, direct::NAME)?;
        paired_difference(
            &peer.values(|sample| sample.p50_us),
            &base.values(|sample| sample.p50_us),
        )
    }

    fn clean_pair(&self, peer: &str, base: &str) -> Option<(&Series, &Series)> {
        let (peer, base) = (self.of(peer)?, self.of(base)?);
        (peer.errors() == 0 && base.errors() == 0).then_some((peer, base))
    }
}

impl Report {
    fn group(&self, scenario: Scenario) -> Option<&Group> {
        self.groups
            .iter()
            .find(|group| group.scenario == scenario.name)
    }

    /// Ratio of gRPC to HTTP of one peer inside each round, when all calls of both succeeded.
    pub(crate) fn over_http(
        &self,
        pair: GrpcPair,
        peer: &str,
        field: fn(&Sample) -> f64,
    ) -> Option<Spread> {
        let grpc = self.group(pair.grpc)?.of(peer)?;
        let http = self.group(pair.http)?.of(peer)?;
        if grpc.errors() + http.errors() > 0 {
            return None;
        }
        paired_ratio(&grpc.values(field), &http.values(field))
    }

    /// Judges the project's bounds; `nginx` tells whether the yardstick was there.
    pub(crate) fn judge(&mut self, has_nginx: bool) {
        let cpu = self
            .group(SATURATION)
            .and_then(|group| group.ratio(ours::NAME, nginx::NAME, |sample| sample.cpu_us));
        let p50 = self
            .group(SEQUENTIAL)
            .and_then(|group| group.ratio(ours::NAME, nginx::NAME, |sample| sample.p50_us));
        let relative = |measured: Option<Spread>, limit, noise| {
            if has_nginx {
                Verdict::of(measured.as_ref(), limit, noise)
            } else {
                Verdict::Skipped
            }
        };
        let mut bounds = vec![
            Bound {
                name: "CPU per request, 16 connections, ours / nginx",
                measured: cpu,
                limit: CPU_LIMIT,
                unit: "x",
                verdict: relative(cpu, CPU_LIMIT, CPU_NOISE),
            },
            Bound {
                name: "p50, 1 connection, ours / nginx",
                measured: p50,
                limit: LATENCY_LIMIT,
                unit: "x",
                verdict: relative(p50, LATENCY_LIMIT, LATENCY_NOISE),
            },
        ];
        bounds.extend(GRPC_PAIRS.iter().filter_map(|pair| {
            let measured = self.over_http(*pair, ours::NAME, |sample| sample.cpu_us);
            Some(Bound {
                name: pair.bound?,
                measured,
                limit: GRPC_LIMIT,
                unit: "x",
                verdict: Verdict::of(measured.as_ref(), GRPC_LIMIT, CPU_NOISE),
            })
        }));
        let streams = self
            .streams
            .iter()
            .find(|streams| streams.peer == ours::NAME)
            .map(|streams| streams.memory.kib_per_stream())
            .unwrap_or_default();
        for (index, name) in ["idle gRPC stream, caller", "idle gRPC stream, callee"]
            .into_iter()
            .enumerate()
        {
            let measured = streams.get(index).and_then(|kib| Spread::of(&[*kib]));
            bounds.push(Bound {
                name,
                measured,
                limit: STREAM_LIMIT,
                unit: "KiB",
                verdict: Verdict::of(measured.as_ref(), STREAM_LIMIT, 0.0),
            });
        }
        let memory = self.memory.iter().find(|memory| memory.peer == ours::NAME);
        for (index, name) in ["idle RSS, caller", "idle RSS, callee"]
            .into_iter()
            .enumerate()
        {
            let rss = memory
                .and_then(|memory| memory.idle.get(index))
                .and_then(|memory| Spread::of(&[count_as_f64(memory.rss) / 1e6]));
            bounds.push(Bound {
                name,
                measured: rss,
                limit: RSS_LIMIT / 1e6,
                unit: "MB",
                verdict: Verdict::of(rss.as_ref(), RSS_LIMIT / 1e6, 0.0),
            });
        }
        let starts = self
            .starts
            .iter()
            .find(|starts| starts.peer == ours::NAME)
            .and_then(|starts| Spread::of(&starts.milliseconds));
        bounds.push(Bound {
            name: "exec to ready",
            measured: starts,
            limit: START_LIMIT,
            unit: "ms",
            verdict: Verdict::of(starts.as_ref(), START_LIMIT, START_NOISE),
        });
        self.bounds = bounds;
    }

    /// Whether the run has to end with a failure; `strict` also for what could not be measured.
    pub(crate) fn fails(&self, strict: bool) -> bool {
        self.bounds.iter().any(|bound| bound.verdict.fails(strict))
    }
}

#[cfg(test)]
mod tests;
