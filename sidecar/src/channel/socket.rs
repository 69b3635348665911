//! A socket to the app that outlives the app's interest in the request.
//!
//! An app may answer and close without reading the whole body. Writing then
//! fails while the answer waits to be read, so a failed write is not an error
//! here: what can no longer be sent is dropped, and reading tells how the
//! exchange really ended.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::Socket;

/// What one read of any common server takes in.
const ONE_READ: u32 = 2048;
/// More than one write.
const SEVERAL: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct AppSocket {
    socket: Socket,
    /// The app takes no more bytes.
    closed: bool,
    passed: Arc<Passed>,
}

/// What has passed on a connection; to look at when an exchange has failed.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// The first four bytes the app sent; zero before there are any.
    opening: AtomicU32,
    /// Bytes of the one write since the app sent something, or [`SEVERAL`].
    unanswered: AtomicU32,
    reset: AtomicBool,
}

impl Passed {
    /// What the app said first tells what it speaks when it is not what we
    /// took it for.
    pub(super) fn opening(&self) -> [u8; 4] {
        self.opening.load(Ordering::Relaxed).to_be_bytes()
    }

    /// True when the app has not read what was sent since its last answer. A
    /// kernel resets a connection that is closed with bytes nobody has read,
    /// among them one that nobody has accepted; and of a request so short a
    /// server reads all or nothing.
    pub(super) fn is_unread(&self) -> bool {
        self.reset.load(Ordering::Relaxed) && self.unanswered.load(Ordering::Relaxed) <= ONE_READ
    }

    fn read(&self, bytes: &[u8]) {
        self.unanswered.store(0, Ordering::Relaxed);
        if self.opening.load(Ordering::Relaxed) == 0 {
            let mut first = [0; 4];
            for (place, byte) in first.iter_mut().zip(bytes) {
                *place = *byte;
            }
            self.opening
                .store(u32::from_be_bytes(first), Ordering::Relaxed);
        }
    }

    fn written(&self, bytes: usize) {
        let unanswered = match self.unanswered.load(Ordering::Relaxed) {
            0 => u32::try_from(bytes).unwrap_or(SEVERAL),
            _ => SEVERAL,
        };
        self.unanswered.store(unanswered, Ordering::Relaxed);
    }

    fn was_reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }
}

impl AppSocket {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            closed: false,
            passed: Arc::default(),
        }
    }

    /// To look at when the exchange has failed.
    pub(super) fn passed(&self) -> Arc<Passed> {
        Arc::clone(&self.passed)
    }

    fn written(
        &mut self,
        outcome: Poll<io::Result<usize>>,
        offered: usize,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(Err(error)) if is_closed(&error) => {
                self.closed = true;
                self.passed.was_reset();
                Poll::Ready(Ok(offered))
            }
            Poll::Ready(Ok(bytes)) => {
                self.passed.written(bytes);
                Poll::Ready(Ok(bytes))
            }
            outcome => outcome,
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

impl AsyncRead for AppSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = ready!(self.socket.stream().poll_read(context, buffer));
        match &outcome {
            Err(error) if is_closed(error) => self.passed.was_reset(),
            Err(_) => {}
            Ok(()) => match buffer.filled().get(before..).unwrap_or_default() {
                [] if self.socket.is_reset() => self.passed.was_reset(),
                [] => {}
                bytes => self.passed.read(bytes),
            },
        }
        Poll::Ready(outcome)
    }
}

impl AsyncWrite for AppSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.closed {
            return Poll::Ready(Ok(bytes.len()));
        }
        let outcome = self.socket.stream().poll_write(context, bytes);
        self.written(outcome, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = buffers.iter().map(|buffer| buffer.len()).sum();
        if self.closed {
            return Poll::Ready(Ok(offered));
        }
        let outcome = self.socket.stream().poll_write_vectored(context, buffers);
        self.written(outcome, offered)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(socket) => socket.is_write_vectored(),
            Socket::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        // TLS writes as late as here.
        match self.socket.stream().poll_flush(context) {
            Poll::Ready(Err(error)) if is_closed(&error) => {
                self.closed = true;
                Poll::Ready(Ok(()))
            }
            outcome => outcome,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        self.socket.stream().poll_shutdown(context)
    }
}
