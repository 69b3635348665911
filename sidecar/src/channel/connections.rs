//! HTTP/2 connections of one worker to the app: one as a rule, further ones
//! past the number of calls it shares.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use api::envelope::Frame;
use h2::client::SendRequest;
use http::uri::{Authority, Scheme};
use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::net::TcpStream;

use super::{App, Protocol, dial_reason};
use crate::{
    rpc::Site,
    wire::{Gathered, Wire},
};

/// Calls that share a connection before another is made.
const SHARED: usize = 2048;
/// Time for TCP and TLS together.
const PATIENCE: Duration = Duration::from_secs(20);
/// Flow-control windows for answers; see `lifecycle::serve` for the sizes.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * STREAM_WINDOW;
/// Header list we take from the app: initial metadata or trailers.
const HEADER_LIST: u32 = 1024 * 1024;
/// Bytes of one stream waiting to be sent.
const SEND_BUFFER: usize = 128 * 1024;

#[derive(Debug)]
pub(super) struct Connections {
    app: Arc<App>,
    site: Site,
    tls: Option<Arc<ClientConfig>>,
    live: Mutex<Vec<Live>>,
    dialing: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Live {
    sender: SendRequest<Frame>,
    shared: Arc<Shared>,
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

/// Why the app cannot be reached, in Go's words.
#[derive(Debug, thiserror::Error)]
#[error("connection error: desc = \"{0}\"")]
pub(super) struct NoConnection(String);

impl Connections {
    pub(super) fn new(app: &Arc<App>) -> Self {
        // Proxied calls reach HTTP apps as well; TLS is the user's word.
        let is_tls = app.protocol.is_tls();
        Self {
            site: Site {
                scheme: if is_tls { Scheme::HTTPS } else { Scheme::HTTP },
                authority: Authority::try_from(app.authority.as_str()).ok(),
            },
            tls: is_tls.then(|| security::own_app_client(&[security::H2])),
            app: Arc::clone(app),
            live: Mutex::default(),
            dialing: tokio::sync::Mutex::new(()),
        }
    }

    /// Where the rpcs of the app are.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// A connection that takes a call, and whether it has been used before.
    pub(super) async fn get(&self) -> Result<(SendRequest<Frame>, Lease, bool), NoConnection> {
        if let Some((sender, lease)) = self.current() {
            return Ok((sender, lease, true));
        }
        let _one = self.dialing.lock().await;
        if let Some((sender, lease)) = self.current() {
            return Ok((sender, lease, true));
        }
        let live = self.connect().await?;
        let leased = lease(&live);
        self.live.lock().push(live);
        Ok((leased.0, leased.1, false))
    }

    fn current(&self) -> Option<(SendRequest<Frame>, Lease)> {
        let mut live = self.live.lock();
        live.retain(|live| !live.shared.ended.load(Ordering::Acquire));
        live.iter()
            .find(|live| live.shared.calls.load(Ordering::Relaxed) < SHARED)
            .map(lease)
    }

    /// The connection of this lease takes no more calls.
    pub(super) fn forget(lease: &Lease) {
        lease.0.ended.store(true, Ordering::Release);
    }

    async fn connect(&self) -> Result<Live, NoConnection> {
        let wire = tokio::time::timeout(PATIENCE, self.wire())
            .await
            .unwrap_or_else(|_| Err(NoConnection("context deadline exceeded".to_owned())))?;
        let flusher = wire.flusher();
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADER_LIST)
            .max_send_buffer_size(SEND_BUFFER)
            .enable_push(false)
            .handshake(wire)
            .await
            .map_err(|error| NoConnection(format!("transport: {error}")))?;
        let shared = Arc::new(Shared::default());
        let ended = Arc::clone(&shared);
        let drive = async move {
            // Calls on it learn of its end themselves.
            let _ = connection.await;
            ended.ended.store(true, Ordering::Release);
        };
        lifecycle::spawn("app connection", Gathered::new(flusher, drive)).detach();
        Ok(Live { sender, shared })
    }

    async fn wire(&self) -> Result<Wire, NoConnection> {
        let App { host, port, .. } = &*self.app;
        let dialled = |error: &io::Error| {
            let reason = dial_reason(error);
            let address = &self.app.authority;
            NoConnection(format!(
                "transport: Error while dialing: dial tcp {address}: {reason}"
            ))
        };
        let socket = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(|error| dialled(&error))?;
        let _ = socket.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return Ok(Wire::plain(socket));
        };
        let stream = tokio_rustls::TlsConnector::from(Arc::clone(tls))
            .connect(security::peer_name(), socket)
            .await
            .map_err(|error| {
                NoConnection(format!(
                    "transport: authentication handshake failed: {error}"
                ))
            })?;
        if self.app.protocol == Protocol::Grpcs && security::require_h2(stream.get_ref().1).is_err()
        {
            return Err(NoConnection(
                "transport: authentication handshake failed: the app's TLS does not offer HTTP/2 (ALPN h2)".to_owned(),
            ));
        }
        Ok(Wire::tls(stream.into()))
    }
}

fn lease(live: &Live) -> (SendRequest<Frame>, Lease) {
    (live.sender.clone(), Lease::new(&live.shared))
}
