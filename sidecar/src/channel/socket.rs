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
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::Socket;

#[derive(Debug)]
pub(super) struct AppSocket {
    socket: Socket,
    /// The app takes no more bytes.
    closed: bool,
    opening: Opening,
}

/// The first four bytes the app sent on a connection; zero before there are
/// any. They tell what it speaks when it is not what we took it for.
#[derive(Clone, Debug, Default)]
pub(super) struct Opening(Arc<AtomicU32>);

impl Opening {
    pub(super) fn bytes(&self) -> [u8; 4] {
        self.0.load(Ordering::Relaxed).to_be_bytes()
    }

    fn note(&self, read: &[u8]) {
        if self.0.load(Ordering::Relaxed) == 0 {
            let mut first = [0; 4];
            for (place, byte) in first.iter_mut().zip(read) {
                *place = *byte;
            }
            self.0.store(u32::from_be_bytes(first), Ordering::Relaxed);
        }
    }
}

impl AppSocket {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            closed: false,
            opening: Opening::default(),
        }
    }

    /// To look at when the exchange has failed.
    pub(super) fn opening(&self) -> Opening {
        self.opening.clone()
    }

    fn written(
        &mut self,
        outcome: Poll<io::Result<usize>>,
        offered: usize,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(Err(error)) if is_closed(&error) => {
                self.closed = true;
                Poll::Ready(Ok(offered))
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
        ready!(self.socket.stream().poll_read(context, buffer))?;
        self.opening
            .note(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
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
