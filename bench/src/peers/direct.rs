//! No proxy: the generator talks to the origin. What is left is the machine, the generator and the origin.

use super::{Peer, Setup};

/// The name in tables.
pub(crate) const NAME: &str = "direct";

pub(crate) fn start(setup: Setup<'_>) -> Peer {
    Peer::new(NAME, "no proxy".to_owned(), setup.origin)
}
