//! A raw gRPC app: an HTTP/2 server that records what reaches it, message by
//! message, and answers by a script. It can also play an internal server.

mod call;
mod held;
mod kinds;
mod tap;
pub mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request};
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub use call::{GrpcCall, passed};
pub use held::HeldCall;
pub use kinds::{ON_INVOKE, failure, kinds};

use crate::ca::Svid;
use crate::peer::runtime::{runtime, settle};
use crate::serving::{Draining, Serving};
use crate::tls;
use crate::wait::{eventually, holds};
use call::Sender;
use tap::{Pings, Tap};
use wire::{Frames, GrpcMessage, GrpcStatus};

/// A running app.
#[derive(Debug)]
pub struct GrpcApp {
    tls: bool,
    shared: Arc<Shared>,
    serving: Serving,
}

/// How an app listens; by default in the clear on any port.
#[derive(Clone, Debug, Default)]
pub struct Listen {
    /// On this port, and not any.
    pub port: Option<u16>,
    /// With TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// Initial window of each stream in bytes, and not that of the standard.
    pub window: Option<u32>,
    /// So many calls at a time on one connection, and not any number.
    pub streams: Option<u32>,
    /// Bytes of messages are counted, but not kept.
    pub forgets: bool,
}

/// A call as it arrived.
#[derive(Clone, Debug, Default)]
pub struct GrpcSeen {
    /// The gRPC path.
    pub path: String,
    /// `:authority`.
    pub authority: String,
    /// The metadata.
    pub headers: HeaderMap,
    /// The messages so far.
    pub messages: Vec<GrpcMessage>,
    /// How many came so far.
    pub received: usize,
    /// The other side ended its messages in good order.
    pub half_closed: bool,
    /// The other side gave the call up.
    pub reset: Option<Reason>,
    /// The connection was lost before the end of the messages.
    pub lost: bool,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

/// Path of the health check.
pub const HEALTH_CHECK: &str = "/dapr.proto.runtime.v1.AppCallbackHealthCheck/HealthCheck";

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
type Script = Box<dyn Fn(GrpcCall) -> Work + Send + Sync>;
type Record = Arc<watch::Sender<GrpcSeen>>;

struct Shared {
    script: Script,
    forgets: bool,
    window: Option<u32>,
    streams: Option<u32>,
    calls: Mutex<Vec<Record>>,
    held: Mutex<Vec<HeldCall>>,
    health_checks: Mutex<Vec<GrpcSeen>>,
    unhealthy: AtomicBool,
    pings: Arc<Mutex<Pings>>,
}

// === impl GrpcApp ===

impl GrpcApp {
    /// Answers every call by `script`, all on one thread: it must not block.
    pub fn new<F>(script: impl Fn(GrpcCall) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::listening(Listen::default(), script)
    }

    /// [`Self::new`] with TLS and a certificate nobody knows.
    pub fn tls<F>(script: impl Fn(GrpcCall) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listen = Listen {
            tls: Some(tls::self_signed()),
            ..Listen::default()
        };
        Self::listening(listen, script)
    }

    /// Plays the internal server of a sidecar with this identity.
    pub fn peer<F>(svid: &Svid, script: impl Fn(GrpcCall) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listen = Listen {
            tls: Some(tls::server(svid)),
            ..Listen::default()
        };
        Self::listening(listen, script)
    }

    /// [`Self::new`], listening as asked.
    pub fn listening<F>(
        listen: Listen,
        script: impl Fn(GrpcCall) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start(listen, Box::new(move |call| Box::pin(script(call))))
    }

    /// Every call waits for [`Self::next`], by which the test plays it.
    pub fn held() -> Self {
        Self::held_listening(Listen::default())
    }

    /// [`Self::held`], listening as asked.
    pub fn held_listening(listen: Listen) -> Self {
        let shared: Arc<std::sync::OnceLock<std::sync::Weak<Shared>>> = Arc::default();
        let owner = shared.clone();
        let app = Self::listening(listen, move |call| {
            let (held, playing) = HeldCall::new(call);
            if let Some(shared) = owner.get().and_then(std::sync::Weak::upgrade) {
                shared.held.lock().push(held);
            }
            playing
        });
        let _ = shared.set(Arc::downgrade(&app.shared));
        app
    }

    fn start(listen: Listen, script: Script) -> Self {
        let Listen {
            port,
            tls,
            window,
            streams,
            forgets,
        } = listen;
        let shared = Arc::new(Shared {
            script,
            forgets,
            window,
            streams,
            calls: Mutex::default(),
            held: Mutex::default(),
            health_checks: Mutex::default(),
            unhealthy: AtomicBool::new(false),
            pings: Arc::default(),
        });
        let acceptor = tls.map(TlsAcceptor::from);
        let is_tls = acceptor.is_some();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
        let owner = shared.clone();
        let serving = Serving::start(address, move |stream, index, draining| {
            secure(stream, acceptor.clone(), owner.clone(), index, draining)
        });
        Self {
            tls: is_tls,
            shared,
            serving,
        }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.serving.port()
    }

    /// The `--app-protocol` it speaks.
    pub fn protocol(&self) -> &'static str {
        if self.tls { "grpcs" } else { "grpc" }
    }

    /// The calls so far, without health checks. This and all that follow wait
    /// until what has reached the app is noted.
    pub fn seen(&self) -> Vec<GrpcSeen> {
        settle();
        let calls = self.shared.calls.lock();
        calls.iter().map(|record| record.borrow().clone()).collect()
    }

    /// How many calls have begun so far.
    pub fn count(&self) -> usize {
        settle();
        self.shared.calls.lock().len()
    }

    /// The calls since the last time.
    pub fn take(&self) -> Vec<GrpcSeen> {
        settle();
        let taken = std::mem::take(&mut *self.shared.calls.lock());
        taken.iter().map(|record| record.borrow().clone()).collect()
    }

    /// The one call since the last time.
    #[track_caller]
    pub fn take_one(&self) -> GrpcSeen {
        let mut seen = self.take();
        assert_eq!(seen.len(), 1, "the app saw {seen:#?}");
        seen.remove(0)
    }

    /// Waits until `count` calls have begun.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        holds(&format!("the app saw {count} calls"), || {
            self.count() >= count
        });
    }

    /// The next call of a [`Self::held`] app.
    #[track_caller]
    pub fn next(&self) -> HeldCall {
        eventually("a call reaches the app", || self.try_next())
    }

    /// [`Self::next`] if it is there already.
    pub fn try_next(&self) -> Option<HeldCall> {
        settle();
        let mut held = self.shared.held.lock();
        (!held.is_empty()).then(|| held.remove(0))
    }

    /// How many TCP connections were made.
    pub fn connections(&self) -> usize {
        settle();
        self.serving.connections()
    }

    /// When the other side sent HTTP/2 pings.
    pub fn pings(&self) -> Vec<Instant> {
        self.shared.pings.lock().at.clone()
    }

    /// The most pings that a real sidecar would have held against the other
    /// side at a time: at the third it hangs up.
    pub fn ping_strikes(&self) -> usize {
        self.shared.pings.lock().strikes
    }

    /// What health checks say from now on.
    pub fn healthy(&self, healthy: bool) {
        self.shared.unhealthy.store(!healthy, Ordering::SeqCst);
    }

    /// The health checks so far.
    pub fn health_checks(&self) -> Vec<GrpcSeen> {
        settle();
        self.shared.health_checks.lock().clone()
    }

    /// Ends as servers do: stops listening, sends GOAWAY, and waits until
    /// the calls that run are answered.
    pub fn drain(&self) {
        self.serving.drain();
    }

    /// Stops listening and cuts every connection.
    pub fn stop(&self) {
        self.serving.stop();
    }
}

// === impl Shared ===

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl GrpcSeen {
    /// The first value of a metadata entry as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of a metadata entry, in order.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.filter_map(|value| value.to_str().ok()).collect()
    }

    /// The messages as text.
    pub fn texts(&self) -> Vec<String> {
        self.messages.iter().map(GrpcMessage::text).collect()
    }
}

async fn secure(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    index: usize,
    draining: Draining,
) {
    match tls {
        None => connection(stream, shared, index, draining).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                connection(stream, shared, index, draining).await;
            }
        }
    }
}

async fn connection<S>(stream: S, shared: Arc<Shared>, index: usize, mut draining: Draining)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const HEADER_LIST: u32 = 1 << 20;
    let mut builder = h2::server::Builder::new();
    builder
        .max_header_list_size(HEADER_LIST)
        // A held call stops neither others nor the connection.
        .initial_connection_window_size(16 << 20)
        // Like Go's servers it never hangs up on who gives up many calls that
        // it was too slow to accept.
        .max_pending_accept_reset_streams(usize::MAX)
        .data_frame_budget(usize::MAX);
    if let Some(window) = shared.window {
        builder.initial_window_size(window);
    }
    if let Some(streams) = shared.streams {
        builder.max_concurrent_streams(streams);
    }
    let tap = Tap::new(stream, shared.pings.clone());
    let Ok(mut connection) = builder.handshake(tap).await else {
        return;
    };
    let mut calls = JoinSet::new();
    let mut told = false;
    loop {
        let accepted = tokio::select! {
            () = draining.started(), if !told => {
                connection.graceful_shutdown();
                told = true;
                continue;
            }
            accepted = connection.accept() => accepted,
        };
        let Some(Ok((request, respond))) = accepted else {
            return;
        };
        calls.spawn_on(serve(request, respond, shared.clone(), index), runtime());
        while calls.try_join_next().is_some() {}
    }
}

/// Plays one call; the script and the watch for a reset share a task, since
/// HTTP/2 wakes only one for the sending side of a stream.
async fn serve(
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
    connection: usize,
) {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let record = Arc::new(watch::Sender::new(GrpcSeen {
        path: path.clone(),
        authority: head
            .uri
            .authority()
            .map(ToString::to_string)
            .unwrap_or_default(),
        headers: head.headers.clone(),
        connection,
        ..GrpcSeen::default()
    }));
    let is_health_check = path == HEALTH_CHECK;
    if !is_health_check {
        shared.calls.lock().push(record.clone());
    }
    let (messages, received) = mpsc::unbounded_channel();
    let (reads, may_read) = watch::channel(true);
    let reading = read(body, messages, record.clone(), may_read, shared.forgets);
    let reading = runtime().spawn(reading);
    let sender = Arc::new(Mutex::new(Sender::Head(respond)));
    let call = GrpcCall {
        headers: head.headers,
        path,
        messages: received,
        record: record.clone(),
        sender: sender.clone(),
        reads,
    };
    if is_health_check {
        check_health(call, &shared).await;
        return;
    }
    let mut script = pin!((shared.script)(call));
    std::future::poll_fn(|cx| {
        if script.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if let Poll::Ready(Some(reason)) = sender.lock().poll_reset(cx) {
            record.send_if_modified(|seen| {
                let news = seen.reset.is_none();
                seen.reset = seen.reset.or(Some(reason));
                news
            });
        }
        Poll::Pending
    })
    .await;
    // What comes after the answer is recorded as well.
    let _ = reading.await;
}

async fn check_health(mut call: GrpcCall, shared: &Shared) {
    call.receive_all().await;
    shared
        .health_checks
        .lock()
        .push(call.record.borrow().clone());
    if shared.unhealthy.load(Ordering::SeqCst) {
        call.end(&GrpcStatus::error(14, "not healthy"));
    } else {
        call.send([]).await;
        call.end(&GrpcStatus::ok());
    }
}

async fn read(
    mut body: RecvStream,
    messages: mpsc::UnboundedSender<GrpcMessage>,
    record: Record,
    mut may_read: watch::Receiver<bool>,
    forgets: bool,
) {
    let mut frames = Frames::default();
    loop {
        let _ = may_read.wait_for(|&may| may).await;
        let Some(piece) = body.data().await else {
            break;
        };
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                record.send_modify(|seen| match error.reason() {
                    Some(reason) if error.is_reset() => seen.reset = Some(reason),
                    _ => seen.lost = true,
                });
                return;
            }
        };
        let _ = body.flow_control().release_capacity(piece.len());
        frames.push(&piece);
        while let Some(message) = frames.next() {
            record.send_modify(|seen| {
                seen.received += 1;
                if !forgets {
                    seen.messages.push(message.clone());
                }
            });
            let _ = messages.send(message);
        }
    }
    record.send_modify(|seen| seen.half_closed = true);
}

#[cfg(test)]
mod tests;
