//! HTTP/2 connections of one worker to the app: one as a rule, further ones
//! past the number of calls it shares. For gRPC and for HTTP alike.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use api::envelope::Frame;
use h2::client::{Connection, SendRequest};
use http::uri::{Authority, Scheme};
use parking_lot::Mutex;

use super::{
    App, MAX_CONNECTIONS, Protocol,
    dial::{DialError, Socket, Version},
};
use crate::{
    rpc::Site,
    wire::{Gathered, Wire},
};

/// Calls that share a connection before another is made.
const SHARED: usize = 2048;
/// Idleness after which a further connection is given up; the first stays.
const SPARE_LIFE: Duration = Duration::from_secs(90);
/// Time for TCP, TLS and the app's settings together.
const PATIENCE: Duration = Duration::from_secs(20);
/// Flow-control windows for answers; see `lifecycle::serve` for the sizes.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * STREAM_WINDOW;
/// Header list we take from the app, be it headers, metadata or trailers. It
/// bounds what a call can make us keep, far above what apps send.
pub(super) const HEADER_LIST: u32 = 1024 * 1024;
/// Bytes of one stream waiting to be sent.
const SEND_BUFFER: usize = 128 * 1024;
/// Stands for the app's limit of streams until it has told it.
const UNTOLD: usize = usize::MAX - 1;

#[derive(Debug)]
pub(super) struct Connections {
    app: Arc<App>,
    site: Site,
    live: Mutex<Vec<Live>>,
    dialing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Live {
    sender: SendRequest<Frame>,
    shared: Arc<Shared>,
    /// When it was first found without calls.
    spare_since: Option<Instant>,
}

/// A connection that takes a call.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) sender: SendRequest<Frame>,
    pub(super) lease: Lease,
    /// It has been used before.
    pub(super) is_reused: bool,
}

#[derive(Debug, Default)]
struct Shared {
    calls: AtomicUsize,
    ended: AtomicBool,
}

/// A connection for one call; counted until dropped.
#[derive(Debug)]
pub(super) struct Lease(Arc<Shared>);

impl Lease {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.calls.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Clone for Lease {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why there is no connection: the app has not seen anything of a call.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConnection {
    /// Neither TCP nor TLS.
    #[error(transparent)]
    Dial(DialError),
    /// The app did not begin to speak HTTP/2 in time.
    #[error("context deadline exceeded")]
    Late,
    /// What the app speaks is not HTTP/2.
    #[error("{reason}; the app at {address} does not answer in HTTP/2, {advice}")]
    Foreign {
        /// What became of the connection.
        reason: &'static str,
        /// `host:port`.
        address: String,
        /// What to set.
        advice: &'static str,
    },
}

impl Connections {
    pub(super) fn new(app: &Arc<App>) -> Self {
        // Proxied calls reach HTTP apps as well; TLS is the user's word.
        let scheme = if app.protocol.is_tls() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        };
        Self {
            site: Site {
                scheme,
                authority: Authority::try_from(app.authority.as_str()).ok(),
            },
            app: Arc::clone(app),
            live: Mutex::default(),
            dialing: tokio::sync::Mutex::new(()),
        }
    }

    /// Where the rpcs of the app are.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// A connection that takes a call.
    pub(super) async fn ready(&self) -> Result<Ready, NoConnection> {
        loop {
            let Ready {
                sender,
                lease,
                is_reused,
            } = self.get().await?;
            if let Ok(sender) = sender.ready().await {
                return Ok(Ready {
                    sender,
                    lease,
                    is_reused,
                });
            }
            Self::forget(&lease);
            if !is_reused {
                return Err(self.no_http2(None));
            }
        }
    }

    async fn get(&self) -> Result<Ready, NoConnection> {
        if let Some(ready) = self.current() {
            return Ok(ready);
        }
        let _one = self.dialing.lock().await;
        if let Some(ready) = self.current() {
            return Ok(ready);
        }
        let live = self.connect().await?;
        let ready = live.lease(false);
        self.live.lock().push(live);
        Ok(ready)
    }

    fn current(&self) -> Option<Ready> {
        let mut live = self.live.lock();
        live.retain(|live| !live.shared.ended.load(Ordering::Acquire));
        if live.len() > 1 {
            give_up_spares(&mut live, Instant::now());
        }
        let free = live.iter().find(|live| live.calls() < self.shared_by(live));
        match free {
            Some(free) => Some(free.lease(true)),
            None if live.len() < MAX_CONNECTIONS => None,
            None => live
                .iter()
                .min_by_key(|live| live.calls())
                .map(|least| least.lease(true)),
        }
    }

    /// Calls a connection takes before there is another. gRPC apps see calls
    /// above their own limit wait, as Dapr has it.
    fn shared_by(&self, live: &Live) -> usize {
        match self.app.protocol {
            Protocol::H2c | Protocol::Https => {
                live.sender.current_max_send_streams().clamp(1, SHARED)
            }
            Protocol::Http | Protocol::Grpc | Protocol::Grpcs => SHARED,
        }
    }

    /// The connection of this lease takes no more calls.
    pub(super) fn forget(lease: &Lease) {
        lease.0.ended.store(true, Ordering::Release);
    }

    async fn connect(&self) -> Result<Live, NoConnection> {
        // Large, and absent from most calls.
        tokio::time::timeout(PATIENCE, Box::pin(self.begin()))
            .await
            .unwrap_or(Err(NoConnection::Late))
    }

    /// Connects and waits for the app's settings: what is no HTTP/2 shows
    /// before a call is sent, and so does the number of streams.
    async fn begin(&self) -> Result<Live, NoConnection> {
        let wire = match self.app.dial(Version::Http2).await {
            Ok(Socket::Plain(socket)) => Wire::plain(socket),
            Ok(Socket::Tls(stream)) => Wire::tls((*stream).into()),
            Err(error) => return Err(NoConnection::Dial(error)),
        };
        let (flusher, driven) = (wire.flusher(), wire.flusher());
        let (sender, mut connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADER_LIST)
            .max_send_buffer_size(SEND_BUFFER)
            .initial_max_send_streams(UNTOLD)
            .enable_push(false)
            .handshake(wire)
            .await
            .map_err(|error| self.no_http2(Some(&error)))?;
        Gathered::new(flusher, told(&mut connection))
            .await
            .map_err(|error| self.no_http2(error.as_ref()))?;
        let shared = Arc::new(Shared::default());
        let ended = Arc::clone(&shared);
        let drive = async move {
            // Calls on it learn of its end themselves.
            let _ = connection.await;
            ended.ended.store(true, Ordering::Release);
        };
        lifecycle::spawn("app connection", Gathered::new(driven, drive)).detach();
        Ok(Live {
            sender,
            shared,
            spare_since: None,
        })
    }

    /// The connection ended before it began.
    fn no_http2(&self, error: Option<&h2::Error>) -> NoConnection {
        NoConnection::Foreign {
            reason: match error {
                Some(error) if !error.is_io() => "http2: frame too large",
                _ => "EOF",
            },
            address: self.app.authority.clone(),
            advice: match self.app.protocol {
                Protocol::Grpc | Protocol::Grpcs => "does it speak gRPC?",
                Protocol::Http | Protocol::Https | Protocol::H2c => {
                    "set --app-protocol http, or https if it speaks TLS"
                }
            },
        }
    }
}

impl Live {
    fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::Relaxed)
    }

    fn lease(&self, is_reused: bool) -> Ready {
        Ready {
            sender: self.sender.clone(),
            lease: Lease::new(&self.shared),
            is_reused,
        }
    }
}

/// Connections end once nobody holds a sender of theirs.
fn give_up_spares(live: &mut Vec<Live>, now: Instant) {
    let mut is_first = true;
    live.retain_mut(|live| {
        if std::mem::take(&mut is_first) || live.calls() > 0 {
            live.spare_since = None;
            return true;
        }
        now - *live.spare_since.get_or_insert(now) < SPARE_LIFE
    });
}

/// Drives a new connection until the app's settings are there; `None` when it
/// ended before.
async fn told(connection: &mut Connection<Wire, Frame>) -> Result<(), Option<h2::Error>> {
    std::future::poll_fn(|context| {
        let polled = Pin::new(&mut *connection).poll(context);
        if connection.max_concurrent_send_streams() != UNTOLD {
            // Whatever else has come shows to the calls.
            return Poll::Ready(Ok(()));
        }
        polled.map(|ended| Err(ended.err()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn live() -> Live {
        let (near, _far) = tokio::io::duplex(1024);
        let (sender, _connection) = h2::client::Builder::new().handshake(near).await.unwrap();
        Live {
            sender,
            shared: Arc::default(),
            spare_since: None,
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn further_connections_without_calls_are_given_up_in_time() {
        let mut all = vec![live().await, live().await, live().await];
        let busy = Lease::new(&all[2].shared);
        let start = Instant::now();
        give_up_spares(&mut all, start);
        assert_eq!(all.len(), 3);
        give_up_spares(&mut all, start + SPARE_LIFE);
        // The first stays, and so does the one with a call.
        assert_eq!(all.len(), 2);
        drop(busy);
        give_up_spares(&mut all, start + SPARE_LIFE * 2);
        assert_eq!(all.len(), 2, "its idleness has only begun");
        give_up_spares(&mut all, start + SPARE_LIFE * 3);
        assert_eq!(all.len(), 1);
    }
}
