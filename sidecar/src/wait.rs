//! `daprd --wait`: waits for another daprd on this host.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use api::flags::Parsed;

const TOTAL: Duration = Duration::from_mins(1);
const TRY: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);

/// Polls the outbound health of the sidecar on `--dapr-http-port`. The exit
/// code is 0 even when it never becomes ready, as scripts expect.
pub(crate) fn until_outbound_ready(flags: &Parsed) -> ExitCode {
    let port = flags.string("dapr-http-port");
    let url = format!("http://localhost:{port}/v1.0/healthz/outbound");
    let mut stderr = io::stderr();
    let _ = writeln!(stderr, "waiting for the Dapr sidecar at {url}");
    let deadline = Instant::now() + TOTAL;
    while Instant::now() < deadline {
        if let Ok(204) = status(port) {
            let _ = writeln!(stderr, "Dapr sidecar is ready");
            return ExitCode::SUCCESS;
        }
        thread::sleep(PAUSE);
    }
    let _ = writeln!(
        stderr,
        "timed out after {TOTAL:?}; going on without the sidecar"
    );
    ExitCode::SUCCESS
}

fn status(port: &str) -> io::Result<u16> {
    let mut socket = TcpStream::connect(format!("localhost:{port}"))?;
    socket.set_read_timeout(Some(TRY))?;
    socket.write_all(
        b"GET /v1.0/healthz/outbound HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    )?;
    let mut head = [0u8; 12];
    socket.read_exact(&mut head)?;
    std::str::from_utf8(head.get(9..12).unwrap_or_default())
        .ok()
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}
