//! Bodies in motion: empty, whole, or arriving.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

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
    /// The local connection broke.
    #[error(transparent)]
    Http(#[from] hyper::Error),
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

pin_project! {
    /// A body from a local connection that fails once it exceeds a limit.
    /// Trailers end here: they cross no hop.
    pub(crate) struct Limited<B> {
        #[pin]
        body: B,
        left: Option<u64>,
    }
}

impl<B> Limited<B> {
    /// `limit` in bytes; `None` for no limit.
    pub(crate) fn new(body: B, limit: Option<u64>) -> Self {
        Self { body, left: limit }
    }
}

impl<B> http_body::Body for Limited<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BodyError>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.project();
        let Some(frame) = std::task::ready!(this.body.poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let Ok(data) = frame.map_err(Into::into)?.into_data() else {
            return Poll::Ready(None);
        };
        if let Some(left) = this.left {
            match left.checked_sub(data.len() as u64) {
                Some(rest) => *left = rest,
                None => return Poll::Ready(Some(Err(BodyError::TooLarge))),
            }
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// A body that must be exactly as long as declared.
    pub(crate) struct Sized<B> {
        #[pin]
        body: B,
        declared: u64,
        got: u64,
        failed: bool,
    }
}

impl<B> Sized<B> {
    /// `declared` in bytes.
    pub(crate) fn new(body: B, declared: u64) -> Self {
        Self {
            body,
            declared,
            got: 0,
            failed: false,
        }
    }
}

impl<B> http_body::Body for Sized<B>
where
    B: http_body::Body<Data = Bytes, Error = BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.project();
        if *this.failed {
            return Poll::Ready(None);
        }
        let wrong = match std::task::ready!(this.body.poll_frame(context)) {
            Some(Ok(frame)) => {
                *this.got += frame.data_ref().map_or(0, Bytes::len) as u64;
                if *this.got <= *this.declared {
                    return Poll::Ready(Some(Ok(frame)));
                }
                true
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => *this.got != *this.declared,
        };
        if !wrong {
            return Poll::Ready(None);
        }
        *this.failed = true;
        Poll::Ready(Some(Err(BodyError::Length {
            declared: *this.declared,
            got: *this.got,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.got == self.declared && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.declared.saturating_sub(self.got))
    }
}

pin_project! {
    /// A body that keeps a guard until it ends or is dropped.
    pub(crate) struct Guarded<B, G> {
        #[pin]
        body: B,
        guard: Option<G>,
    }
}

impl<B, G> Guarded<B, G> {
    /// `guard` is released at the end of `body`.
    pub(crate) fn new(body: B, guard: G) -> Self {
        Self {
            body,
            guard: Some(guard),
        }
    }
}

impl<B, G> http_body::Body for Guarded<B, G>
where
    B: http_body::Body<Data = Bytes, Error = BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.project();
        let frame = std::task::ready!(this.body.poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            this.guard.take();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a look at a body without waiting for its sender found.
#[derive(Debug)]
pub(crate) enum Peeked {
    /// The whole body.
    Whole(Bytes),
    /// The first piece (empty when nothing has arrived) and the rest.
    Begun(Bytes, Body),
}

/// Takes what has already arrived of a body. A small message usually has
/// come with its head, and knowing it whole saves a frame on the next hop.
pub(crate) async fn peek(mut body: Body) -> Result<Peeked, BodyError> {
    match body {
        Body::Empty => return Ok(Peeked::Whole(Bytes::new())),
        Body::Whole(bytes) => return Ok(Peeked::Whole(bytes)),
        Body::Stream(_) => {}
    }
    let first = match Arrived::new(&mut body).await {
        Some(frame) => frame?,
        None => return Ok(Peeked::Begun(Bytes::new(), body)),
    };
    let Some(first) = first else {
        return Ok(Peeked::Whole(Bytes::new()));
    };
    if http_body::Body::is_end_stream(&body) {
        return Ok(Peeked::Whole(first));
    }
    // The end may be there without having been told with the last piece.
    match Arrived::new(&mut body).await {
        Some(Ok(None)) => Ok(Peeked::Whole(first)),
        Some(Ok(Some(second))) => Ok(Peeked::Begun(first, rejoin(second, body))),
        Some(Err(error)) => Err(error),
        None => Ok(Peeked::Begun(first, body)),
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

/// A body with a piece put back in front.
pub(crate) fn rejoin(first: Bytes, body: Body) -> Body {
    if first.is_empty() {
        return body;
    }
    Body::stream(Rejoined {
        first: Some(first),
        body,
    })
}

/// Polls a body, lets the other tasks of this thread run once, polls again.
/// Gives `None` when nothing has arrived, else the next piece or the end.
struct Arrived<'a> {
    body: &'a mut Body,
    yielded: bool,
}

impl<'a> Arrived<'a> {
    fn new(body: &'a mut Body) -> Self {
        Self {
            body,
            yielded: false,
        }
    }
}

impl Future for Arrived<'_> {
    type Output = Option<Result<Option<Bytes>, BodyError>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match http_body::Body::poll_frame(Pin::new(&mut *self.body), context) {
                Poll::Ready(None) => return Poll::Ready(Some(Ok(None))),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Poll::Ready(Some(Ok(Some(data)))),
                    Err(_) => return Poll::Ready(Some(Ok(None))),
                },
                Poll::Pending if self.yielded => return Poll::Ready(None),
                Poll::Pending => {
                    self.yielded = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }
}

pin_project! {
    /// A body with a piece put back in front.
    struct Rejoined {
        first: Option<Bytes>,
        #[pin]
        body: Body,
    }
}

impl http_body::Body for Rejoined {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.project();
        match this.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => this.body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }
}
