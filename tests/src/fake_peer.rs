//! A sidecar that is not one: an HTTP/2 server on an internal port that
//! records what our caller sends and answers with the test's own messages,
//! presenting whatever certificate the test made.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::envelope::FrameReader;
use api::internals::v1::InternalInvokeRequestStream;
use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use parking_lot::Mutex;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::ca::Svid;
use crate::peer::frame;
use crate::peer::runtime::{runtime, settle};
use crate::tls;

/// A listening peer.
#[derive(Debug)]
pub struct FakePeer {
    port: u16,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

/// A call our sidecar made.
#[derive(Clone, Debug)]
pub struct PeerCall {
    /// The gRPC path.
    pub path: String,
    /// gRPC metadata.
    pub headers: HeaderMap,
    /// Messages without their length prefix.
    pub messages: Vec<Bytes>,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

/// What to answer.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Messages without their length prefix.
    pub messages: Vec<Vec<u8>>,
    /// `grpc-status`.
    pub code: u32,
    /// `grpc-message`.
    pub message: String,
    /// Ends the stream with RST_STREAM instead of trailers.
    pub reset: bool,
}

type Script = Box<dyn Fn(&PeerCall) -> Reply + Send + Sync>;

struct Shared {
    script: Script,
    calls: Mutex<Vec<PeerCall>>,
    connections: AtomicUsize,
}

// === impl FakePeer ===

impl FakePeer {
    /// Serves without TLS.
    pub fn plain(script: impl Fn(&PeerCall) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(None, Box::new(script))
    }

    /// Serves with TLS, presenting `svid` and accepting every client.
    pub fn tls(svid: &Svid, script: impl Fn(&PeerCall) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(Some(TlsAcceptor::from(tls::server(svid))), Box::new(script))
    }

    fn start(tls: Option<TlsAcceptor>, script: Script) -> Self {
        let shared = Arc::new(Shared {
            script,
            calls: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let listener = runtime()
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let serving = runtime().spawn(accept(listener, tls, shared.clone()));
        Self {
            port,
            shared,
            serving,
        }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<PeerCall> {
        settle();
        self.shared.calls.lock().clone()
    }

    /// How many TCP connections were made.
    pub fn connections(&self) -> usize {
        settle();
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for FakePeer {
    fn drop(&mut self) {
        self.serving.abort();
        settle();
    }
}

// === impl PeerCall ===

impl PeerCall {
    /// The first message of a `CallLocalStream`.
    #[track_caller]
    pub fn first(&self) -> InternalInvokeRequestStream {
        let first = self.messages.first().expect("the caller sent a message");
        InternalInvokeRequestStream::decode(first.clone()).expect("a stream message")
    }

    /// Values of a metadata entry of the first message, by exact key.
    pub fn metadata(&self, key: &str) -> Vec<String> {
        let request = self.first().request.expect("the first message has one");
        request
            .metadata
            .get(key)
            .map(|list| list.values.clone())
            .unwrap_or_default()
    }
}

// === impl Reply ===

impl Reply {
    /// An OK answer of these messages.
    pub fn messages<M: Message>(messages: &[M]) -> Self {
        Self {
            messages: messages.iter().map(Message::encode_to_vec).collect(),
            ..Self::default()
        }
    }

    /// No message, this status.
    pub fn status(code: u32, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
            ..Self::default()
        }
    }
}

// === impl Shared ===

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // Connections end with the server: the set aborts them when dropped.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let index = shared.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn_on(
            secure(stream, tls.clone(), shared.clone(), index),
            runtime(),
        );
    }
}

async fn secure(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>, index: usize) {
    match tls {
        None => serve(stream, shared, index).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, shared, index).await;
            }
        }
    }
}

async fn serve<S>(stream: S, shared: Arc<Shared>, index: usize)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    let mut calls = tokio::task::JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        calls.spawn_on(answer(request, respond, shared.clone(), index), runtime());
    }
}

async fn answer(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
    connection: usize,
) -> Option<()> {
    let (head, mut body) = request.into_parts();
    let mut reader = FrameReader::new(64 << 20);
    let mut messages = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.ok()?;
        let _ = body.flow_control().release_capacity(piece.len());
        reader.push(piece);
        while let Some(message) = reader.next_message().ok()? {
            messages.push(message);
        }
    }
    let call = PeerCall {
        path: head.uri.path().to_owned(),
        headers: head.headers,
        messages,
        connection,
    };
    let reply = (shared.script)(&call);
    shared.calls.lock().push(call);
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .ok()?;
    let mut stream = respond.send_response(response, false).ok()?;
    for message in &reply.messages {
        stream.send_data(frame(message), false).ok()?;
    }
    if reply.reset {
        stream.send_reset(h2::Reason::INTERNAL_ERROR);
        return Some(());
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", reply.code.into());
    trailers.insert("grpc-message", reply.message.parse().ok()?);
    stream.send_trailers(trailers).ok()
}
