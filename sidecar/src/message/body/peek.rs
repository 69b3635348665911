//! Looking at what has arrived of a body, without waiting for the rest.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Frame;
use pin_project_lite::pin_project;

use super::{Body, BodyError};

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

/// Reads a body nobody wants to its end, or up to `most` bytes.
pub(crate) async fn drain(mut body: Body, most: usize) {
    use http_body_util::BodyExt as _;

    let mut left = most;
    while let Some(Ok(frame)) = body.frame().await {
        let read = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(read) {
            Some(rest) => left = rest,
            None => return,
        }
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
