//! Names by mDNS: sidecars on machines of one network, and the run registry
//! beside it.

mod beside;
mod discovery;
mod hostile;
pub(crate) mod network;
mod wire;
