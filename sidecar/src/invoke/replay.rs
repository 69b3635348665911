//! A request body that can be sent again, as long as it is small.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Frame;
use parking_lot::Mutex;

use crate::message::{Body, BodyError};

/// The one body behind all attempts of a call.
#[derive(Clone, Debug)]
pub(super) struct Replay(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    source: Body,
    kept: Vec<Bytes>,
    kept_bytes: usize,
    /// Bytes that may be kept.
    room: usize,
    /// More was read than is kept.
    lost: bool,
    finished: bool,
    /// Bodies of unknown length are not sent twice once somebody saw them.
    known_length: bool,
    /// Pieces the attempt of the moment has taken.
    position: usize,
}

impl Replay {
    /// Keeps up to `room` bytes of `first` and `source` for further attempts.
    /// A body without a length is only repeated while none of it was read.
    pub(super) fn new(first: Bytes, source: Body, room: usize, known_length: bool) -> Self {
        let kept_bytes = first.len();
        Self(Arc::new(Mutex::new(State {
            source,
            kept: if first.is_empty() {
                Vec::new()
            } else {
                vec![first]
            },
            kept_bytes,
            room,
            lost: kept_bytes > room,
            finished: false,
            known_length,
            position: 0,
        })))
    }

    /// True when another attempt would send the same bytes. `unseen`: nobody
    /// has looked at those of the last attempt.
    pub(super) fn is_possible(&self, unseen: bool) -> bool {
        let state = self.0.lock();
        !state.lost && (state.known_length || unseen)
    }

    /// The body for one attempt: what was read before, then the rest. The
    /// attempt before it has ended.
    pub(super) fn attempt(&self) -> Body {
        self.0.lock().position = 0;
        Body::stream(Attempt(Arc::clone(&self.0)))
    }

    /// There will be no further attempt: what was sent need not be kept.
    pub(super) fn settle(&self) {
        let mut state = self.0.lock();
        let sent = state.position.min(state.kept.len());
        state.kept.drain(..sent);
        state.kept.shrink_to_fit();
        state.position = 0;
        state.lost = true;
    }
}

struct Attempt(Arc<Mutex<State>>);

impl http_body::Body for Attempt {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.0.lock();
        if let Some(piece) = state.kept.get(state.position).cloned() {
            state.position += 1;
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if state.finished {
            return Poll::Ready(None);
        }
        match ready!(http_body::Body::poll_frame(
            Pin::new(&mut state.source),
            context
        )) {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    state.keep(data);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                state.lost = true;
                Poll::Ready(Some(Err(error)))
            }
            None => {
                state.finished = true;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.lock();
        state.position >= state.kept.len()
            && (state.finished || http_body::Body::is_end_stream(&state.source))
    }
}

impl State {
    fn keep(&mut self, data: &Bytes) {
        if self.lost {
            return;
        }
        self.kept_bytes += data.len();
        if self.kept_bytes <= self.room {
            // Owned copy: a slice would pin the whole read buffer behind it.
            self.kept.push(Bytes::copy_from_slice(data));
            self.position += 1;
        } else {
            self.lost = true;
            self.kept = Vec::new();
            self.position = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn source(pieces: &[&'static str]) -> Body {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Bytes::from_static(piece.as_bytes()))
            .collect();
        Body::stream(Replay::new(Bytes::new(), Body::Empty, 0, true).into_pieces(pieces))
    }

    impl Replay {
        /// A body made of pieces, for tests.
        fn into_pieces(self, pieces: Vec<Bytes>) -> Attempt {
            self.0.lock().kept = pieces;
            Attempt(self.0)
        }
    }

    async fn text(body: Body) -> Bytes {
        body.collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn every_attempt_sends_the_same_bytes() {
        let replay = Replay::new("a".into(), source(&["b", "c"]), 3, true);
        assert_eq!(text(replay.attempt()).await, "abc");
        assert!(replay.is_possible(false));
        assert_eq!(text(replay.attempt()).await, "abc");
    }

    #[tokio::test]
    async fn a_body_over_the_room_is_sent_once() {
        let replay = Replay::new(Bytes::new(), source(&["ab", "cd"]), 3, true);
        assert!(replay.is_possible(false));
        assert_eq!(text(replay.attempt()).await, "abcd");
        assert!(!replay.is_possible(true));
    }

    #[tokio::test]
    async fn a_body_without_length_is_repeated_only_unseen() {
        let replay = Replay::new(Bytes::new(), source(&["ab"]), 3, false);
        assert_eq!(text(replay.attempt()).await, "ab");
        assert!(replay.is_possible(true));
        assert!(!replay.is_possible(false));
    }
}
