//! The gRPC side: the greeter of `examples/grpc`, in Rust.

pub(crate) mod call;
pub(crate) mod serve;

use std::io;

use tokio::runtime::{Builder, Runtime};

/// Written by `cargo xtask gen`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated"
)]
mod helloworld {
    include!("gen/helloworld.rs");
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
