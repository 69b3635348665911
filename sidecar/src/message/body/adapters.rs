//! Bodies with a condition or a guard around them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::warn;

use super::BodyError;

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

pin_project! {
    /// A body that breaks off when its time is over, and says when it has
    /// arrived whole.
    pub(crate) struct Attended<B, F> {
        #[pin]
        body: B,
        #[pin]
        deadline: Option<Sleep>,
        // Dropped uncalled when the body does not arrive whole.
        whole: Option<F>,
        over: bool,
    }
}

impl<B, F> Attended<B, F> {
    /// `body` must have ended at `deadline`; `whole` is called when it did.
    pub(crate) fn new(body: B, deadline: Option<Instant>, whole: F) -> Self {
        Self {
            body,
            deadline: deadline.map(sleep_until),
            whole: Some(whole),
            over: false,
        }
    }
}

impl<B, F> http_body::Body for Attended<B, F>
where
    B: http_body::Body<Data = Bytes, Error = BodyError>,
    F: FnOnce(),
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut this = self.project();
        if *this.over {
            return Poll::Ready(None);
        }
        // First of all: a body that always has more would never look.
        let deadline = this.deadline.as_mut().as_pin_mut();
        if deadline.is_some_and(|deadline| deadline.poll(context).is_ready()) {
            *this.over = true;
            this.whole.take();
            let error = BodyError::Timeout;
            warn!(target: "dapr.runtime", "HTTP service invocation failed to complete with error: {error}");
            return Poll::Ready(Some(Err(error)));
        }
        let frame = std::task::ready!(this.body.as_mut().poll_frame(context));
        match &frame {
            Some(Ok(_)) if !this.body.is_end_stream() => {}
            Some(Err(_)) => {
                this.whole.take();
            }
            // Nobody asks again behind the last piece.
            Some(Ok(_)) | None => {
                if let Some(whole) = this.whole.take() {
                    whole();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
