//! Sockets for multicast DNS, one for each interface and IP version.
//!
//! A socket is bound to the group and not to all addresses: it shares port
//! 5353 with other sidecars, Dapr's own and the system's responder, and takes
//! none of the unicast answers that are meant for them.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::task::Poll;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tracing::debug;

use super::cache::Arrival;
use super::interfaces::{Interface, Interfaces};

const PORT: u16 = 5353;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// A machine with more interfaces than this is one that runs containers.
const MOST_LINKS: usize = 64;

/// How far a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To everybody on the network.
    Network,
    /// To other processes of this machine.
    Machine,
}

/// All sockets.
#[derive(Debug, Default)]
pub(super) struct Links {
    open: Vec<Link>,
    /// Addresses of this machine.
    own: Vec<IpAddr>,
    /// Somebody keeps the port to himself.
    is_port_taken: bool,
    /// Where the next read begins, so that no interface starves another.
    turn: usize,
}

/// A packet that was read into the buffer.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) source: SocketAddr,
    pub(super) arrival: Arrival,
}

#[derive(Debug)]
struct Link {
    interface: u32,
    name: String,
    /// The address its packets come from; unspecified for IPv6.
    local: IpAddr,
    socket: UdpSocket,
    reach: Reach,
}

// === impl Links ===

impl Links {
    /// Joins interfaces that came and leaves those that went. Returns whether
    /// any came.
    pub(super) fn follow(&mut self, interfaces: &Interfaces) -> bool {
        let wanted: Vec<_> = interfaces.usable.iter().flat_map(locals).collect();
        self.open.retain(|link| {
            wanted
                .iter()
                .any(|(interface, local)| link.is_at(interface, *local))
        });
        let mut came = false;
        self.is_port_taken = false;
        for (interface, local) in wanted {
            let is_open = self.open.iter().any(|link| link.is_at(interface, local));
            if is_open || self.open.len() == MOST_LINKS {
                continue;
            }
            match Link::open(interface, local) {
                Ok(link) => {
                    self.open.push(link);
                    came = true;
                }
                Err(error) => {
                    self.is_port_taken |= error.kind() == io::ErrorKind::AddrInUse;
                    let name = &interface.name;
                    debug!(target: "dapr.contrib", "mDNS cannot use {name} for {}: {error}", version(local));
                }
            }
        }
        self.own.clone_from(&interfaces.addresses);
        came
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// An interface could not be used because the port cannot be shared.
    pub(super) fn is_port_taken(&self) -> bool {
        self.is_port_taken
    }

    /// Names of the interfaces, each once.
    pub(super) fn names(&self) -> String {
        let mut names: Vec<_> = self.open.iter().map(|link| link.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    }

    /// Sends everywhere.
    pub(super) fn send(&mut self, packet: &[u8], reach: Reach) {
        for link in &mut self.open {
            link.send(packet, reach);
        }
    }

    /// Sends where a packet came from, over both IP versions.
    pub(super) fn send_back(&mut self, arrival: Arrival, packet: &[u8], reach: Reach) {
        let links = self.open.iter_mut();
        for link in links.filter(|link| link.interface == arrival.interface) {
            link.send(packet, reach);
        }
    }

    /// Sends to one sender alone.
    pub(super) fn send_to(&self, received: &Received, packet: &[u8]) {
        let mut links = self.open.iter();
        let link = links.find(|link| {
            link.interface == received.arrival.interface
                && link.local.is_ipv4() == received.source.is_ipv4()
        });
        if let Some(link) = link {
            link.give(packet, received.source);
        }
    }

    /// Waits for a packet; for ever without an interface.
    pub(super) async fn receive(&mut self, buffer: &mut [u8]) -> Received {
        poll_fn(|context| {
            let count = self.open.len();
            for step in 0..count {
                let at = (self.turn + step) % count;
                let Some(link) = self.open.get(at) else {
                    continue;
                };
                let mut read = ReadBuf::new(buffer);
                // An error of a socket is gone once it was read.
                while let Poll::Ready(outcome) = link.socket.poll_recv_from(context, &mut read) {
                    if let Ok(source) = outcome {
                        self.turn = at + 1;
                        return Poll::Ready(Received {
                            length: read.filled().len(),
                            source,
                            arrival: Arrival {
                                interface: link.interface,
                                from_here: self.own.contains(&source.ip()),
                            },
                        });
                    }
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// The IP versions to use on an interface.
fn locals(interface: &Interface) -> impl Iterator<Item = (&Interface, IpAddr)> {
    let ipv4 = interface.ipv4.map(IpAddr::V4);
    let ipv6 = interface
        .has_ipv6
        .then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    ipv4.into_iter()
        .chain(ipv6)
        .map(move |local| (interface, local))
}

fn version(local: IpAddr) -> &'static str {
    if local.is_ipv4() { "IPv4" } else { "IPv6" }
}

// === impl Link ===

impl Link {
    fn open(interface: &Interface, local: IpAddr) -> io::Result<Self> {
        let socket = match local {
            IpAddr::V4(local) => open_v4(interface.index, local),
            IpAddr::V6(_) => open_v6(interface.index),
        }?;
        socket.set_nonblocking(true)?;
        let mut link = Self {
            interface: interface.index,
            name: interface.name.clone(),
            local,
            socket: UdpSocket::from_std(socket.into())?,
            reach: Reach::Machine,
        };
        link.set_reach(Reach::Network)?;
        Ok(link)
    }

    fn is_at(&self, interface: &Interface, local: IpAddr) -> bool {
        (self.interface, self.name.as_str(), self.local)
            == (interface.index, interface.name.as_str(), local)
    }

    fn send(&mut self, packet: &[u8], reach: Reach) {
        if let Err(error) = self.set_reach(reach) {
            debug!(target: "dapr.contrib", "mDNS on {}: {error}", self.name);
            return;
        }
        let group = match self.local {
            IpAddr::V4(_) => SocketAddrV4::new(GROUP_V4, PORT).into(),
            IpAddr::V6(_) => SocketAddrV6::new(GROUP_V6, PORT, 0, self.interface).into(),
        };
        self.give(packet, group);
    }

    /// Never waits: a packet that finds no room is one of those that get lost.
    fn give(&self, packet: &[u8], to: SocketAddr) {
        if let Err(error) = SockRef::from(&self.socket).send_to(packet, &to.into()) {
            debug!(target: "dapr.contrib", "mDNS cannot send to {to} on {}: {error}", self.name);
        }
    }

    /// With no hop left a packet is still delivered on its own machine.
    fn set_reach(&mut self, reach: Reach) -> io::Result<()> {
        if self.reach == reach {
            return Ok(());
        }
        let hops = match reach {
            Reach::Network => 255,
            Reach::Machine => 0,
        };
        let socket = SockRef::from(&self.socket);
        match self.local {
            IpAddr::V4(_) => socket.set_multicast_ttl_v4(hops)?,
            IpAddr::V6(_) => socket.set_multicast_hops_v6(hops)?,
        }
        self.reach = reach;
        Ok(())
    }
}

fn open_v4(interface: u32, local: Ipv4Addr) -> io::Result<Socket> {
    let socket = shared(Domain::IPV4)?;
    // Else it would get what arrives on other interfaces as well.
    socket.set_multicast_all_v4(false)?;
    socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(interface))?;
    socket.set_multicast_if_v4(&local)?;
    socket.bind(&SocketAddrV4::new(GROUP_V4, PORT).into())?;
    Ok(socket)
}

fn open_v6(interface: u32) -> io::Result<Socket> {
    let socket = shared(Domain::IPV6)?;
    socket.set_only_v6(true)?;
    socket.join_multicast_v6(&GROUP_V6, interface)?;
    socket.set_multicast_if_v6(interface)?;
    // The scope ties it to the interface.
    socket.bind(&SocketAddrV6::new(GROUP_V6, PORT, 0, interface).into())?;
    Ok(socket)
}

/// Some who share the port ask for one of these options, some for the other.
fn shared(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    Ok(socket)
}
