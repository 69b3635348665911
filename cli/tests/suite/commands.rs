//! Every command but `run`.
//!
//! Where an answer must be exact to the byte, [`fake`] stands in for the
//! sidecar.

mod annotate;
mod cluster;
mod completion;
mod fake;
mod help;
mod invoke;
mod json;
mod list;
mod logs;
mod mistakes;
mod pipes;
mod stop;
mod versions;
