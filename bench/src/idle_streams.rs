//! What an idle gRPC stream keeps in memory on each side: resident memory before, with the streams open, and after.

use std::time::Duration;

use serde::Serialize;

use crate::load::connection::Protocol;
use crate::load::count_as_f64;
use crate::load::streams::Streams;
use crate::peers::Peer;
use crate::proc::Memory;

/// Streams whose cost is not counted: they touch the program text that every stream needs.
const WARM_UP: usize = 16;
/// Rest before memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// Memory at three moments, caller side first.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StreamMemory {
    pub(crate) streams: u32,
    pub(crate) connections: usize,
    pub(crate) before: Vec<Memory>,
    pub(crate) open: Vec<Memory>,
    pub(crate) ended: Vec<Memory>,
}

impl StreamMemory {
    /// Growth of resident memory per open stream, caller side first.
    pub(crate) fn kib_per_stream(&self) -> Vec<f64> {
        self.before
            .iter()
            .zip(&self.open)
            .map(|(before, open)| {
                let grown = open.rss.saturating_sub(before.rss);
                count_as_f64(grown) / 1024.0 / f64::from(self.streams.max(1))
            })
            .collect()
    }
}

/// Opens `streams` bidirectional streams over `connections`, lets each say one thing and be answered, and ends them.
pub(crate) async fn measure(
    peer: &Peer,
    streams: usize,
    connections: usize,
) -> anyhow::Result<StreamMemory> {
    let target = peer.target(Protocol::Grpc);
    let memory = || peer.memory(Protocol::Grpc);
    Streams::open(target, WARM_UP, connections)
        .await?
        .end()
        .await?;
    tokio::time::sleep(SETTLE).await;
    let before = memory()?;
    let mut held = Streams::open(target, streams, connections).await?;
    tokio::time::sleep(SETTLE).await;
    let open = memory()?;
    held.end().await?;
    drop(held);
    tokio::time::sleep(SETTLE).await;
    Ok(StreamMemory {
        streams: u32::try_from(streams)?,
        connections,
        before,
        open,
        ended: memory()?,
    })
}
