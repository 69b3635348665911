//! Somebody else's sidecars, such as a real Dapr: the same flags and files, another pair of programs.

use super::{Peer, Setup, sidecars::Authority};
use crate::binaries::Binaries;

/// The name in tables.
pub(crate) const NAME: &str = "daprd";

pub(crate) fn start(binaries: &Binaries, setup: Setup<'_>) -> anyhow::Result<Peer> {
    let about = format!("{} ({})", binaries.about(), binaries.daprd.display());
    Authority::start(NAME, binaries, setup)?.pair(NAME, about)
}
