//! What this host is called and reached by.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

/// No address that peers could use.
#[derive(Debug, thiserror::Error)]
#[error("failed to determine host address: could not determine host IP address")]
pub(crate) struct NoAddress;

/// Host name; empty when the system has none.
pub(crate) fn name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_default()
}

/// The address advertised to peers: the one a packet to the outside would
/// carry, else the best one of the interfaces.
///
/// Mirrors Dapr 1.18 `utils/host.go`; no packet is sent.
pub(crate) fn address() -> Result<IpAddr, NoAddress> {
    ["192.0.2.1:80", "[2001:db8::1]:80"]
        .into_iter()
        .filter_map(|outside| outside.parse().ok())
        .find_map(source_address_towards)
        .filter(|address| !address.is_loopback() && !address.is_unspecified())
        .or_else(|| best_of(interface_addresses()))
        .ok_or(NoAddress)
}

fn source_address_towards(outside: SocketAddr) -> Option<IpAddr> {
    let any = if outside.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(outside).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn interface_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            address
                .as_sockaddr_in()
                .map(|address| IpAddr::V4(address.ip()))
                .or_else(|| {
                    address
                        .as_sockaddr_in6()
                        .map(|address| IpAddr::V6(address.ip()))
                })
        })
        .collect()
}

fn best_of(addresses: Vec<IpAddr>) -> Option<IpAddr> {
    addresses
        .into_iter()
        .filter(|address| !address.is_loopback() && !address.is_unspecified())
        .min_by_key(rank)
}

/// Public IPv4, global IPv6, private IPv4, unique local IPv6, link-local.
fn rank(address: &IpAddr) -> u8 {
    let is_unique_local = |address: &Ipv6Addr| {
        address
            .octets()
            .first()
            .is_some_and(|byte| byte & 0xfe == 0xfc)
    };
    match address {
        IpAddr::V4(v4) if v4.is_link_local() => 4,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => 5,
        IpAddr::V4(v4) if v4.is_private() || v4.octets().starts_with(&[100]) => 2,
        IpAddr::V6(v6) if is_unique_local(v6) => 3,
        IpAddr::V4(_) => 0,
        IpAddr::V6(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_come_before_private_and_link_local_ones() {
        let all = [
            "fe80::1",
            "fd00::1",
            "10.0.0.1",
            "2001:db8::1",
            "203.0.113.1",
            "127.0.0.1",
        ];
        let mut left: Vec<IpAddr> = all.iter().map(|text| text.parse().unwrap()).collect();
        let mut order = Vec::new();
        while let Some(best) = best_of(left.clone()) {
            order.push(best.to_string());
            left.retain(|address| *address != best);
        }
        assert_eq!(
            order,
            [
                "203.0.113.1",
                "2001:db8::1",
                "10.0.0.1",
                "fd00::1",
                "fe80::1"
            ]
        );
    }
}
