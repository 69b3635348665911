//! Accepting connections and serving HTTP on them until a drain.

use std::{io, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tracing::debug;

use crate::{drain::Watch, task::Executor, workers::Workers};

/// Pause after a failed accept: out of file descriptors does not go away by
/// asking again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listening socket of either family.
pub trait Listener: Send + Sized + 'static {
    /// A connection that belongs to no runtime yet.
    type Socket: Send + 'static;
    /// A connection of a runtime.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// The listener, registered with a runtime.
    type Registered: Send + Sync;

    /// Registers the listener with the current runtime.
    fn register(self) -> io::Result<Self::Registered>;
    /// Waits for a connection.
    fn accept(listener: &Self::Registered)
    -> impl Future<Output = io::Result<Self::Socket>> + Send;
    /// Registers a connection with the current runtime.
    fn adopt(socket: Self::Socket) -> io::Result<Self::Stream>;
}

impl Listener for std::net::TcpListener {
    type Socket = std::net::TcpStream;
    type Stream = TcpStream;
    type Registered = tokio::net::TcpListener;

    fn register(self) -> io::Result<Self::Registered> {
        tokio::net::TcpListener::from_std(self)
    }

    async fn accept(listener: &Self::Registered) -> io::Result<Self::Socket> {
        let (socket, _) = listener.accept().await?;
        // A missing NODELAY costs 40 ms per small exchange.
        socket.set_nodelay(true)?;
        socket.into_std()
    }

    fn adopt(socket: Self::Socket) -> io::Result<Self::Stream> {
        TcpStream::from_std(socket)
    }
}

impl Listener for std::os::unix::net::UnixListener {
    type Socket = std::os::unix::net::UnixStream;
    type Stream = UnixStream;
    type Registered = tokio::net::UnixListener;

    fn register(self) -> io::Result<Self::Registered> {
        tokio::net::UnixListener::from_std(self)
    }

    async fn accept(listener: &Self::Registered) -> io::Result<Self::Socket> {
        let (socket, _) = listener.accept().await?;
        socket.into_std()
    }

    fn adopt(socket: Self::Socket) -> io::Result<Self::Stream> {
        UnixStream::from_std(socket)
    }
}

/// Accepts connections on the current runtime and hands each to a worker in
/// turn, until the drain starts.
pub async fn accept_on_workers<L, H, F>(
    listener: L,
    workers: Arc<Workers>,
    mut drain: Watch,
    handler: H,
) -> io::Result<()>
where
    L: Listener,
    H: Fn(usize, L::Stream) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = listener.register()?;
    while let Some(socket) = accept::<L>(&listener, &mut drain).await {
        let worker = workers.turn();
        let handler = handler.clone();
        let serving = async move {
            if let Ok(socket) = L::adopt(socket) {
                handler(worker, socket).await;
            }
        };
        if let Some(task) = workers.spawn_on(worker, "connection", serving) {
            task.detach();
        }
    }
    Ok(())
}

/// Accepts connections and serves them on the current runtime, until the
/// drain starts.
pub async fn accept_here<L, H, F>(listener: L, mut drain: Watch, handler: H) -> io::Result<()>
where
    L: Listener,
    H: Fn(L::Stream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = listener.register()?;
    while let Some(socket) = accept::<L>(&listener, &mut drain).await {
        if let Ok(socket) = L::adopt(socket) {
            crate::spawn("connection", handler(socket)).detach();
        }
    }
    Ok(())
}

async fn accept<L: Listener>(listener: &L::Registered, drain: &mut Watch) -> Option<L::Socket> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.started() => return None,
            accepted = L::accept(listener) => accepted,
        };
        match accepted {
            Ok(socket) => return Some(socket),
            Err(error) => {
                debug!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Limits of an HTTP server.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// Bytes of an HTTP/1 header block; at least 8,192.
    pub header_bytes: usize,
    /// Bytes of an HTTP/2 header list.
    pub header_list_bytes: u32,
    /// Concurrent streams of one HTTP/2 connection.
    pub streams: u32,
    /// Bytes one HTTP/2 frame may carry, between 16,384 and 16,777,215.
    pub frame_bytes: u32,
    /// Silence after which an HTTP/2 connection is pinged; `None` for never.
    pub ping_after: Option<Duration>,
}

/// Time for the answer to a ping.
const PING_PATIENCE: Duration = Duration::from_secs(5);
/// Time for a client to send its request headers.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
/// Flow-control windows: large enough for a fast stream, small enough that a
/// slow reader pins little memory. A connection has room for a thousand
/// streams: some that stand still must not stop the others. Half of that
/// bounds what unread small frames cost; beyond it HTTP/2 ends the connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * STREAM_WINDOW;
/// Streams a peer may reset before they are accepted: peers cancel many calls
/// at once when a timeout fires. Each costs some 10 KiB for a moment.
const PENDING_RESETS: usize = 256;
/// Bytes of one stream waiting to be sent.
const SEND_BUFFER: usize = 128 * 1024;

/// What makes servers of connections.
pub type Builder = auto::Builder<Executor>;

impl HttpLimits {
    /// A builder that speaks HTTP/1.1 and HTTP/2 by prior knowledge.
    pub fn builder(&self) -> Builder {
        let mut builder = auto::Builder::new(Executor);
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_PATIENCE)
            .max_buf_size(self.header_bytes.max(8192))
            .title_case_headers(true);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(self.header_list_bytes)
            .max_concurrent_streams(self.streams)
            .max_frame_size(self.frame_bytes)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_pending_accept_reset_streams(PENDING_RESETS)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(self.ping_after)
            .keep_alive_timeout(PING_PATIENCE);
        builder
    }
}

/// Serves one connection until it ends; once the drain starts it finishes
/// what is in flight and closes (GOAWAY, or `connection: close`).
pub async fn connection<I, S, B>(io: I, builder: &Builder, service: S, drain: Watch)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Future: Send + 'static>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    connection_until(io, builder, service, drain, std::future::pending()).await;
}

/// As [`connection`], and closes in the same way once `leave` completes.
pub async fn connection_until<I, S, B>(
    io: I,
    builder: &Builder,
    service: S,
    mut drain: Watch,
    leave: impl Future<Output = ()>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Future: Send + 'static>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let connection = builder.serve_connection(TokioIo::new(io), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = drain.started() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = leave => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(error, "connection ended");
    }
}
