//! Asking a server whether it is there, with plain blocking sockets: used before and beside the load, never for it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::child::Process;

/// How long a peer may take to come up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A loopback address.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Status of `GET path`, when something answers.
pub(crate) fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    let text = std::str::from_utf8(&head).ok()?;
    text.strip_prefix("HTTP/1.1 ")?.parse().ok()
}

/// Polls `ready` until it holds; fails when `process` ends or takes too long.
pub(crate) fn wait(
    process: &mut Process,
    pause: Duration,
    mut ready: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !ready() {
        process.check()?;
        if Instant::now() >= deadline {
            bail!(
                "not ready within {PATIENCE:?}; last lines:\n{}",
                process.tail()
            );
        }
        thread::sleep(pause);
    }
    Ok(())
}
