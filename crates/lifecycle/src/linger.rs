//! Closing a connection whose client may still be sending.
//!
//! A socket that is closed with bytes unread resets its connection, and a
//! reset takes the answer away from a client that has not read it yet, or
//! fails its next write before it looks for one.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long a client may go on sending, as long as Go's HTTP server lets it.
const PATIENCE: Duration = Duration::from_millis(500);
const SCRATCH: usize = 4096;

/// A connection that is read on after our side of it was closed, when asked.
#[derive(Debug)]
pub struct Lingering<I> {
    io: I,
    asked: Linger,
    closing: Option<Pin<Box<Sleep>>>,
}

/// Asks a connection to linger.
#[derive(Clone, Debug, Default)]
pub struct Linger(Arc<AtomicBool>);

impl Linger {
    /// The client of this connection has not sent all of a request that is
    /// answered.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<I> Lingering<I> {
    /// The connection, and what asks it to linger.
    pub fn new(io: I) -> (Self, Linger) {
        let asked = Linger::default();
        let lingering = Self {
            io,
            asked: asked.clone(),
            closing: None,
        };
        (lingering, asked)
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Lingering<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.io).poll_shutdown(context))?;
            if !this.asked.0.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let until = this
            .closing
            .get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        let mut scratch = [0; SCRATCH];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.io).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                // The client has seen the end, or is gone.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return until.as_mut().poll(context).map(Ok),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn a_client_that_goes_on_sending_is_read_for_a_while() {
        let (mut client, server) = duplex(16);
        let (mut server, linger) = Lingering::new(server);
        linger.ask();
        let sending = async move {
            let mut end = Vec::new();
            client.read_to_end(&mut end).await.unwrap();
            // More than the pipe holds.
            client.write_all(&[0; 1000]).await.unwrap();
        };
        let (closed, ()) = tokio::join!(server.shutdown(), sending);
        closed.unwrap();
    }

    #[tokio::test]
    async fn patience_ends() {
        let (client, server) = duplex(16);
        let (mut server, linger) = Lingering::new(server);
        linger.ask();
        server.shutdown().await.unwrap();
        drop(client);
    }

    #[test]
    fn nothing_is_waited_for_unless_asked() {
        let (_client, server) = duplex(16);
        let (mut server, _linger) = Lingering::new(server);
        let mut context = Context::from_waker(Waker::noop());
        let closed = Pin::new(&mut server).poll_shutdown(&mut context);
        assert!(closed.is_ready());
    }
}
