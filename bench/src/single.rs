//! One peer on its own: `bench http` and `bench grpc` load it, `bench rss` and `bench streams` watch its memory,
//! `bench start` times its starts.

use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::binaries::{self, Binaries};
use crate::child::Process;
use crate::load::caller::Lines;
use crate::load::connection::{Protocol, Target};
use crate::peers::{Peer, Setup, direct, foreign, nginx, ours};
use crate::proc::Memory;
use crate::scenario::{self, Load, Scenario};
use crate::stats::Spread;
use crate::{idle_streams, probe, start};

/// What to load.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// A peer that is started for this.
    Peer(String),
    /// Something that runs already and sends back what is posted: host, port and path.
    Address(Target),
}

/// `bench http`: every connection carries one call at a time.
pub(crate) async fn http(
    subject: &Subject,
    connections: usize,
    load: Load,
    duration: Duration,
) -> anyhow::Result<bool> {
    let scenario = Scenario {
        name: "http",
        protocol: Protocol::Http,
        connections,
        at_once: connections,
        load,
        pinned: false,
    };
    measure(subject, scenario, duration).await
}

/// `bench grpc`: `at_once` calls over `connections`.
pub(crate) async fn grpc(
    peer: String,
    connections: usize,
    at_once: usize,
    load: Load,
    duration: Duration,
) -> anyhow::Result<bool> {
    let scenario = Scenario {
        name: "grpc",
        protocol: Protocol::Grpc,
        connections,
        at_once,
        load,
        pinned: false,
    };
    measure(&Subject::Peer(peer), scenario, duration).await
}

async fn measure(
    subject: &Subject,
    scenario: Scenario,
    duration: Duration,
) -> anyhow::Result<bool> {
    let run = Run::start(subject, scenario.protocol).await?;
    let hops = run.hops(scenario.protocol);
    eprintln!("bench: measured processes {hops:?}");
    let warm_up = Duration::from_secs(1);
    let sample = scenario::measure(scenario, &run.target, &hops, warm_up, duration).await?;
    println!("{}", serde_json::to_string_pretty(&sample)?);
    Ok(sample.errors == 0)
}

/// `bench rss`: after `idle`, then with `connections` idle keep-alive connections to the caller side.
pub(crate) async fn rss(peer: &str, idle: Duration, connections: usize) -> anyhow::Result<bool> {
    let run = Run::start(&Subject::Peer(peer.to_owned()), Protocol::Http).await?;
    tokio::time::sleep(idle).await;
    let before = run.memory()?;
    print_memory("idle", &before);
    if connections > 0 {
        let mut held = Vec::with_capacity(connections);
        for _ in 0..connections {
            let mut caller = Lines::new(run.target.clone(), 1).caller().await?;
            caller.call().await?;
            held.push(caller);
        }
        let after = run.memory()?;
        print_memory(&format!("{connections} connections"), &after);
        for (side, (before, after)) in ["caller", "callee"].iter().zip(before.iter().zip(&after)) {
            let grown = after.rss.saturating_sub(before.rss) / 1024;
            let per_connection = grown / u64::try_from(connections)?;
            println!("{side}: {per_connection} KiB per connection");
        }
    }
    Ok(true)
}

/// `bench streams`: what idle gRPC streams keep in memory, twice on the same pair.
pub(crate) async fn streams(
    peer: &str,
    streams: usize,
    connections: usize,
) -> anyhow::Result<bool> {
    let run = Run::start(&Subject::Peer(peer.to_owned()), Protocol::Grpc).await?;
    let Some(peer) = &run.peer else {
        bail!("there is no process to watch");
    };
    for _ in 0..2 {
        let memory = idle_streams::measure(peer, streams, connections).await?;
        print_memory("before", &memory.before);
        print_memory(&format!("{streams} streams"), &memory.open);
        print_memory("after", &memory.ended);
        for (side, kib) in ["caller", "callee"].iter().zip(memory.kib_per_stream()) {
            println!("{side}: {kib:.1} KiB per stream");
        }
    }
    Ok(true)
}

/// `bench start`.
pub(crate) async fn starts(peer: &str, count: usize) -> anyhow::Result<bool> {
    let binaries = sidecars(peer).await?;
    let folder = tempfile::Builder::new().prefix("bench").tempdir()?;
    let (_origin, origin) = Process::start_origin(folder.path())?;
    let setup = Setup {
        folder: folder.path(),
        origin,
    };
    let milliseconds = start::measure(peer, &binaries, setup, count)?;
    let spread = Spread::of(&milliseconds).context("nothing was measured")?;
    println!(
        "exec to ready of {peer}, {count} starts: median {:.1} ms, min {:.1} ms, max {:.1} ms",
        spread.median, spread.min, spread.max
    );
    Ok(true)
}

fn print_memory(when: &str, memory: &[Memory]) {
    for (side, memory) in ["caller", "callee"].iter().zip(memory) {
        println!(
            "{when}, {side}: Rss {} KiB, Anonymous {} KiB",
            memory.rss / 1024,
            memory.anonymous / 1024
        );
    }
}

/// A started peer with its origin, or somebody's address. Fields drop in order: the peer before its origin.
struct Run {
    peer: Option<Peer>,
    target: Target,
    _origin: Option<Process>,
    _folder: tempfile::TempDir,
}

impl Run {
    async fn start(subject: &Subject, protocol: Protocol) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("bench").tempdir()?;
        let name = match subject {
            Subject::Address(target) => {
                return Ok(Self {
                    peer: None,
                    target: target.clone(),
                    _origin: None,
                    _folder: folder,
                });
            }
            Subject::Peer(name) => name,
        };
        let (process, origin) = Process::start_origin(folder.path())?;
        let setup = Setup {
            folder: folder.path(),
            origin,
        };
        let mut peer = match name.as_str() {
            direct::NAME => direct::start(setup),
            nginx::NAME => {
                let program = binaries::nginx().context("install Debian nginx")?;
                nginx::start(&program, setup)?
            }
            ours::NAME => ours::start(&sidecars(name).await?, setup)?,
            _ => foreign::start(&sidecars(name).await?, setup)?,
        };
        peer.first_call(protocol).await?;
        Ok(Self {
            target: peer.target(protocol).clone(),
            peer: Some(peer),
            _origin: Some(process),
            _folder: folder,
        })
    }

    fn hops(&self, protocol: Protocol) -> Vec<u32> {
        self.peer
            .as_ref()
            .map(|peer| peer.hops(protocol))
            .unwrap_or_default()
    }

    fn memory(&self) -> anyhow::Result<Vec<Memory>> {
        self.peer
            .as_ref()
            .map_or_else(|| Ok(Vec::new()), |peer| peer.memory(Protocol::Http))
    }
}

async fn sidecars(peer: &str) -> anyhow::Result<Binaries> {
    match peer {
        ours::NAME => Binaries::ours().await,
        foreign::NAME => Binaries::foreign(None)?
            .context("set FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN to a foreign pair"),
        other => bail!("{other} is not a pair of sidecars"),
    }
}

/// `127.0.0.1:3500/v1.0/invoke/b/method/echo` as a target.
pub(crate) fn address(text: &str) -> anyhow::Result<Target> {
    let text = text.strip_prefix("http://").unwrap_or(text);
    let (address, path) = text.split_once('/').unwrap_or((text, ""));
    let port = address
        .strip_prefix("127.0.0.1:")
        .and_then(|port| port.parse().ok())
        .with_context(|| {
            format!("{address} is not 127.0.0.1:<port>: the load stays on loopback")
        })?;
    Ok(Target {
        protocol: Protocol::Http,
        address: probe::loopback(port),
        path: format!("/{path}"),
        body: 1024,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_loopback_with_a_path() {
        let target = address("http://127.0.0.1:3500/v1.0/invoke/b/method/echo").unwrap();
        assert_eq!(target.address.to_string(), "127.0.0.1:3500");
        assert_eq!(target.path, "/v1.0/invoke/b/method/echo");
        assert_eq!(address("127.0.0.1:1").unwrap().path, "/");
        for bad in ["192.0.2.1:80/", "127.0.0.1/x", "https://127.0.0.1:1/", ""] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
