//! What carries the calls: nothing at all, an nginx pair, our sidecars, somebody else's.
//!
//! Every peer stands between the same generator and the same echo origin and receives the same bytes. A peer owns its
//! processes: dropping it ends them.

pub(crate) mod direct;
pub(crate) mod foreign;
pub(crate) mod nginx;
pub(crate) mod ours;
pub(crate) mod sidecars;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::child::Process;
use crate::load::caller::Lines;
use crate::load::connection::{Protocol, Target};
use crate::ports::Entry;
use crate::probe;
use crate::proc::{self, Memory};

/// Path of every HTTP call; the origin answers any path, the sidecars route by it.
const PATH: &str = "/v1.0/invoke/b/method/echo";

/// Path of every gRPC call.
const GRPC_PATH: &str = "/bench.Echo/Call";

/// Bytes of a request and of its answer.
const BODY: usize = 1024;

/// How long a peer may take until its first call succeeds.
const PATIENCE: Duration = Duration::from_secs(20);

/// What peers are started with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// Scratch folder of the run.
    pub(crate) folder: &'a Path,
    pub(crate) origin: Entry,
}

/// A running peer.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Versions and configuration in a few words.
    pub(crate) about: String,
    http: Target,
    grpc: Target,
    /// Processes whose cost is measured: caller side first, then callee side.
    hops: Vec<Process>,
    /// The callee side of gRPC calls, where it is another process than that of HTTP calls.
    grpc_callee: Option<Process>,
    /// Processes that must only be there, like the certificate authority. Dropped after the hops.
    helpers: Vec<Process>,
}

impl Peer {
    /// A peer whose caller side takes HTTP and gRPC calls on these ports.
    fn new(name: &'static str, about: String, entry: Entry) -> Self {
        let target = |protocol, port, path: &str| Target {
            protocol,
            address: probe::loopback(port),
            path: path.to_owned(),
            body: BODY,
        };
        Self {
            name,
            about,
            http: target(Protocol::Http, entry.http, PATH),
            grpc: target(Protocol::Grpc, entry.grpc, GRPC_PATH),
            hops: Vec::new(),
            grpc_callee: None,
            helpers: Vec::new(),
        }
    }

    /// Where calls of a protocol go.
    pub(crate) fn target(&self, protocol: Protocol) -> &Target {
        match protocol {
            Protocol::Http => &self.http,
            Protocol::Grpc => &self.grpc,
        }
    }

    /// Process ids of the measured processes, caller side first.
    pub(crate) fn hops(&self, protocol: Protocol) -> Vec<u32> {
        let mut hops: Vec<u32> = self.hops.iter().map(Process::id).collect();
        if let (Protocol::Grpc, Some(callee), Some(last)) =
            (protocol, &self.grpc_callee, hops.last_mut())
        {
            *last = callee.id();
        }
        hops
    }

    /// Memory of both hops.
    pub(crate) fn memory(&self, protocol: Protocol) -> anyhow::Result<Vec<Memory>> {
        self.hops(protocol).into_iter().map(Memory::of).collect()
    }

    pub(crate) fn pin(&self, cpus: &[usize]) -> anyhow::Result<()> {
        self.hops
            .iter()
            .chain(&self.grpc_callee)
            .try_for_each(|process| proc::pin(process.id(), cpus))
    }

    /// Calls until one succeeds: both hops are connected then.
    pub(crate) async fn first_call(&mut self, protocol: Protocol) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let target = self.target(protocol).clone();
        loop {
            let called = async { Lines::new(target.clone(), 1).caller().await?.call().await };
            let error = match tokio::time::timeout(PATIENCE, called).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            self.check()?;
            if Instant::now() >= deadline {
                bail!("{}: no {protocol:?} call succeeds: {error}", self.name);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn check(&mut self) -> anyhow::Result<()> {
        self.hops
            .iter_mut()
            .chain(&mut self.grpc_callee)
            .chain(&mut self.helpers)
            .try_for_each(Process::check)
    }
}
