//! `bench quick`: all peers at once, interleaved rounds, the table and the verdict, in less than four minutes.

use std::path::Path;
use std::slice::from_ref;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::binaries::{self, Binaries};
use crate::child::Process;
use crate::idle_streams::{self, StreamMemory};
use crate::load::connection::Protocol;
use crate::machine::Machine;
use crate::peers::sidecars::Authority;
use crate::peers::{Peer, Setup, direct, foreign, nginx, ours};
use crate::proc;
use crate::report::{
    CPU_NOISE, GRPC_PAIRS, Group, LATENCY_NOISE, PeerMemory, PeerStreams, Report, Starts,
};
use crate::scenario::{
    self, GRPC_MULTIPLEXED, GRPC_RATE, GRPC_SATURATION, RATE, SATURATION, SEQUENTIAL, Scenario,
};
use crate::start;

/// How long every peer stays idle before its memory is read.
const IDLE: Duration = Duration::from_secs(5);
/// Load before each measurement, on its connections.
const WARM_UP: Duration = Duration::from_millis(200);
/// Length of a measurement in the round that is thrown away.
const ROUND_ZERO: Duration = Duration::from_millis(500);
/// Starts per sidecar program.
const STARTS: usize = 20;
/// No further round begins after this, so that a run stays below four minutes.
const LAST_ROUND: Duration = Duration::from_secs(205);
/// Rounds that may be added while a gated ratio is noisy.
const EXTRA_ROUNDS: usize = 4;

/// Idle streams per sidecar pair, and the connections they share.
const IDLE_STREAMS: usize = 1000;
const IDLE_STREAM_CONNECTIONS: usize = 10;

const SCENARIOS: [Scenario; 6] = [
    SEQUENTIAL,
    SATURATION,
    GRPC_SATURATION,
    GRPC_MULTIPLEXED,
    RATE,
    GRPC_RATE,
];

/// What the command line asks for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) measured: Duration,
    /// Names of the peers to run; empty means all that are there.
    pub(crate) only: Vec<String>,
}

impl Options {
    fn wants(&self, peer: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == peer)
    }
}

/// Runs everything; `Ok(false)` when a bound is exceeded or, under `CI=true`, a peer is missing.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    let ours = if options.wants(ours::NAME) {
        Some(Binaries::ours().await?)
    } else {
        None
    };
    let foreign = Binaries::foreign(ours.as_ref())?.filter(|_| options.wants(foreign::NAME));
    let folder = tempfile::Builder::new().prefix("bench").tempdir()?;
    let (process, origin) = Process::start_origin(folder.path())?;
    let setup = Setup {
        folder: folder.path(),
        origin,
    };
    let places = Places {
        all: proc::allowed_cpus()?,
        origin: process.id(),
    };
    let begun = Instant::now();
    let mut run = Run::prepare(options, places, setup, ours.as_ref(), foreign.as_ref())?;
    run.idle().await?;
    for (name, binaries) in [(ours::NAME, &ours), (foreign::NAME, &foreign)] {
        if let Some(binaries) = binaries {
            progress(&format!("{name}: {STARTS} starts"));
            let milliseconds = start::measure(name, binaries, setup, STARTS)?;
            run.report.starts.push(Starts {
                peer: name,
                milliseconds,
            });
            progress(&format!("{name}: {IDLE_STREAMS} idle streams"));
            run.report.streams.push(PeerStreams {
                peer: name,
                memory: streams(name, binaries, setup).await?,
            });
        }
    }
    run.rounds(options, begun).await?;
    let mut report = run.finish()?;
    report.seconds = begun.elapsed().as_secs();
    if ours.is_some() {
        report.judge(report.peers.iter().any(|(name, _)| *name == nginx::NAME));
    }
    print!("{}", report.text());
    store(&report)?;
    Ok(!report.fails(strict))
}

/// Measures streams on a pair that carries nothing else.
async fn streams(
    name: &'static str,
    binaries: &Binaries,
    setup: Setup<'_>,
) -> anyhow::Result<StreamMemory> {
    let authority = Authority::start(&format!("{name}-streams"), binaries, setup)?;
    let mut peer = authority.pair(name, String::new())?;
    peer.first_call(Protocol::Grpc).await?;
    idle_streams::measure(&peer, IDLE_STREAMS, IDLE_STREAM_CONNECTIONS).await
}

/// Running peers and the report they fill.
struct Run {
    peers: Vec<Peer>,
    places: Places,
    report: Report,
}

impl Run {
    fn prepare(
        options: &Options,
        places: Places,
        setup: Setup<'_>,
        ours: Option<&Binaries>,
        foreign: Option<&Binaries>,
    ) -> anyhow::Result<Self> {
        let mut peers = Vec::new();
        let mut notes = Vec::new();
        if options.wants(direct::NAME) {
            peers.push(direct::start(setup));
        }
        if options.wants(nginx::NAME) {
            match binaries::nginx() {
                Some(program) => peers.push(nginx::start(&program, setup)?),
                None => notes.push("peer nginx skipped: install Debian nginx".to_owned()),
            }
        }
        if let Some(binaries) = ours {
            peers.push(ours::start(binaries, setup)?);
        }
        if let Some(binaries) = foreign {
            peers.push(foreign::start(binaries, setup)?);
        }
        // What gRPC adds is compared between proxies; without one there is nothing to compare.
        let names = |scenario: Scenario| -> Vec<&'static str> {
            peers
                .iter()
                .map(|peer| peer.name)
                .filter(|name| scenario.protocol == Protocol::Http || *name != direct::NAME)
                .collect()
        };
        let report = Report {
            machine: Machine::read(),
            peers: peers
                .iter()
                .map(|peer| (peer.name, peer.about.clone()))
                .collect(),
            notes,
            groups: SCENARIOS
                .map(|scenario| Group::new(scenario, &names(scenario)))
                .into(),
            memory: Vec::new(),
            streams: Vec::new(),
            starts: Vec::new(),
            bounds: Vec::new(),
            seconds: 0,
        };
        Ok(Self {
            peers,
            places,
            report,
        })
    }

    /// Reads memory before the first call, then makes the first call of each peer.
    async fn idle(&mut self) -> anyhow::Result<()> {
        progress("all peers ready; idle");
        tokio::time::sleep(IDLE).await;
        for peer in self.peers.iter().filter(|peer| peer.name != direct::NAME) {
            self.report.memory.push(PeerMemory {
                peer: peer.name,
                idle: peer.memory(Protocol::Http)?,
                loaded: Vec::new(),
            });
        }
        for peer in &mut self.peers {
            peer.first_call(Protocol::Http).await?;
            peer.first_call(Protocol::Grpc).await?;
        }
        Ok(())
    }

    async fn rounds(&mut self, options: &Options, begun: Instant) -> anyhow::Result<()> {
        self.round(0, ROUND_ZERO).await?;
        for group in &mut self.report.groups {
            for series in &mut group.series {
                series.rounds.clear();
            }
        }
        let most = options.rounds + EXTRA_ROUNDS;
        for round in 1..=most {
            let wanted = round <= options.rounds || self.is_noisy();
            if !wanted || begun.elapsed() > LAST_ROUND {
                break;
            }
            progress(&format!("round {round}"));
            self.round(round, options.measured).await?;
        }
        Ok(())
    }

    /// Every scenario over every peer; odd rounds go backwards so that no peer always follows the same one.
    async fn round(&mut self, round: usize, measured: Duration) -> anyhow::Result<()> {
        for (scenario, group) in SCENARIOS.into_iter().zip(&mut self.report.groups) {
            let mut order: Vec<usize> = (0..self.peers.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                let Some(peer) = self.peers.get(index) else {
                    continue;
                };
                let Some(series) = group.of_mut(peer.name) else {
                    continue;
                };
                self.places.assign(scenario.pinned, peer)?;
                let (target, hops) = (peer.target(scenario.protocol), peer.hops(scenario.protocol));
                let sample = scenario::measure(scenario, target, &hops, WARM_UP, measured)
                    .await
                    .with_context(|| format!("{} under {}", peer.name, scenario.name))?;
                series.rounds.push(sample);
            }
        }
        Ok(())
    }

    /// Whether a gated ratio spreads too wide to be relied on.
    fn is_noisy(&self) -> bool {
        let over_http = GRPC_PAIRS.iter().any(|pair| {
            self.report
                .over_http(*pair, ours::NAME, |sample| sample.cpu_us)
                .is_some_and(|spread| spread.relative_range() > CPU_NOISE)
        });
        over_http
            || self.report.groups.iter().any(|group| {
                let wide = |field, noise| {
                    group
                        .ratio(ours::NAME, nginx::NAME, field)
                        .is_some_and(|spread| spread.relative_range() > noise)
                };
                (group.scenario == SATURATION.name && wide(|sample| sample.cpu_us, CPU_NOISE))
                    || (group.scenario == SEQUENTIAL.name
                        && wide(|sample| sample.p50_us, LATENCY_NOISE))
            })
    }

    fn finish(mut self) -> anyhow::Result<Report> {
        for memory in &mut self.report.memory {
            if let Some(peer) = self.peers.iter().find(|peer| peer.name == memory.peer) {
                memory.loaded = peer.memory(Protocol::Http)?;
            }
        }
        Ok(self.report)
    }
}

/// Where the threads of a run may go.
#[derive(Debug)]
struct Places {
    /// CPUs this program may use, read before anything is pinned.
    all: Vec<usize>,
    origin: u32,
}

impl Places {
    /// Generator and origin on the first CPU, all hops on the second; or everybody everywhere. Without hops the origin
    /// goes to the second CPU, because a call that never leaves its CPU would make every proxy look ten times slower.
    fn assign(&self, pinned: bool, peer: &Peer) -> anyhow::Result<()> {
        let all = self.all.as_slice();
        let (generator, origin, hops) = match all {
            [first, second, ..] if pinned && peer.name == direct::NAME => {
                (from_ref(first), from_ref(second), all)
            }
            [first, second, ..] if pinned => (from_ref(first), from_ref(first), from_ref(second)),
            _ => (all, all, all),
        };
        proc::pin(std::process::id(), generator)?;
        proc::pin(self.origin, origin)?;
        peer.pin(hops)
    }
}

/// `target/bench/quick.{json,md}`.
fn store(report: &Report) -> anyhow::Result<()> {
    let folder = binaries::target_folder()?.join("bench");
    std::fs::create_dir_all(&folder)?;
    write(
        &folder.join("quick.json"),
        &serde_json::to_string_pretty(report)?,
    )?;
    write(&folder.join("quick.md"), &report.markdown())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

fn progress(text: &str) {
    eprintln!("bench: {text}");
}
