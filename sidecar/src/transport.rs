//! Connections to other sidecars and the calls on them.
//!
//! A peer is one address *and* the identity expected there: a connection is
//! never used for an app it was not verified for. Connections belong to a
//! worker.

mod connect;
mod peer;
mod stream;
mod wire;

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use parking_lot::Mutex;

pub(crate) use connect::Connector;
pub(crate) use peer::Peer;
pub(crate) use stream::{Answer, Call, CallFailed, call, call_unary};
pub(crate) use wire::{Gathered, Wire};

/// The peers of one worker.
#[derive(Debug)]
pub(crate) struct Transport {
    connector: Arc<Connector>,
    apps: Mutex<HashMap<AppKey, Replicas>>,
}

/// Who a peer must prove to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct AppKey {
    namespace: Arc<str>,
    app_id: Arc<str>,
}

#[derive(Debug)]
struct Replicas {
    /// The snapshot the peers were made from.
    addresses: Arc<[SocketAddr]>,
    peers: Arc<[Arc<Peer>]>,
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
        let key = AppKey {
            namespace: namespace.into(),
            app_id: app_id.into(),
        };
        if let Some(known) = apps.get(&key)
            && (Arc::ptr_eq(&known.addresses, addresses) || known.addresses == *addresses)
        {
            return Arc::clone(&known.peers);
        }
        let before = apps.get(&key).map(|known| Arc::clone(&known.peers));
        let peers: Arc<[Arc<Peer>]> = addresses
            .iter()
            .map(|address| {
                before
                    .iter()
                    .flat_map(|peers| peers.iter())
                    .find(|peer| peer.address() == *address)
                    .cloned()
                    .unwrap_or_else(|| {
                        Arc::new(Peer::new(
                            *address,
                            &key.namespace,
                            &key.app_id,
                            Arc::clone(&self.connector),
                        ))
                    })
            })
            .collect();
        apps.insert(
            key,
            Replicas {
                addresses: Arc::clone(addresses),
                peers: Arc::clone(&peers),
            },
        );
        peers
    }
}
