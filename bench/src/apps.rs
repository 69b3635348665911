//! The applications behind the proxies, run as one process of their own so that their CPU time is nobody else's.

pub(crate) mod echo;
pub(crate) mod grpc;

use anyhow::Context as _;
use tokio::net::TcpListener;

/// Listens on two free loopback ports, prints them as the only line of stdout (HTTP, then gRPC) and serves until killed.
pub(crate) async fn main() -> anyhow::Result<()> {
    let http = bind().await?;
    let grpc = bind().await?;
    println!(
        "{} {}",
        http.local_addr()?.port(),
        grpc.local_addr()?.port()
    );
    tokio::join!(echo::serve(http), grpc::serve(grpc));
    Ok(())
}

async fn bind() -> anyhow::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0")
        .await
        .context("bind the origin")
}
