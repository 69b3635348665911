//! A socket that speaks HTTP/2, with TLS or without, and gathers what one
//! turn of its task writes.
//!
//! HTTP/2 writes head, data and trailers of a message one after another and
//! flushes in between. Gathered, they are one TLS record and one system call;
//! [`Gathered`] sends them at the end of each turn.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsStream;

/// Bytes gathered before they are sent in the middle of a turn: one full TLS
/// record.
const GATHER: usize = 16 * 1024;

/// Either kind of connection; counts what arrives, so that silence shows.
#[derive(Debug)]
pub(crate) struct Wire {
    inner: Arc<Mutex<Inner>>,
    read: Arc<AtomicU64>,
}

/// Sends what a turn of the connection's task has gathered.
#[derive(Debug)]
pub(crate) struct Flusher(Arc<Mutex<Inner>>);

struct Inner {
    socket: Socket,
    gathered: Vec<u8>,
    /// Bytes at the front of `gathered` that have been sent.
    sent: usize,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Other(Box<dyn Stream + Send>),
}

impl Wire {
    /// Without TLS.
    pub(crate) fn plain(socket: TcpStream) -> Self {
        Self::new(Socket::Plain(socket))
    }

    /// With TLS, after the handshake.
    pub(crate) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::new(Socket::Tls(Box::new(stream)))
    }

    /// Any other kind of connection.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self::new(Socket::Other(Box::new(stream)))
    }

    fn new(socket: Socket) -> Self {
        let inner = Inner {
            socket,
            gathered: Vec::new(),
            sent: 0,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            read: Arc::default(),
        }
    }

    /// Bytes read so far, shared with whoever watches.
    pub(crate) fn read_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// For the task that drives the connection.
    pub(crate) fn flusher(&self) -> Flusher {
        Flusher(Arc::clone(&self.inner))
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("gathered", &self.gathered.len())
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn stream(&mut self) -> Pin<&mut (dyn Stream + '_)> {
        match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket),
            Socket::Tls(stream) => Pin::new(stream.as_mut()),
            Socket::Other(stream) => Pin::new(stream.as_mut()),
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.gathered.len() {
            let gathered = std::mem::take(&mut self.gathered);
            let unsent = gathered.get(self.sent..).unwrap_or_default();
            let outcome = self.stream().poll_write(context, unsent);
            self.gathered = gathered;
            match ready!(outcome)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        if self.sent > 0 {
            self.sent = 0;
            self.gathered.clear();
            // An idle connection keeps no large buffer.
            self.gathered.shrink_to(GATHER);
            ready!(self.stream().poll_flush(context))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the buffers, or sends them at once when they are large.
    fn poll_gather(
        &mut self,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let total: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        if self.gathered.len() + total > GATHER {
            ready!(self.poll_send(context))?;
            if total > GATHER {
                return self.stream().poll_write_vectored(context, buffers);
            }
        }
        for buffer in buffers {
            self.gathered.extend_from_slice(buffer);
        }
        Poll::Ready(Ok(total))
    }
}

/// What both kinds of socket are.
trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = self.inner.lock().stream().poll_read(context, buffer);
        let arrived = buffer.filled().len() - before;
        if arrived > 0 {
            self.read.fetch_add(arrived as u64, Ordering::Relaxed);
        }
        outcome
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner
            .lock()
            .poll_gather(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner.lock().poll_gather(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The bytes go out at the end of the turn.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner.lock();
        ready!(inner.poll_send(context))?;
        inner.stream().poll_shutdown(context)
    }
}

pin_project_lite::pin_project! {
    /// A connection's task: runs the connection, then sends what it wrote.
    pub(crate) struct Gathered<F> {
        #[pin]
        connection: F,
        flusher: Flusher,
    }
}

impl<F> Gathered<F> {
    /// `flusher` belongs to the wire that `connection` writes to.
    pub(crate) fn new(flusher: Flusher, connection: F) -> Self {
        Self {
            connection,
            flusher,
        }
    }
}

impl<F: Future> Future for Gathered<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let outcome = this.connection.poll(context);
        // A failure shows again when the connection reads; waiting for room
        // wakes this task.
        let _ = this.flusher.0.lock().poll_send(context);
        outcome
    }
}
