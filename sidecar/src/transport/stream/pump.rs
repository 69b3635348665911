//! Sending a request body in pieces, as fast as the peer takes it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use api::envelope::{self, Frame, PIECE};
use bytes::{Buf as _, Bytes};
use h2::{Reason, SendStream};

use crate::message::{Body, BodyError};

/// Window to wait for before a piece is handed over. A peer's whole window
/// may be smaller than a piece.
const ENOUGH: usize = 16 * 1024;

/// How sending ended.
pub(super) enum Pumped {
    /// All sent, or the peer wants no more.
    Done,
    /// The source failed; the stream has been reset.
    Failed(BodyError),
}

pub(super) struct Pump {
    body: Body,
    stream: SendStream<Frame>,
    sequence: u64,
    /// Bytes from the source that are not framed yet.
    data: Bytes,
    frame: Frame,
    finished: bool,
}

impl Pump {
    pub(super) fn new(body: Body, stream: SendStream<Frame>, sequence: u64) -> Self {
        Self {
            body,
            stream,
            sequence,
            data: Bytes::new(),
            frame: Frame::default(),
            finished: false,
        }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Pumped> {
        loop {
            if self.frame.has_remaining() {
                let wanted = self.frame.remaining();
                self.stream.reserve_capacity(wanted);
                while self.stream.capacity() < wanted.min(ENOUGH) {
                    match ready!(self.stream.poll_capacity(context)) {
                        Some(Ok(_)) => {}
                        // Closed by the peer: the answer says why.
                        Some(Err(_)) | None => return Poll::Ready(Pumped::Done),
                    }
                }
                let end = self.data.is_empty() && http_body::Body::is_end_stream(&self.body);
                if self
                    .stream
                    .send_data(std::mem::take(&mut self.frame), end)
                    .is_err()
                    || end
                {
                    self.finished = true;
                    return Poll::Ready(Pumped::Done);
                }
            }
            if self.data.is_empty() {
                match ready!(http_body::Body::poll_frame(
                    Pin::new(&mut self.body),
                    context
                )) {
                    Some(Ok(frame)) => {
                        let Ok(data) = frame.into_data() else {
                            continue;
                        };
                        self.data = data;
                    }
                    Some(Err(error)) => {
                        self.finished = true;
                        self.stream.send_reset(Reason::CANCEL);
                        return Poll::Ready(Pumped::Failed(error));
                    }
                    None => {
                        self.finished = true;
                        let _ = self.stream.send_data(Frame::default(), true);
                        return Poll::Ready(Pumped::Done);
                    }
                }
            }
            if !self.data.is_empty() {
                let piece = self.data.split_to(self.data.len().min(PIECE));
                self.frame = envelope::payload(piece, self.sequence);
                self.sequence += 1;
            }
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        // The call ended before its body did: tell the peer to stop waiting.
        if !self.finished {
            self.stream.send_reset(Reason::CANCEL);
        }
    }
}
