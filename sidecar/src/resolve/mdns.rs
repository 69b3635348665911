//! Multicast DNS, compatible with Dapr's: sidecars on one network find each
//! other without any server.
//!
//! [`packets`] is the wire, [`service`] what we say about ourselves,
//! [`cache`] what others said, [`socket`] and [`interfaces`] the network;
//! [`task`] ties them together on the control thread. A machine without
//! multicast is no error: interfaces that come later are joined.

mod cache;
mod interfaces;
mod packets;
mod service;
mod socket;
mod task;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{info, warn};

pub(super) use self::service::ServiceError;

use self::cache::Cache;
use self::service::Service;
use self::task::{Parts, Task};
use super::cache::Changes;
use super::{Me, ResolveError};
use crate::host;

/// How long a look-up waits for the first answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Changes not yet passed on; one that finds no room is noticed a second
/// later.
const CHANGES: usize = 64;

/// The reading side.
#[derive(Debug)]
pub(super) struct Mdns {
    shared: Arc<Shared>,
    changes: Option<Changes>,
}

/// Our entry, for as long as it is not withdrawn.
#[derive(Debug)]
pub(crate) struct Registration {
    farewell: oneshot::Sender<oneshot::Sender<()>>,
}

/// Between the task and those who look up.
#[derive(Debug, Default)]
struct Shared {
    cache: Mutex<Cache>,
    /// Something new is in the cache.
    arrived: Notify,
    /// Something is to be asked.
    wake: Notify,
    /// There is an interface to ask on.
    reachable: AtomicBool,
}

/// Who else finds apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    RunRegistry,
    Nobody,
}

impl Beside {
    fn advice(self) -> &'static str {
        match self {
            Self::RunRegistry => {
                "only apps that dapr run started on this machine find each other; \
                 to reach others set spec.nameResolution.component to sqlite in the Configuration"
            }
            Self::Nobody => {
                "no app is found until that changes; start apps with dapr run, or set \
                 spec.nameResolution.component to sqlite in the Configuration"
            }
        }
    }
}

impl Mdns {
    /// Announces this sidecar and begins to listen, on the current runtime.
    /// One whose name does not fit into mDNS finds others all the same.
    pub(super) fn start(me: &Me, beside: Beside) -> Result<(Self, Registration), ServiceError> {
        let service = match Service::new(me, &host::name(), std::process::id()) {
            Err(error @ ServiceError::Name(_)) => {
                warn!(target: "dapr.contrib", "this app is not announced, others do not find it by mDNS: {error}");
                None
            }
            announced => Some(announced?),
        };
        let shared = Arc::new(Shared::default());
        let (farewell, farewell_asked) = oneshot::channel();
        let (news, changes) = mpsc::channel(CHANGES);
        if service.is_some() {
            info!(
                target: "dapr.contrib",
                "local service entry announced: {} -> {}", me.app_id, me.host_port()
            );
        }
        let task = Task::new(Parts {
            service,
            shared: Arc::clone(&shared),
            news,
            farewell: farewell_asked,
            advice: beside.advice(),
        });
        lifecycle::spawn("mdns", task.run()).detach();
        let mdns = Self {
            shared,
            changes: Some(changes),
        };
        Ok((mdns, Registration { farewell }))
    }

    /// Addresses of all live instances of the app; waits for the first one.
    pub(super) async fn lookup(&self, app_id: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let Shared {
            cache,
            arrived,
            wake,
            reachable,
        } = &*self.shared;
        let asked = Instant::now();
        let mut found = cache.lock().look_up(app_id, asked);
        if found.is_empty() {
            wake.notify_one();
        }
        let deadline = asked + PATIENCE;
        while found.is_empty() {
            let mut news = pin!(arrived.notified());
            // From here on no news is missed.
            news.as_mut().enable();
            found = cache.lock().get(app_id, Instant::now());
            if !found.is_empty() {
                break;
            }
            let is_hopeless =
                !reachable.load(Ordering::Relaxed) || !cache.lock().is_asked_for(app_id);
            let is_over = is_hopeless
                || tokio::time::timeout_at(deadline.into(), news)
                    .await
                    .is_err();
            if is_over {
                cache.lock().forget(app_id, asked);
                return Err(ResolveError::NoService(app_id.to_owned()));
            }
        }
        Ok(found)
    }

    /// Nobody is at `address`.
    pub(super) fn refused(&self, app_id: &str, address: SocketAddr) {
        let mut cache = self.shared.cache.lock();
        cache.refused(app_id, address, Instant::now());
        self.shared.wake.notify_one();
    }

    /// Word of what changes; to be had once.
    pub(super) fn changes(&mut self) -> Option<Changes> {
        self.changes.take()
    }
}

impl Registration {
    /// Tells everybody that we are gone.
    pub(super) async fn withdraw(self) {
        let (done, told) = oneshot::channel();
        if self.farewell.send(done).is_ok() {
            // Fails only with the task, and then nobody can be told.
            let _ = told.await;
        }
    }
}
