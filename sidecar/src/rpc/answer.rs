//! The body of an answer: messages as they come, then the status.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use api::grpc::{Code, Status};
use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http_body::Frame;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{deadline_exceeded, is_over, meter::Meter, trailers, uplink::Uplink};
use crate::message::BodyError;

/// Messages of an answer; goes on sending the request meanwhile. It always
/// ends with a status, also when the connection does not.
pub(crate) struct Flow<G> {
    recv: RecvStream,
    meter: Meter,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Released at the end.
    held: Option<(Option<Uplink>, G)>,
}

impl<G> Flow<G> {
    pub(super) fn new(
        recv: RecvStream,
        message_limit: usize,
        uplink: Option<Uplink>,
        deadline: Option<Instant>,
        guard: G,
    ) -> Self {
        Self {
            recv,
            meter: Meter::new(message_limit),
            deadline: deadline.map(|at| Box::pin(sleep_until(at))),
            held: Some((uplink, guard)),
        }
    }

    /// Why the stream broke off.
    fn failure(&self, error: &h2::Error) -> Status {
        let uplink = self.held.as_ref().and_then(|(uplink, _)| uplink.as_ref());
        if let Some(own) = uplink.and_then(Uplink::refusal) {
            return own;
        }
        match &self.deadline {
            Some(deadline) if is_over(deadline.deadline()) => deadline_exceeded(),
            _ => cut(error),
        }
    }

    fn end(&mut self, status: &Status) -> Frame<Bytes> {
        self.held = None;
        Frame::trailers(trailers(status))
    }
}

fn is_success(trailers: &HeaderMap) -> bool {
    Status::from_headers(trailers).is_some_and(|status| status.code == Code::Ok)
}

/// The status of a stream that broke off.
pub(crate) fn cut(error: &h2::Error) -> Status {
    let code = match error.reason() {
        Some(h2::Reason::CANCEL) if error.is_reset() => Code::Canceled,
        Some(h2::Reason::REFUSED_STREAM) => Code::Unavailable,
        Some(h2::Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
        Some(h2::Reason::INADEQUATE_SECURITY) => Code::PermissionDenied,
        Some(_) if error.is_reset() => Code::Internal,
        _ => Code::Unavailable,
    };
    let text = match error.reason() {
        Some(reason) if error.is_reset() => format!(
            "stream terminated by RST_STREAM with error code: {}",
            reason.description()
        ),
        _ => format!("error reading from server: {error}"),
    };
    Status::new(code, text)
}

impl<G: Unpin> http_body::Body for Flow<G> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.held.is_none() {
            return Poll::Ready(None);
        }
        if let Some(deadline) = &mut this.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            let last = this.end(&deadline_exceeded());
            return Poll::Ready(Some(Ok(last)));
        }
        match ready!(this.recv.poll_data(context)) {
            Some(Ok(piece)) => {
                let _ = this.recv.flow_control().release_capacity(piece.len());
                if let Err(status) = this.meter.pass(&piece) {
                    let last = this.end(&status);
                    return Poll::Ready(Some(Ok(last)));
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Some(Err(error)) => {
                let status = this.failure(&error);
                let last = this.end(&status);
                Poll::Ready(Some(Ok(last)))
            }
            None => {
                let last = match ready!(this.recv.poll_trailers(context)) {
                    Ok(Some(trailers)) => match this.meter.finish() {
                        // A failure says more than a cut message.
                        Err(status) if is_success(&trailers) => this.end(&status),
                        _ => {
                            this.held = None;
                            Frame::trailers(trailers)
                        }
                    },
                    Ok(None) => this.end(&Status::new(
                        Code::Internal,
                        "server closed the stream without sending trailers",
                    )),
                    Err(error) => {
                        let status = this.failure(&error);
                        this.end(&status)
                    }
                };
                Poll::Ready(Some(Ok(last)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none()
    }
}

/// At most one message, then trailers.
pub(super) struct Single {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Single {
    pub(super) fn new(message: Option<Bytes>, trailers: HeaderMap) -> Self {
        Self {
            message,
            trailers: Some(trailers),
        }
    }
}

impl http_body::Body for Single {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = self.message.take().map(Frame::data);
        let next = next.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(next.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }
}
