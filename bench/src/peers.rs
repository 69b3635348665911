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
use crate::load::connection::{Connection, Target};
use crate::probe;
use crate::proc::{self, Memory};

/// Path of every call; the origin answers any path, the sidecars route by it.
const PATH: &str = "/v1.0/invoke/b/method/echo";

/// Bytes of a request and of its answer.
const BODY: usize = 1024;

/// How long a peer may take until its first call succeeds.
const PATIENCE: Duration = Duration::from_secs(20);

/// What peers are started with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// Scratch folder of the run.
    pub(crate) folder: &'a Path,
    pub(crate) origin_port: u16,
}

/// A running peer.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Versions and configuration in a few words.
    pub(crate) about: String,
    pub(crate) target: Target,
    /// Processes whose cost is measured: caller side first, then callee side.
    hops: Vec<Process>,
    /// Processes that must only be there, like the certificate authority. Dropped after the hops.
    helpers: Vec<Process>,
}

impl Peer {
    fn new(name: &'static str, about: String, port: u16) -> Self {
        Self {
            name,
            about,
            target: Target {
                address: probe::loopback(port),
                path: PATH.to_owned(),
                body: BODY,
            },
            hops: Vec::new(),
            helpers: Vec::new(),
        }
    }

    /// Process ids of the measured processes.
    pub(crate) fn hops(&self) -> Vec<u32> {
        self.hops.iter().map(Process::id).collect()
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Vec<Memory>> {
        self.hops().into_iter().map(Memory::of).collect()
    }

    pub(crate) fn pin(&self, cpus: &[usize]) -> anyhow::Result<()> {
        self.hops()
            .into_iter()
            .try_for_each(|process| proc::pin(process, cpus))
    }

    /// Calls until one succeeds: both hops are connected then.
    pub(crate) async fn first_call(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let called = async { Connection::open(&self.target).await?.call().await };
            let error = match tokio::time::timeout(PATIENCE, called).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            self.check()?;
            if Instant::now() >= deadline {
                bail!("{}: no call succeeds: {error}", self.name);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn check(&mut self) -> anyhow::Result<()> {
        self.hops
            .iter_mut()
            .chain(&mut self.helpers)
            .try_for_each(Process::check)
    }
}
