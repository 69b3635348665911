//! Free loopback ports below the ephemeral range, so that no outgoing connection of a run can take one meanwhile.

use std::net::TcpListener;
use std::ops::Range;

use anyhow::Context as _;

/// Linux hands out 32768 and above to outgoing connections.
const RANGE: Range<u16> = 20_000..32_000;

/// Where calls come in, by what they speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) http: u16,
    pub(crate) grpc: u16,
}

impl Entry {
    /// Reads `<http> <grpc>`.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (http, grpc) = line.trim().split_once(' ')?;
        Some(Self {
            http: http.parse().ok()?,
            grpc: grpc.parse().ok()?,
        })
    }
}

/// `N` different free ports.
pub(crate) fn free<const N: usize>() -> anyhow::Result<[u16; N]> {
    let start = fastrand::u16(RANGE);
    let listeners: Vec<(u16, TcpListener)> = (start..RANGE.end)
        .chain(RANGE.start..start)
        .filter_map(|port| Some((port, TcpListener::bind(("127.0.0.1", port)).ok()?)))
        .take(N)
        .collect();
    let ports: Vec<u16> = listeners.iter().map(|(port, _)| *port).collect();
    ports.try_into().ok().context("too few free ports")
}
