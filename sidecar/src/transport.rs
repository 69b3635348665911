//! Connections to other sidecars and the calls on them.
//!
//! A peer is one address *and* the identity expected there: a connection is
//! never used for an app it was not verified for. Connections belong to a
//! worker.

mod connect;
mod peer;
mod proxy;
mod stream;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

pub(crate) use connect::Connector;
pub(crate) use peer::Peer;
pub(crate) use proxy::{pass_on, reach};
pub(crate) use stream::{Answer, Call, CallFailed, call, call_unary};

/// The peers of one worker.
#[derive(Debug)]
pub(crate) struct Transport {
    connector: Arc<Connector>,
    /// By app id, then by namespace: what a peer must prove to be.
    apps: Mutex<HashMap<String, HashMap<String, Replicas>>>,
}

#[derive(Debug)]
struct Replicas {
    /// The snapshot the peers were made from.
    addresses: Arc<[SocketAddr]>,
    peers: Arc<[Arc<Peer>]>,
    /// Peers in trouble whose address is not among these at the moment: it is
    /// taken out when it fails, and names that lag behind bring it back.
    aside: Vec<Weak<Peer>>,
}

impl Transport {
    /// A transport that connects with `connector`.
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            apps: Mutex::default(),
        }
    }

    /// The peers behind `addresses`, in the same order. Connections to
    /// addresses that are still in use are kept.
    pub(crate) fn peers(
        &self,
        namespace: &str,
        app_id: &str,
        addresses: &Arc<[SocketAddr]>,
    ) -> Arc<[Arc<Peer>]> {
        let mut apps = self.apps.lock();
        let known = apps
            .get_mut(app_id)
            .and_then(|spaces| spaces.get_mut(namespace));
        if let Some(known) = known {
            if !(Arc::ptr_eq(&known.addresses, addresses) || known.addresses == *addresses) {
                *known = self.replicas(namespace, app_id, addresses, Some(known));
            }
            return Arc::clone(&known.peers);
        }
        let fresh = self.replicas(namespace, app_id, addresses, None);
        let peers = Arc::clone(&fresh.peers);
        apps.entry(app_id.to_owned())
            .or_default()
            .insert(namespace.to_owned(), fresh);
        peers
    }

    fn replicas(
        &self,
        namespace: &str,
        app_id: &str,
        addresses: &Arc<[SocketAddr]>,
        before: Option<&Replicas>,
    ) -> Replicas {
        let known: Vec<Arc<Peer>> = before
            .into_iter()
            .flat_map(|before| {
                let aside = before.aside.iter().filter_map(Weak::upgrade);
                before.peers.iter().cloned().chain(aside)
            })
            .collect();
        let fresh = |address| {
            let connector = Arc::clone(&self.connector);
            Arc::new(Peer::new(address, namespace, app_id, connector))
        };
        let peers = addresses
            .iter()
            .map(|address| {
                let kept = known.iter().find(|peer| peer.address() == *address);
                kept.cloned().unwrap_or_else(|| fresh(*address))
            })
            .collect();
        let aside = known
            .iter()
            .filter(|peer| peer.is_avoided() && !addresses.contains(&peer.address()))
            .map(Arc::downgrade)
            .collect();
        Replicas {
            addresses: Arc::clone(addresses),
            peers,
            aside,
        }
    }
}
