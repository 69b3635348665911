//! Harness for tests at the process boundary: starts the real programs on
//! loopback, plays apps and peers byte by byte, and reads like a sentence:
//! `sidecar("a").app(&app).names(&names).run()`.
//!
//! **Invariant:** knows the wire, never the inside of a program.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::print_stdout,
    reason = "a harness fails the test that uses it"
)]

pub mod app;
pub mod binaries;
pub mod ca;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod fake_peer;
pub mod grpc_app;
pub mod grpc_client;
pub mod http1;
pub mod mesh;
pub mod oci;
pub mod pattern;
pub mod peer;
pub mod ports;
pub mod process;
pub mod sentry;
mod serving;
pub mod sidecar;
pub mod tls;
pub mod wait;
pub mod web_app;

pub use app::{After, Exchange, RawApp, Seen};
pub use ca::{Ca, Svid};
pub use client::{RawClient, Request, Response, invoke_path};
pub use cluster::{Api, Bare};
pub use fake_peer::{FakePeer, PeerCall, Reply};
pub use grpc_app::{GrpcApp, GrpcCall, GrpcSeen, HeldCall};
pub use grpc_client::{GrpcAnswer, GrpcClient, GrpcRequest, GrpcStream};
pub use mesh::{Mesh, Names};
pub use peer::{PeerClient, RpcAnswer};
pub use process::Process;
pub use sentry::{Sentry, sentry};
pub use sidecar::{Sidecar, SidecarBuilder, sidecar};
pub use tls::AppTls;
pub use wait::{Gate, PATIENCE, eventually, holds, within};
pub use web_app::{Health, Listening, Speaks, WebApp, WebSeen};
