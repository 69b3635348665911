//! One replica of an app: its connection, its load, and whether it can be
//! relied on at the moment.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use api::envelope::Frame;
use h2::{
    Ping,
    client::{Connection, SendRequest},
};
use http::{Uri, uri::Scheme};
use parking_lot::Mutex;
use rustls::ClientConfig;
use tracing::{debug, error, info};

use super::{
    Connector,
    connect::{ConnectError, Connected},
};
use crate::{
    rpc::Site,
    wire::{Gathered, Wire},
};

/// Real sidecars count pings less than 8 s apart, and end the connection at
/// the third that no answer of theirs lies between.
const PING_FLOOR: Duration = Duration::from_secs(9);
/// Time between two pings on a silent connection.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Time for the answer to a ping.
const PING_PATIENCE: Duration = Duration::from_secs(3);
/// Silence with calls waiting after which the connection is doubted: one
/// early ping per silence.
const DOUBT_AFTER: Duration = Duration::from_secs(1);
/// How often the connection is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Time before a replica that asked to be left is tried again: names have
/// caught up with an ending pod by then.
const LEFT: Duration = Duration::from_secs(10);
/// Time a replica in trouble is remembered after names stopped listing it.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Pauses between probes of a replica that failed.
const FIRST_PROBE: Duration = Duration::from_millis(250);
const LAST_PROBE: Duration = Duration::from_secs(10);
/// A farewell on a connection used within this time says that the replica
/// ends; later it may just tidy up.
const RECENT: Duration = Duration::from_secs(30);
/// Unused connections are closed after this time.
const IDLE_LIFE: Duration = Duration::from_mins(3);

/// A replica; shared by all calls of one worker.
#[derive(Debug)]
pub(crate) struct Peer {
    address: SocketAddr,
    site: Site,
    stream_uri: Uri,
    unary_uri: Uri,
    tls: Option<Arc<ClientConfig>>,
    connector: Arc<Connector>,
    live: Mutex<Option<Live>>,
    dialing: tokio::sync::Mutex<Option<Failure>>,
    in_flight: AtomicUsize,
    /// A connection stands.
    connected: AtomicBool,
    /// One is being made ahead of calls.
    warming: AtomicBool,
    /// Calls go elsewhere if they can.
    avoided: AtomicBool,
    probing: AtomicBool,
    /// A peer set up otherwise has been logged.
    reported: AtomicBool,
}

#[derive(Clone, Debug)]
struct Live {
    sender: SendRequest<Frame>,
    /// Set once the connection takes no more calls.
    ended: Arc<AtomicBool>,
}

/// The last failed dial, so that callers who waited for it share it.
#[derive(Debug)]
struct Failure {
    at: Instant,
    error: Arc<ConnectError>,
}

/// Counts a call towards the load of its replica until dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Peer>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Peer {
    pub(super) fn new(
        address: SocketAddr,
        namespace: &str,
        app_id: &str,
        connector: Arc<Connector>,
    ) -> Self {
        let tls = connector.tls(namespace, app_id);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let uri = |rpc: &str| {
            Uri::try_from(format!(
                "{scheme}://{address}/dapr.proto.internals.v1.ServiceInvocation/{rpc}"
            ))
            .unwrap_or_default()
        };
        let stream_uri = uri("CallLocalStream");
        Self {
            address,
            site: Site {
                scheme: if tls.is_some() {
                    Scheme::HTTPS
                } else {
                    Scheme::HTTP
                },
                authority: stream_uri.authority().cloned(),
            },
            stream_uri,
            unary_uri: uri("CallLocal"),
            tls,
            connector,
            live: Mutex::default(),
            dialing: tokio::sync::Mutex::new(None),
            in_flight: AtomicUsize::new(0),
            connected: AtomicBool::new(false),
            warming: AtomicBool::new(false),
            avoided: AtomicBool::new(false),
            probing: AtomicBool::new(false),
            reported: AtomicBool::new(false),
        }
    }

    /// Where the replica is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Calls running at the moment.
    pub(crate) fn load(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// True while the replica is better left alone.
    pub(crate) fn is_avoided(&self) -> bool {
        self.avoided.load(Ordering::Relaxed)
    }

    /// True while calls need not wait for a connection.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Connects in the background, so that no call waits for it.
    pub(crate) fn warm(self: &Arc<Self>) {
        if self.is_connected() || self.is_avoided() || self.warming.swap(true, Ordering::AcqRel) {
            return;
        }
        let peer = Arc::clone(self);
        lifecycle::spawn("peer dial", async move {
            if peer.sender().await.is_err() {
                peer.avoid();
            }
            peer.warming.store(false, Ordering::Release);
        })
        .detach();
    }

    /// Where its rpcs are.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    pub(super) fn stream_uri(&self) -> Uri {
        self.stream_uri.clone()
    }

    pub(super) fn unary_uri(&self) -> Uri {
        self.unary_uri.clone()
    }

    /// Counts a call.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Leaves the replica alone until a connection to it succeeds again; the
    /// connections are tried in the background.
    pub(crate) fn avoid(self: &Arc<Self>) {
        self.avoid_for(FIRST_PROBE);
    }

    /// As [`Self::avoid`], for a replica that said that it goes away.
    pub(super) fn leave(self: &Arc<Self>) {
        self.forget();
        self.avoid_for(LEFT);
    }

    fn avoid_for(self: &Arc<Self>, first: Duration) {
        self.avoided.store(true, Ordering::Relaxed);
        if self.probing.swap(true, Ordering::AcqRel) {
            return;
        }
        let peer = Arc::clone(self);
        lifecycle::spawn("peer probe", async move {
            let mut pause = first;
            let mut unresolved = Duration::ZERO;
            loop {
                tokio::time::sleep(pause).await;
                // Names may bring it back for a while, as they lag behind.
                if Arc::strong_count(&peer) == 1 {
                    unresolved += pause;
                    if unresolved >= REMEMBERED {
                        return;
                    }
                }
                if peer.sender().await.is_ok() {
                    peer.probing.store(false, Ordering::Release);
                    info!(target: "dapr.runtime.transport", address = %peer.address, "replica answers again");
                    return;
                }
                pause = (pause * 2).min(LAST_PROBE);
            }
        })
        .detach();
    }

    /// As [`Self::sender`], for callers that have another replica to go to:
    /// one whose packets vanish is given up early and dialled in the background.
    pub(super) async fn sender_soon(
        self: &Arc<Self>,
        patience: Option<Duration>,
    ) -> Result<SendRequest<Frame>, Arc<ConnectError>> {
        let Some(patience) = patience else {
            return self.sender().await;
        };
        match tokio::time::timeout(patience, self.sender()).await {
            Ok(made) => made,
            Err(_) => Err(Arc::new(ConnectError::Timeout {
                address: self.address,
                patience,
            })),
        }
    }

    /// A handle on the connection, made if there is none. Callers that come
    /// while it is being made wait for the one attempt.
    pub(super) async fn sender(self: &Arc<Self>) -> Result<SendRequest<Frame>, Arc<ConnectError>> {
        if let Some(sender) = self.current() {
            return Ok(sender);
        }
        let asked = Instant::now();
        let mut dialing = self.dialing.lock().await;
        if let Some(sender) = self.current() {
            return Ok(sender);
        }
        if let Some(failure) = dialing.as_ref().filter(|failure| failure.at > asked) {
            return Err(Arc::clone(&failure.error));
        }
        // Large, and absent from most calls.
        let connect = self.connector.connect(self.address, self.tls.as_ref());
        match Box::pin(connect).await {
            Ok(connected) => {
                *dialing = None;
                self.avoided.store(false, Ordering::Relaxed);
                Ok(self.adopt(connected))
            }
            Err(error) => {
                let error = Arc::new(error);
                self.report(&error);
                *dialing = Some(Failure {
                    at: Instant::now(),
                    error: Arc::clone(&error),
                });
                Err(error)
            }
        }
    }

    /// A peer that is set up otherwise than we are is the user's to mend:
    /// said once. Anything else is part of life.
    fn report(&self, error: &ConnectError) {
        let is_setup = matches!(
            error,
            ConnectError::NotTls { .. } | ConnectError::Tls { .. } | ConnectError::Http2 { .. }
        );
        if is_setup && !self.reported.swap(true, Ordering::Relaxed) {
            error!(target: "dapr.runtime.transport", "{error}");
        } else {
            debug!(target: "dapr.runtime.transport", "{error}");
        }
    }

    fn current(&self) -> Option<SendRequest<Frame>> {
        let live = self.live.lock();
        live.as_ref()
            .filter(|live| !live.ended.load(Ordering::Acquire))
            .map(|live| live.sender.clone())
    }

    /// Forgets the connection; running calls go on.
    pub(super) fn forget(&self) {
        if let Some(live) = self.live.lock().take() {
            live.ended.store(true, Ordering::Release);
            self.connected.store(false, Ordering::Relaxed);
        }
    }

    /// The connection with this mark is gone, unless another took its place.
    fn lost(&self, ended: &Arc<AtomicBool>) {
        let live = self.live.lock();
        if live
            .as_ref()
            .is_some_and(|live| Arc::ptr_eq(&live.ended, ended))
        {
            self.connected.store(false, Ordering::Relaxed);
        }
    }

    fn adopt(self: &Arc<Self>, connected: Connected) -> SendRequest<Frame> {
        let Connected {
            sender,
            connection,
            read,
            flusher,
        } = connected;
        let ended = Arc::new(AtomicBool::new(false));
        *self.live.lock() = Some(Live {
            sender: sender.clone(),
            ended: Arc::clone(&ended),
        });
        self.connected.store(true, Ordering::Relaxed);
        let watcher = Watcher {
            peer: Arc::downgrade(self),
            read,
            ended,
            recent: AtomicBool::new(true),
        };
        lifecycle::spawn(
            "peer connection",
            Gathered::new(flusher, watcher.drive(connection)),
        )
        .detach();
        sender
    }
}

/// Drives a connection and notices when its peer has fallen silent.
struct Watcher {
    peer: std::sync::Weak<Peer>,
    read: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    /// Calls used it lately.
    recent: AtomicBool,
}

impl Watcher {
    async fn drive(self, mut connection: Connection<Wire, Frame>) {
        let mut pings = connection.ping_pong();
        let watch = async {
            match &mut pings {
                Some(pings) => self.watch(pings).await,
                None => std::future::pending().await,
            }
        };
        // Dropping the connection fails every call on it.
        tokio::select! {
            ended = connection => {
                // A farewell; breaking off is an error.
                let left = match ended {
                    Ok(()) => true,
                    Err(error) => {
                        debug!(target: "dapr.runtime.transport", %error, "peer connection ended");
                        error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR)
                    }
                };
                let left = left && self.recent.load(Ordering::Relaxed);
                if let Some(peer) = self.peer.upgrade().filter(|_| left) {
                    peer.avoid_for(LEFT);
                }
            }
            () = watch => {}
        }
        self.ended.store(true, Ordering::Release);
        if let Some(peer) = self.peer.upgrade() {
            peer.lost(&self.ended);
        }
    }

    /// Returns when the connection is to be given up: a ping went unanswered,
    /// or nothing has used it for long.
    async fn watch(&self, pings: &mut h2::PingPong) {
        let mut seen = self.read.load(Ordering::Relaxed);
        let mut quiet_since = Instant::now();
        let mut pinged_at = None;
        let mut used_at = Instant::now();
        let mut doubted = false;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = Instant::now();
            let read = self.read.load(Ordering::Relaxed);
            if read != seen {
                seen = read;
                quiet_since = now;
                used_at = now;
                doubted = false;
            }
            let waiting = self.peer.upgrade().is_some_and(|peer| peer.load() > 0);
            if waiting {
                used_at = now;
            } else if now - used_at > IDLE_LIFE {
                return;
            }
            self.recent.store(now - used_at < RECENT, Ordering::Relaxed);
            let quiet = now - quiet_since;
            let may_ping = pinged_at.is_none_or(|pinged_at| now - pinged_at >= PING_FLOOR);
            let early = waiting && !doubted && quiet >= DOUBT_AFTER;
            let regular = quiet >= PING_INTERVAL;
            if !(may_ping && (early || regular)) {
                continue;
            }
            doubted = true;
            pinged_at = Some(now);
            let answer = tokio::time::timeout(PING_PATIENCE, pings.ping(Ping::opaque())).await;
            if !matches!(answer, Ok(Ok(_))) && self.read.load(Ordering::Relaxed) == seen {
                if let Some(peer) = self.peer.upgrade() {
                    info!(target: "dapr.runtime.transport", address = %peer.address, "replica does not answer pings; leaving it");
                    peer.avoid();
                }
                return;
            }
            // The answer to a ping is no news from the app.
            seen = self.read.load(Ordering::Relaxed);
            quiet_since = Instant::now();
        }
    }
}
