//! Who listens where on this machine, as Linux shows it under `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::instances::{Living, living};

/// A listening TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listener {
    address: SocketAddr,
    inode: u64,
}

/// Whether anybody listens on this port, at any address.
pub(super) fn taken(port: u16) -> bool {
    listeners().iter().any(|one| one.address.port() == port)
}

/// Whether a connection to this address would be accepted.
pub(super) fn reachable(host: IpAddr, port: u16) -> bool {
    listeners()
        .iter()
        .filter(|one| one.address.port() == port)
        .any(|one| match one.address.ip() {
            // A socket for all of IPv6 usually takes IPv4 as well.
            IpAddr::V6(ip) if ip.is_unspecified() => true,
            IpAddr::V4(ip) if ip.is_unspecified() => host.is_ipv4(),
            ip => ip == host,
        })
}

/// The processes that listen on this port. Those of other users are not seen.
pub(super) fn holders(port: u16) -> Vec<i32> {
    let inodes: BTreeSet<u64> = listeners()
        .iter()
        .filter(|one| one.address.port() == port)
        .map(|one| one.inode)
        .collect();
    if inodes.is_empty() {
        return Vec::new();
    }
    living()
        .iter()
        .map(|one| one.pid)
        .filter(|pid| !open_sockets(*pid).is_disjoint(&inodes))
        .collect()
}

/// Where the processes of a session listen.
pub(super) fn of_session(leader: i32) -> Vec<SocketAddr> {
    let all: BTreeMap<u64, SocketAddr> = listeners()
        .into_iter()
        .map(|one| (one.inode, one.address))
        .collect();
    let inside = |one: &Living| one.session == leader;
    let found: BTreeSet<SocketAddr> = living()
        .iter()
        .filter(|one| inside(one))
        .flat_map(|one| open_sockets(one.pid))
        .filter_map(|inode| all.get(&inode).copied())
        .collect();
    found.into_iter().collect()
}

/// Inodes of a process's sockets.
fn open_sockets(pid: i32) -> BTreeSet<u64> {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let target = fs::read_link(entry.ok()?.path()).ok()?;
            let inode = target.to_str()?.strip_prefix("socket:[")?;
            inode.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

fn listeners() -> Vec<Listener> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| table.lines().filter_map(parse).collect::<Vec<_>>())
        .collect()
}

/// One row of the table, if it is a listening socket.
fn parse(row: &str) -> Option<Listener> {
    const LISTENING: &str = "0A";
    let fields: Vec<&str> = row.split_whitespace().collect();
    if *fields.get(3)? != LISTENING {
        return None;
    }
    let (ip, port) = fields.get(1)?.split_once(':')?;
    Some(Listener {
        address: SocketAddr::new(address(ip)?, u16::from_str_radix(port, 16).ok()?),
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// Words of 32 bits in the byte order of the machine.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hex.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    if hex.len() == 8 {
        return Some(IpAddr::V4(Ipv4Addr::from(word(0)?)));
    }
    let words = [word(0)?, word(1)?, word(2)?, word(3)?];
    let octets: [u8; 16] = words.concat().try_into().ok()?;
    Some(Ipv6Addr::from(octets).to_canonical())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn rows_of_both_families() {
        for (row, expected) in [
            (
                "0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1 0",
                Some("127.0.0.1:8080"),
            ),
            (
                "1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 77 1",
                Some("[::1]:80"),
            ),
            ("2: 0100007F:1F90 0100007F:9999 01 0:0 0:0 0 0 0 77 1", None),
            ("sl local_address rem_address st", None),
        ] {
            let found = parse(row).map(|one| one.address.to_string());
            assert_eq!(found.as_deref(), expected, "{row}");
        }
    }

    #[test]
    fn this_process_holds_its_sockets() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(taken(port));
        assert_eq!(holders(port), [std::process::id().cast_signed()]);
        assert!(reachable(Ipv4Addr::LOCALHOST.into(), port));
        assert!(!reachable(Ipv6Addr::LOCALHOST.into(), port));
        let session = nix::unistd::getsid(None).unwrap().as_raw();
        assert!(of_session(session).contains(&listener.local_addr().unwrap()));
    }
}
