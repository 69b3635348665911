//! Ports for sidecars: the wanted one if it is free, else any free one.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::{fs, io};

#[cfg(target_os = "linux")]
use parking_lot::Mutex;

use crate::instances::Instance;

/// Where free ports are looked for first: below are most that services are known by.
const FIRST: u16 = 26_000;
/// Random ones looked at before the system is asked for one.
const LOOKS: usize = 100;

/// Hands out ports. Free ones stay bound until they are released, so that no
/// two are the same.
#[derive(Debug)]
pub(super) struct Ports {
    taken: BTreeSet<i64>,
    held: Vec<TcpListener>,
}

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PortError {
    #[error("invalid configuration for {name}. Port {port} is not available")]
    Unavailable { name: &'static str, port: i64 },
    #[error("no free port for {name}: {source}")]
    NoneFree {
        name: &'static str,
        source: io::Error,
    },
}

impl Ports {
    /// None of the ports of these sidecars and their apps is handed out.
    pub(super) fn beside(instances: &[Instance]) -> Self {
        let used = |one: &Instance| [one.app_port, one.http_port, one.grpc_port];
        Self {
            taken: instances.iter().flat_map(used).collect(),
            held: Vec::new(),
        }
    }

    /// Keeps an app's port from being handed out.
    pub(super) fn reserve(&mut self, port: i64) {
        self.taken.insert(port);
    }

    /// Lets go of the ports that were handed out, for those who asked.
    pub(super) fn release(&mut self) {
        self.held.clear();
    }

    /// The wanted port, or a free one when that is not above zero.
    ///
    /// # Errors
    /// The wanted port is in use or was handed out before.
    pub(super) fn claim(&mut self, name: &'static str, wanted: i64) -> Result<u16, PortError> {
        if wanted <= 0 {
            return self.free(name);
        }
        let unavailable = PortError::Unavailable { name, port: wanted };
        let Ok(port) = u16::try_from(wanted) else {
            return Err(unavailable);
        };
        if !self.taken.insert(wanted) || bind(port).is_err() {
            return Err(unavailable);
        }
        // The user's word counts, whoever had it in mind.
        mark(port);
        Ok(port)
    }

    fn free(&mut self, name: &'static str) -> Result<u16, PortError> {
        let fail = |source| PortError::NoneFree { name, source };
        loop {
            let listener = quiet_port().map_or_else(|| bind(0), Ok).map_err(fail)?;
            let port = listener.local_addr().map_err(fail)?.port();
            self.held.push(listener);
            if self.taken.insert(port.into()) && mark(port) {
                return Ok(port);
            }
        }
    }
}

/// A free port that no outgoing connection is given: those come and go between
/// our look and the sidecar's.
fn quiet_port() -> Option<TcpListener> {
    let quiet = FIRST..first_outgoing();
    if quiet.is_empty() {
        return None;
    }
    (0..LOOKS).find_map(|_| bind(fastrand::u16(quiet.clone())).ok())
}

/// The first port of outgoing connections: as Linux is set, else as IANA says.
fn first_outgoing() -> u16 {
    const DYNAMIC: u16 = 49_152;
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(DYNAMIC)
}

/// Notes, for the life of this process, that a port is about to be used: runs
/// that begin at the same time would find the same one free. False when another
/// run has noted it.
#[cfg(target_os = "linux")]
fn mark(port: u16) -> bool {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};

    static MARKS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    // Such names are those of a network, as ports are, and leave no file.
    let name = SocketAddr::from_abstract_name(format!("dapr-run-port-{port}"));
    match name.and_then(|name| UnixListener::bind_addr(&name)) {
        Ok(mark) => {
            MARKS.lock().push(mark);
            true
        }
        Err(error) => error.kind() != io::ErrorKind::AddrInUse,
    }
}

#[cfg(not(target_os = "linux"))]
fn mark(_: u16) -> bool {
    true
}

/// Binds all addresses of the machine, of both families where there are two.
fn bind(port: u16) -> io::Result<TcpListener> {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    match TcpListener::bind(both) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => TcpListener::bind(v4),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_handed_out_once() {
        let mut ports = Ports::beside(&[]);
        let first = ports.claim("HTTPPort", -1).unwrap();
        let second = ports.claim("GRPCPort", 0).unwrap();
        assert_ne!(first, second);
        assert_eq!(
            ports
                .claim("MetricsPort", first.into())
                .unwrap_err()
                .to_string(),
            format!("invalid configuration for MetricsPort. Port {first} is not available")
        );
        drop(ports);
        let mut ports = Ports::beside(&[]);
        assert_eq!(ports.claim("HTTPPort", first.into()).unwrap(), first);
    }

    #[test]
    fn free_ports_are_not_those_of_outgoing_connections() {
        let mut ports = Ports::beside(&[]);
        for _ in 0..100 {
            let port = ports.claim("MetricsPort", -1).unwrap();
            assert!((FIRST..first_outgoing()).contains(&port), "{port}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_free_port_is_not_handed_out_again_before_it_is_used() {
        let port = Ports::beside(&[]).claim("GRPCPort", -1).unwrap();
        assert!(bind(port).is_ok(), "nobody listens there");
        assert!(!mark(port), "another run would take it");
    }

    #[test]
    fn a_port_in_use_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = i64::from(listener.local_addr().unwrap().port());
        let mut ports = Ports::beside(&[]);
        for wanted in [port, 70_000] {
            assert_eq!(
                ports.claim("HTTPPort", wanted).unwrap_err().to_string(),
                format!("invalid configuration for HTTPPort. Port {wanted} is not available")
            );
        }
    }
}
