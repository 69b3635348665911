//! Bodies of answers: whole, in pieces, with trailers, or broken off.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use super::Shared;

/// Pieces on their way; an error breaks the answer off.
pub(super) type Piece = Result<Frame<Bytes>, io::Error>;

/// A body fed piece by piece.
pub(super) struct Pieces {
    receiver: mpsc::Receiver<Piece>,
    shared: Arc<Shared>,
    ended: bool,
    /// Bytes the head promises.
    length: Option<u64>,
}

impl Pieces {
    pub(super) fn new(shared: &Arc<Shared>, length: Option<u64>) -> (mpsc::Sender<Piece>, Self) {
        let (sender, receiver) = mpsc::channel(1);
        let pieces = Self {
            receiver,
            shared: shared.clone(),
            ended: false,
            length,
        };
        (sender, pieces)
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = std::task::ready!(self.receiver.poll_recv(context));
        self.ended = !matches!(piece, Some(Ok(_)));
        Poll::Ready(piece)
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.cancelled.store(true, Ordering::SeqCst);
        }
    }
}

/// As a body breaks off.
pub(super) fn cut() -> io::Error {
    io::Error::other("cut")
}
