//! The sidecars of this repository.

use super::{Peer, Setup, sidecars::Authority};
use crate::binaries::Binaries;

/// The name in tables.
pub(crate) const NAME: &str = "ours";

pub(crate) fn start(binaries: &Binaries, setup: Setup<'_>) -> anyhow::Result<Peer> {
    Authority::start(NAME, binaries, setup)?.pair(NAME, binaries.about())
}
