//! The length of messages that are not looked at.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use api::grpc::{Code, Status};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::message::BodyError;

/// Length of the compression flag and the message length.
const PREFIX: usize = 5;

/// Follows the boundaries of messages in a byte stream.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: usize,
    begun: usize,
    prefix: [u8; PREFIX],
    /// Bytes of the prefix seen.
    seen: usize,
    /// Bytes of the current message to come.
    left: usize,
}

impl Meter {
    /// `limit` in bytes of one message.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            begun: 0,
            prefix: [0; PREFIX],
            seen: 0,
            left: 0,
        }
    }

    /// Messages of which at least a byte has passed.
    pub(crate) fn begun(&self) -> usize {
        self.begun
    }

    /// Call at the end of the stream.
    ///
    /// # Errors
    /// The last message was cut.
    pub(super) fn finish(&self) -> Result<(), Status> {
        if self.seen == 0 && self.left == 0 {
            Ok(())
        } else {
            Err(Status::new(Code::Internal, "unexpected EOF"))
        }
    }

    /// Takes the next piece of the stream.
    ///
    /// # Errors
    /// A message in it is longer than the limit.
    pub(crate) fn pass(&mut self, piece: &[u8]) -> Result<(), Status> {
        let mut rest = piece;
        loop {
            let step = self.left.min(rest.len());
            self.left -= step;
            rest = rest.get(step..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            if self.seen == 0 {
                self.begun += 1;
            }
            while self.seen < PREFIX {
                let Some((byte, tail)) = rest.split_first() else {
                    return Ok(());
                };
                if let Some(place) = self.prefix.get_mut(self.seen) {
                    *place = *byte;
                }
                self.seen += 1;
                rest = tail;
            }
            self.seen = 0;
            let [_, length @ ..] = self.prefix;
            let length = u32::from_be_bytes(length) as usize;
            if length > self.limit {
                return Err(Status::new(
                    Code::ResourceExhausted,
                    format!(
                        "grpc: received message larger than max ({length} vs. {})",
                        self.limit
                    ),
                ));
            }
            self.left = length;
        }
    }
}

pin_project! {
    /// The request of a client, which fails once a message is too long.
    /// Trailers end here: gRPC requests have none.
    pub(crate) struct Metered<B> {
        #[pin]
        body: B,
        meter: Meter,
    }
}

impl<B> Metered<B> {
    /// `limit` in bytes of one message.
    pub(crate) fn new(body: B, limit: usize) -> Self {
        Self {
            body,
            meter: Meter::new(limit),
        }
    }
}

impl<B> http_body::Body for Metered<B>
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
        let end = |meter: &Meter| {
            let cut = meter.finish().err();
            Poll::Ready(cut.map(|status| Err(BodyError::Receive(status))))
        };
        let Some(frame) = ready!(this.body.poll_frame(context)) else {
            return end(this.meter);
        };
        let Ok(data) = frame.map_err(Into::into)?.into_data() else {
            return end(this.meter);
        };
        this.meter.pass(&data).map_err(BodyError::Receive)?;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.meter.finish().is_ok()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Vec<u8> {
        let mut out = vec![0];
        out.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
        out.resize(PREFIX + length, b'x');
        out
    }

    #[test]
    fn boundaries_are_found_however_the_stream_is_cut() {
        let stream = [message(3), message(0), message(10), message(11)].concat();
        for size in 1..=stream.len() {
            let mut meter = Meter::new(10);
            let refused = stream
                .chunks(size)
                .find_map(|piece| meter.pass(piece).err());
            let status = refused.unwrap();
            assert_eq!(status.code, Code::ResourceExhausted);
            assert_eq!(
                status.message,
                "grpc: received message larger than max (11 vs. 10)"
            );
        }
    }

    #[test]
    fn messages_are_counted_by_their_first_byte() {
        let stream = [message(2), message(0), message(1)].concat();
        let begun: Vec<_> = (0..=stream.len())
            .map(|length| {
                let mut meter = Meter::new(10);
                meter.pass(&stream[..length]).unwrap();
                meter.begun()
            })
            .collect();
        assert_eq!(
            begun,
            [0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]
        );
    }

    #[test]
    fn a_cut_message_is_noticed() {
        let whole = message(4);
        for length in 1..whole.len() {
            let mut meter = Meter::new(10);
            meter.pass(&whole[..length]).unwrap();
            assert!(meter.finish().is_err(), "{length}");
        }
        let mut meter = Meter::new(10);
        meter.pass(&whole).unwrap();
        assert!(meter.finish().is_ok());
    }

    #[test]
    fn messages_within_the_limit_pass() {
        let stream = [message(10), message(1), message(0)].concat();
        for size in 1..=stream.len() {
            let mut meter = Meter::new(10);
            assert!(stream.chunks(size).all(|piece| meter.pass(piece).is_ok()));
        }
    }
}
