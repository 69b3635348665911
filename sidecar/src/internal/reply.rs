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
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Frame;

use crate::message::{Body, BodyError};

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct ReplyBody {
    first: Option<Message>,
    body: Body,
    data: Bytes,
    sequence: u64,
    trailers: Option<HeaderMap>,
}

/// An rpc that failed before it answered.
pub(super) fn failed(status: &Status) -> Response<ReplyBody> {
    refused(StatusCode::OK, status)
}

/// As [`failed`], for failures of HTTP itself.
pub(super) fn refused(http: StatusCode, status: &Status) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody {
        first: None,
        body: Body::Empty,
        data: Bytes::new(),
        sequence: 0,
        trailers: None,
    });
    *response.status_mut() = http;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    status.write_headers(response.headers_mut());
    response
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
    let mut response = Response::new(ReplyBody {
        first: Some(first),
        body,
        data: Bytes::new(),
        sequence,
        trailers: Some(trailers(&Status::new(Code::Ok, ""))),
    });
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    status.write_headers(&mut trailers);
    trailers
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
        let this = &mut *self;
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
        self.first.is_none()
            && self.trailers.is_none()
            && matches!(self.body, Body::Empty)
            && self.data.is_empty()
    }
}
