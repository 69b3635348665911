//! Listening sockets: dual stack, retried while a port is in use.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, Socket, Type};

/// How long a port in use is waited for.
pub const PATIENCE: Duration = Duration::from_secs(10);

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Connections the kernel queues before they are accepted. Bursts of new
/// connections after a restart are the case to survive.
const BACKLOG: i32 = 1024;

/// A socket that could not listen.
#[derive(Debug, thiserror::Error)]
#[error("listen tcp {address}: {source}")]
pub struct BindError {
    /// Address that was asked for.
    pub address: String,
    /// Why it was refused.
    #[source]
    pub source: io::Error,
}

impl BindError {
    /// True when another process has the port.
    pub fn is_in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// Listens on `host:port`. An empty host means every address of both
/// families, or of IPv4 alone where IPv6 is off; port 0 means any free one.
///
/// # Errors
/// The host has no address, or the socket cannot listen there.
pub fn bind(host: &str, port: u16) -> Result<TcpListener, BindError> {
    let failed = |source| BindError {
        address: format!("{host}:{port}"),
        source,
    };
    if host.is_empty() {
        return listen(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port))
            .or_else(|error| match error.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
                _ => listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
            })
            .map_err(failed);
    }
    let host_only = host.trim_start_matches('[').trim_end_matches(']');
    let address = match host_only.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, port),
        Err(_) => resolve(host_only, port).map_err(failed)?,
    };
    listen(address).map_err(failed)
}

/// As [`bind`], waiting up to [`PATIENCE`] for a port in use. `retrying` is
/// told about the first refusal at once.
///
/// # Errors
/// As [`bind`]; for a port in use after [`PATIENCE`].
pub async fn bind_patiently(
    host: &str,
    port: u16,
    retrying: impl Fn(&BindError),
) -> Result<TcpListener, BindError> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    let mut told = false;
    loop {
        match bind(host, port) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.is_in_use() && Instant::now() < deadline => {
                if !told {
                    retrying(&error);
                    told = true;
                }
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    use std::net::ToSocketAddrs as _;

    (host, port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no address"))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named_as_such() {
        let taken = bind("127.0.0.1", 0).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = bind("127.0.0.1", port).unwrap_err();
        assert!(error.is_in_use());
        assert!(
            error
                .to_string()
                .starts_with(&format!("listen tcp 127.0.0.1:{port}: "))
        );
    }

    #[test]
    fn no_host_listens_on_both_families() {
        let listener = bind("", 0).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        if std::net::TcpListener::bind("[::1]:0").is_ok() {
            std::net::TcpStream::connect(("::1", port)).unwrap();
        }
    }
}
