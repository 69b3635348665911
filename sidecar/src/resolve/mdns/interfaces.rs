//! The network interfaces of this machine, and word of their changes.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd as _;

use nix::libc;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, bind,
    socket,
};
use tokio::net::UdpSocket;

/// An interface that multicast can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) index: u32,
    pub(super) name: String,
    /// The first of its IPv4 addresses.
    pub(super) ipv4: Option<Ipv4Addr>,
    pub(super) has_ipv6: bool,
}

/// What the machine has at the moment.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    pub(super) usable: Vec<Interface>,
    /// All addresses of the machine, those of other interfaces included.
    pub(super) addresses: Vec<IpAddr>,
}

impl Interfaces {
    /// Reads them; none when the system does not tell.
    pub(super) fn read() -> Self {
        let mut usable = BTreeMap::new();
        let mut addresses = Vec::new();
        for entry in nix::ifaddrs::getifaddrs().into_iter().flatten() {
            let Some(storage) = entry.address else {
                continue;
            };
            let ipv4 = storage.as_sockaddr_in().map(SockaddrIn::ip);
            let ipv6 = storage.as_sockaddr_in6().map(SockaddrIn6::ip);
            let Some(address) = ipv4.map(IpAddr::V4).or_else(|| ipv6.map(IpAddr::V6)) else {
                continue;
            };
            addresses.push(address);
            let needed = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_MULTICAST;
            if !entry.flags.contains(needed) {
                continue;
            }
            let Ok(index) = if_nametoindex(entry.interface_name.as_str()) else {
                continue;
            };
            let interface = usable.entry(index).or_insert(Interface {
                index,
                name: entry.interface_name,
                ipv4: None,
                has_ipv6: false,
            });
            interface.ipv4 = interface.ipv4.or(ipv4);
            interface.has_ipv6 |= ipv6.is_some();
        }
        Self {
            usable: usable.into_values().collect(),
            addresses,
        }
    }
}

/// Tells when interfaces or their addresses change.
#[derive(Debug)]
pub(super) struct Watch {
    /// A netlink socket: its datagrams are read as those of any other.
    netlink: UdpSocket,
}

impl Watch {
    /// # Errors
    /// Where the system does not allow it; asking now and then has to do.
    pub(super) fn new() -> io::Result<Self> {
        let netlink = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
        bind(
            netlink.as_raw_fd(),
            &NetlinkAddr::new(0, groups.cast_unsigned()),
        )?;
        Ok(Self {
            netlink: UdpSocket::from_std(netlink.into())?,
        })
    }

    /// Waits for a change. What it was does not matter: all are read again.
    pub(super) async fn changed(&self) -> io::Result<()> {
        let mut message = [0; 64];
        match self.netlink.recv(&mut message).await {
            // More changes than the system keeps; what counts is that there are some.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}
