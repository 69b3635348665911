//! The one integration binary: every behaviour users and peers can see, at
//! the boundary of the real programs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::print_stdout,
    reason = "a failed expectation fails the test"
)]
#![allow(clippy::similar_names, reason = "caller and callee are the words")]

mod app_channel;
mod bad_input;
mod cli;
mod control_plane;
mod fidelity;
mod grpc;
mod grpc_hostile;
mod grpc_streams;
mod installed;
mod interop;
mod kubernetes;
mod lifecycle;
mod mdns;
mod names;
mod policies;
mod quickstart;
mod replicas;
mod room;
mod sdk;
mod security;
mod streaming;
mod table;
mod wire;
