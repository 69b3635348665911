//! Reads along with an HTTP/2 connection and notes the pings of the other
//! side: the library answers them without a word.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// When pings came, of all connections.
pub(super) type Pings = Arc<Mutex<Vec<Instant>>>;

/// A connection being read along.
#[derive(Debug)]
pub(super) struct Tap<S> {
    inner: S,
    pings: Pings,
    /// Of the client's preface.
    preface: usize,
    header: Vec<u8>,
    payload: usize,
}

const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const HEADER: usize = 9;
const PING: u8 = 6;
const ACK: u8 = 1;

impl<S> Tap<S> {
    pub(super) fn new(inner: S, pings: Pings) -> Self {
        Self {
            inner,
            pings,
            preface: PREFACE,
            header: Vec::with_capacity(HEADER),
            payload: 0,
        }
    }

    fn note(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skip = bytes.len().min(self.preface + self.payload);
            if skip > 0 {
                let of_preface = skip.min(self.preface);
                self.preface -= of_preface;
                self.payload -= skip - of_preface;
                bytes = &bytes[skip..];
                continue;
            }
            let (part, rest) = bytes.split_at(bytes.len().min(HEADER - self.header.len()));
            self.header.extend_from_slice(part);
            bytes = rest;
            if let &[a, b, c, kind, flags, ..] = self.header.as_slice()
                && self.header.len() == HEADER
            {
                self.payload = u32::from_be_bytes([0, a, b, c]) as usize;
                self.header.clear();
                if kind == PING && flags & ACK == 0 {
                    self.pings.lock().push(Instant::now());
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        self.note(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
