//! Answers to peers: messages, then the status as trailers.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use api::{
    envelope::{self, Frame as Message, PIECE},
    grpc::{Code, Status},
    headers::APP_NOT_REACHED,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Frame;

use crate::{
    message::{Body, BodyError},
    rpc::{self, trailers},
};

/// The body of an answer.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "the large one is the usual one")]
pub(crate) enum ReplyBody {
    /// Messages made here.
    Made(Made),
    /// Messages of the app as they are, trailers among them.
    Passed(Body),
}

/// Messages around a body, then the status.
#[derive(Debug)]
pub(crate) struct Made {
    first: Option<Message>,
    body: Body,
    data: Bytes,
    sequence: u64,
    trailers: Option<HeaderMap>,
}

/// An answer that is complete as it is.
pub(super) fn passed(response: Response<Body>) -> Response<ReplyBody> {
    response.map(ReplyBody::Passed)
}

/// An rpc that failed before it answered.
pub(super) fn failed(status: &Status) -> Response<ReplyBody> {
    passed(rpc::failed(status))
}

/// As [`failed`], and the app saw nothing of the call.
pub(super) fn failed_before_app(status: &Status) -> Response<ReplyBody> {
    let mut response = failed(status);
    response
        .headers_mut()
        .insert(APP_NOT_REACHED, HeaderValue::from_static("1"));
    response
}

/// An answer that begins with `first` and goes on with `body`, whose pieces
/// are numbered from `sequence`.
pub(super) fn begun(
    content_type: HeaderValue,
    first: Message,
    body: Body,
    sequence: u64,
) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Made(Made {
        first: Some(first),
        body,
        data: Bytes::new(),
        sequence,
        trailers: Some(trailers(&Status::new(Code::Ok, ""))),
    }));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// What the peer is told when the body of our app breaks off: never OK.
fn broken(error: &BodyError) -> Status {
    Status::new(Code::Unknown, error.to_string())
}

impl http_body::Body for ReplyBody {
    type Data = Message;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Message>, Infallible>>> {
        let this = match &mut *self {
            Self::Made(made) => made,
            Self::Passed(body) => {
                let frame = ready!(http_body::Body::poll_frame(Pin::new(&mut *body), context));
                return Poll::Ready(frame.map(|frame| {
                    Ok(match frame {
                        Ok(frame) => frame.map_data(Message::whole),
                        Err(error) => {
                            *body = Body::Empty;
                            Frame::trailers(trailers(&broken(&error)))
                        }
                    })
                }));
            }
        };
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        while this.data.is_empty() {
            match ready!(http_body::Body::poll_frame(
                Pin::new(&mut this.body),
                context
            )) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        this.data = data;
                    }
                }
                Some(Err(error)) => {
                    this.body = Body::Empty;
                    this.trailers = None;
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers(&broken(&error))))));
                }
                None => {
                    return Poll::Ready(
                        this.trailers
                            .take()
                            .map(|trailers| Ok(Frame::trailers(trailers))),
                    );
                }
            }
        }
        let piece = this.data.split_to(this.data.len().min(PIECE));
        let message = envelope::payload(piece, this.sequence);
        this.sequence += 1;
        Poll::Ready(Some(Ok(Frame::data(message))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Made(made) => {
                made.first.is_none()
                    && made.trailers.is_none()
                    && matches!(made.body, Body::Empty)
                    && made.data.is_empty()
            }
            Self::Passed(body) => body.is_end_stream(),
        }
    }
}
