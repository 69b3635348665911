//! Reading the answer of a peer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use api::{
    envelope::{self, FrameReader},
    grpc::{Code, Status},
};
use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;

use super::{
    super::peer::InFlight,
    pump::{Pump, Pumped},
};
use crate::message::{BodyError, body::Sequence};

/// A stream that ended without the message that was due.
#[derive(Debug)]
pub(super) struct ReadFailure {
    pub(super) status: Status,
    /// Set when the peer ended the call itself.
    pub(super) trailers: Option<HeaderMap>,
    /// The peer refused the stream unseen.
    pub(super) never_seen: bool,
    /// The connection broke.
    pub(super) connection_lost: bool,
}

impl ReadFailure {
    fn local(status: Status) -> Self {
        Self {
            status,
            trailers: None,
            never_seen: false,
            connection_lost: false,
        }
    }

    fn broken(error: &h2::Error) -> Self {
        let never_seen = error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let code = match error.reason() {
            Some(h2::Reason::CANCEL) => Code::Canceled,
            Some(h2::Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
            Some(_) if error.is_reset() && !never_seen => Code::Internal,
            _ => Code::Unavailable,
        };
        Self {
            status: Status::new(code, format!("connection error: {error}")),
            trailers: None,
            never_seen,
            connection_lost: !error.is_reset(),
        }
    }
}

/// The next message; `None` at an end with status OK.
pub(super) fn read_message(
    recv: &mut RecvStream,
    reader: &mut FrameReader,
    context: &mut Context<'_>,
) -> Poll<Result<Option<Bytes>, ReadFailure>> {
    loop {
        match reader.next_message() {
            Ok(Some(message)) => return Poll::Ready(Ok(Some(message))),
            Ok(None) => {}
            Err(error) => {
                return Poll::Ready(Err(ReadFailure::local(error.status())));
            }
        }
        match ready!(recv.poll_data(context)) {
            Some(Ok(chunk)) => {
                let _ = recv.flow_control().release_capacity(chunk.len());
                reader.push(chunk);
            }
            Some(Err(error)) => return Poll::Ready(Err(ReadFailure::broken(&error))),
            None => return end(recv, reader, context),
        }
    }
}

fn end(
    recv: &mut RecvStream,
    reader: &FrameReader,
    context: &mut Context<'_>,
) -> Poll<Result<Option<Bytes>, ReadFailure>> {
    let trailers = match ready!(recv.poll_trailers(context)) {
        Ok(trailers) => trailers.unwrap_or_default(),
        Err(error) => return Poll::Ready(Err(ReadFailure::broken(&error))),
    };
    let status = Status::from_headers(&trailers).unwrap_or_else(|| {
        Status::new(
            Code::Internal,
            "server closed the stream without sending trailers",
        )
    });
    if status.code != Code::Ok {
        return Poll::Ready(Err(ReadFailure {
            status,
            trailers: Some(trailers),
            never_seen: false,
            connection_lost: false,
        }));
    }
    Poll::Ready(match reader.finish() {
        Ok(()) => Ok(None),
        Err(error) => Err(ReadFailure::local(error.status())),
    })
}

/// The body of an answer; goes on sending the request meanwhile.
pub(super) struct AnswerBody {
    recv: RecvStream,
    reader: FrameReader,
    pump: Option<Pump>,
    first: Bytes,
    sequence: Sequence,
    in_flight: Option<InFlight>,
}

impl AnswerBody {
    pub(super) fn new(
        recv: RecvStream,
        reader: FrameReader,
        pump: Option<Pump>,
        first: Bytes,
        sequence: Sequence,
        in_flight: InFlight,
    ) -> Self {
        Self {
            recv,
            reader,
            pump,
            first,
            sequence,
            in_flight: Some(in_flight),
        }
    }

    fn piece(&mut self, message: Bytes) -> Result<Bytes, BodyError> {
        let internal = |text: String| BodyError::Receive(Status::new(Code::Internal, text));
        let decoded =
            envelope::decode_response(message).map_err(|error| internal(error.to_string()))?;
        if decoded.head.is_some_and(|head| head.is_leading()) {
            return Err(BodyError::LateMetadata("response"));
        }
        self.sequence.take(decoded.payload)
    }

    fn finish(&mut self) {
        self.pump = None;
        self.in_flight = None;
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.in_flight.is_none() {
            return Poll::Ready(None);
        }
        if !this.first.is_empty() {
            return Poll::Ready(Some(Ok(http_body::Frame::data(std::mem::take(
                &mut this.first,
            )))));
        }
        if let Some(pump) = &mut this.pump {
            match pump.poll(context) {
                Poll::Pending => {}
                Poll::Ready(Pumped::Done) => this.pump = None,
                Poll::Ready(Pumped::Failed(error)) => {
                    this.finish();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        loop {
            let outcome = match ready!(read_message(&mut this.recv, &mut this.reader, context)) {
                Ok(Some(message)) => this.piece(message),
                Ok(None) => {
                    this.finish();
                    return Poll::Ready(None);
                }
                Err(failure) => Err(BodyError::Receive(failure.status)),
            };
            match outcome {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Poll::Ready(Some(Ok(http_body::Frame::data(data)))),
                Err(error) => {
                    this.finish();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}
