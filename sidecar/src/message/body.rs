//! Bodies in motion: empty, whole, or arriving.

mod adapters;
mod peek;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use api::envelope::Payload;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

pub(crate) use adapters::{Attended, Guarded, Limited, Sized};
pub(crate) use peek::{Peeked, drain, peek, rejoin};

type Streamed = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// More bytes than this sidecar accepts.
    #[error("stream too large")]
    TooLarge,
    /// A body that is not as long as was promised.
    #[error("http: ContentLength={declared} with Body length {got}")]
    Length {
        /// Bytes announced.
        declared: u64,
        /// Bytes seen.
        got: u64,
    },
    /// Pieces out of order.
    #[error("invalid sequence number received: {got} (expected: {want})")]
    Sequence {
        /// Number of the piece.
        got: u64,
        /// Number it should have had.
        want: u64,
    },
    /// A first message in the middle of a stream.
    #[error("{0} metadata found in non-leading chunk")]
    LateMetadata(&'static str),
    /// The peer ended the stream with a failure, or broke it.
    #[error("error receiving message: {0}")]
    Receive(api::grpc::Status),
    /// The time of the call is over.
    #[error("context deadline exceeded")]
    Timeout,
    /// The local connection broke.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The stream on a connection of ours broke.
    #[error(transparent)]
    Http2(#[from] h2::Error),
}

/// A request or response body.
#[derive(Default)]
pub(crate) enum Body {
    /// No bytes.
    #[default]
    Empty,
    /// All bytes are here.
    Whole(Bytes),
    /// Bytes still to come.
    Stream(Streamed),
}

impl Body {
    /// A body that is read while it arrives.
    pub(crate) fn stream(
        body: impl http_body::Body<Data = Bytes, Error = BodyError> + Send + 'static,
    ) -> Self {
        Self::Stream(Box::pin(body))
    }

    /// Length in bytes, where it is known for sure.
    pub(crate) fn len(&self) -> Option<u64> {
        http_body::Body::size_hint(self).exact()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Whole(bytes)
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Empty => "Empty",
            Self::Whole(_) => "Whole",
            Self::Stream(_) => "Stream",
        })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Stream(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(_) => false,
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

/// Position in a body that arrives in numbered pieces.
#[derive(Debug, Default)]
pub(crate) struct Sequence(u64);

impl Sequence {
    /// The data of the next piece, empty when the message had none.
    pub(crate) fn take(&mut self, piece: Option<Payload>) -> Result<Bytes, BodyError> {
        let Some(piece) = piece else {
            return Ok(Bytes::new());
        };
        if piece.sequence != self.0 {
            return Err(BodyError::Sequence {
                got: piece.sequence,
                want: self.0,
            });
        }
        self.0 += 1;
        Ok(piece.data)
    }
}

/// A body that has failed already.
pub(crate) fn failed(error: BodyError) -> Body {
    Body::stream(Failed(Some(error)))
}

struct Failed(Option<BodyError>);

impl http_body::Body for Failed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}
