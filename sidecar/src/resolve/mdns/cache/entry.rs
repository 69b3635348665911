//! What one packet says about one instance of an app.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use hickory_proto::rr::Name;

use super::{Arrival, LIFE};
use crate::resolve::mdns::packets::{Data, Record};

/// What a packet says about one instance.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    /// Where it is, and how long that may be believed.
    At(SocketAddr, Duration),
    /// It has left this place, or all of them where none is named.
    Gone(Option<SocketAddr>),
    /// Incomplete, of another app, or an address that leads nowhere.
    Unusable,
}

// === impl Entry ===

impl Entry {
    /// Dapr puts everything about an instance into one packet, so nothing is
    /// put together from several.
    pub(super) fn of(
        app_id: &str,
        instance: &Name,
        ttl: u32,
        records: &[Record],
        arrival: Arrival,
    ) -> Self {
        let of_instance = || {
            records
                .iter()
                .filter(|record| record.name.eq_case(instance))
        };
        let location = of_instance().find_map(|record| match &record.data {
            Data::Srv { port, host } => Some((record.ttl, *port, host)),
            _ => None,
        });
        let place = location.and_then(|(_, port, host)| place(records, port, host, arrival));
        if ttl == 0 || location.is_some_and(|(ttl, ..)| ttl == 0) {
            return Self::Gone(place);
        }
        let is_app = of_instance().any(|record| match &record.data {
            Data::Txt(text) => text == app_id.as_bytes(),
            _ => false,
        });
        match (location, place) {
            (Some((location_ttl, ..)), Some(place)) if is_app => {
                let life = Duration::from_secs(ttl.min(location_ttl).into()).min(LIFE);
                Self::At(place, life)
            }
            _ => Self::Unusable,
        }
    }
}

/// Where `host` is, if that is of use to us.
fn place(records: &[Record], port: u16, host: &Name, arrival: Arrival) -> Option<SocketAddr> {
    let addresses = records.iter().filter_map(|record| match record.data {
        Data::Address(address) if record.name.eq_case(host) => Some(address),
        _ => None,
    });
    let usable = addresses.filter(|address| is_usable(*address, arrival));
    // IPv4 is smaller.
    let address = usable.min().filter(|_| port != 0)?;
    Some(socket_address(address, port, arrival))
}

/// Differs from Dapr: `127.0.0.1` announced by another machine is not called,
/// because there is somebody else at that address here.
fn is_usable(address: IpAddr, arrival: Arrival) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || is_broadcast)
        && (arrival.from_here || !address.is_loopback())
}

fn socket_address(address: IpAddr, port: u16, arrival: Arrival) -> SocketAddr {
    match address {
        IpAddr::V6(address) if address.is_unicast_link_local() => {
            SocketAddrV6::new(address, port, 0, arrival.interface).into()
        }
        address => SocketAddr::new(address, port),
    }
}
