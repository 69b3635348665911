//! Reads along with an HTTP/2 connection and judges the pings of the other
//! side as a real sidecar does: the library answers them without a word.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Pings of all connections of a server.
#[derive(Debug, Default)]
pub(super) struct Pings {
    pub(super) at: Vec<Instant>,
    /// The most of one connection at a time.
    pub(super) strikes: usize,
}

/// A connection being read along.
#[derive(Debug)]
pub(super) struct Tap<S> {
    inner: S,
    received: Frames,
    sent: Frames,
    judge: Judge,
    pings: Arc<Mutex<Pings>>,
}

/// Counts pings as grpc-go's server does.
#[derive(Debug, Default)]
struct Judge {
    last: Option<Instant>,
    strikes: usize,
    /// Something was said since the last ping.
    answered: bool,
}

/// Finds the heads of frames.
#[derive(Debug)]
struct Frames {
    /// Bytes until the next head.
    skip: usize,
    head: Vec<u8>,
}

/// Pings that are closer together count.
const CLOSE: Duration = Duration::from_secs(8);
const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const ACK: u8 = 1;

impl<S> Tap<S> {
    pub(super) fn new(inner: S, pings: Arc<Mutex<Pings>>) -> Self {
        Self {
            inner,
            received: Frames::after(PREFACE),
            sent: Frames::after(0),
            judge: Judge::default(),
            pings,
        }
    }
}

impl Judge {
    fn ping(&mut self, now: Instant) -> usize {
        let is_close = self.last.is_some_and(|last| now - last < CLOSE);
        self.last = Some(now);
        if std::mem::take(&mut self.answered) {
            self.strikes = 0;
        } else if is_close {
            self.strikes += 1;
        }
        self.strikes
    }
}

impl Frames {
    fn after(skip: usize) -> Self {
        Self {
            skip,
            head: Vec::with_capacity(HEAD),
        }
    }

    /// Calls `found` with type and flags of each frame.
    fn read(&mut self, mut bytes: &[u8], mut found: impl FnMut(u8, u8)) {
        loop {
            let skipped = bytes.len().min(self.skip);
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let part = bytes.len().min(HEAD - self.head.len());
            self.head.extend_from_slice(&bytes[..part]);
            bytes = &bytes[part..];
            let &[a, b, c, kind, flags, _, _, _, _] = self.head.as_slice() else {
                return;
            };
            self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
            self.head.clear();
            found(kind, flags);
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
        let this = &mut *self;
        std::task::ready!(Pin::new(&mut this.inner).poll_read(cx, buffer))?;
        this.received
            .read(&buffer.filled()[before..], |kind, flags| {
                if kind == PING && flags & ACK == 0 {
                    let now = Instant::now();
                    let strikes = this.judge.ping(now);
                    let mut pings = this.pings.lock();
                    pings.at.push(now);
                    pings.strikes = pings.strikes.max(strikes);
                }
            });
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = std::task::ready!(Pin::new(&mut this.inner).poll_write(cx, bytes))?;
        this.sent.read(&bytes[..written], |kind, _| {
            this.judge.answered |= matches!(kind, DATA | HEADERS);
        });
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
