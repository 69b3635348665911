//! The request of a peer, message by message.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use api::{
    envelope::{self, FrameReader},
    grpc::{Code, Status},
};
use bytes::Bytes;
use http_body::Frame;
use hyper::body::Incoming;

use crate::message::{BodyError, body::Sequence};

/// Cuts the stream of a peer into messages.
#[derive(Debug)]
pub(super) struct Messages {
    incoming: Incoming,
    reader: FrameReader,
    ended: bool,
}

impl Messages {
    pub(super) fn new(incoming: Incoming, limit: usize) -> Self {
        Self {
            incoming,
            reader: FrameReader::new(limit),
            ended: false,
        }
    }

    /// The next message; `None` at the end of the stream.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            match self.reader.next_message() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(message))),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error.status()))),
            }
            if self.ended {
                let finished = self.reader.finish();
                return Poll::Ready(finished.err().map(|error| Err(error.status())));
            }
            match ready!(http_body::Body::poll_frame(
                Pin::new(&mut self.incoming),
                context
            )) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.reader.push(data);
                    }
                }
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(Status::new(Code::Canceled, error.to_string()))));
                }
                None => self.ended = true,
            }
        }
    }

    /// True when nothing can follow the messages read so far.
    pub(super) fn is_finished(&self) -> bool {
        (self.ended || http_body::Body::is_end_stream(&self.incoming))
            && self.reader.finish().is_ok()
    }
}

/// The body of a streamed call: the payload of the first message, then those
/// that follow. A piece is checked before it is passed on.
pub(super) struct Chunks {
    messages: Messages,
    first: Bytes,
    sequence: Sequence,
    failed: bool,
}

impl Chunks {
    pub(super) fn new(messages: Messages, first: Bytes, sequence: Sequence) -> Self {
        Self {
            messages,
            first,
            sequence,
            failed: false,
        }
    }

    fn piece(&mut self, message: Bytes) -> Result<Bytes, BodyError> {
        let decoded = envelope::decode_request(message)
            .map_err(|error| BodyError::Receive(Status::new(Code::Internal, error.to_string())))?;
        if decoded.head.is_some() {
            return Err(BodyError::LateMetadata("request"));
        }
        self.sequence.take(decoded.payload)
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.failed {
            return Poll::Ready(None);
        }
        if !this.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.first)))));
        }
        loop {
            let piece = match ready!(this.messages.poll(context)) {
                None => return Poll::Ready(None),
                Some(Ok(message)) => this.piece(message),
                Some(Err(status)) => Err(BodyError::Receive(status)),
            };
            match piece {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(error) => {
                    this.failed = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failed || (self.first.is_empty() && self.messages.is_finished())
    }
}
