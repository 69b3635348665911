//! A request made ready: what every attempt of the call sends again.

use api::{envelope::RequestParts, verb::Verb};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::replay::Replay;
use crate::message::{
    Body, BodyError, Request,
    body::{self, Peeked},
};

/// Trace context of a call, in the two forms peers read.
pub(super) type Trace = [(HeaderName, HeaderValue); 2];

/// The request of a call with all its attempts before it.
pub(super) struct Outgoing {
    method: String,
    pub(super) verb: Verb,
    query: String,
    pub(super) headers: HeaderMap,
    /// Who calls whom, for peers.
    identity: [(HeaderName, HeaderValue); 4],
    pub(super) trace: Trace,
    pub(super) body: OutgoingBody,
    /// Bodies of unknown length are not sent again once somebody saw them, as
    /// peers of Dapr know it.
    pub(super) is_known_length: bool,
}

/// The request body for all attempts.
pub(super) enum OutgoingBody {
    Whole { bytes: Bytes, repeatable: bool },
    Arriving(Replay),
}

impl Outgoing {
    /// Looks at what has arrived of the body; up to `room` bytes are kept.
    pub(super) async fn new(
        mut request: Request,
        identity: [(HeaderName, HeaderValue); 4],
        trace: Trace,
        room: usize,
    ) -> Result<Self, BodyError> {
        let is_known_length = request.body.len().is_some();
        let body = match body::peek(std::mem::take(&mut request.body)).await? {
            Peeked::Whole(bytes) => OutgoingBody::Whole {
                repeatable: is_known_length && bytes.len() <= room,
                bytes,
            },
            Peeked::Begun(first, rest) => {
                OutgoingBody::Arriving(Replay::new(first, rest, room, is_known_length))
            }
        };
        let Request {
            method,
            verb,
            query,
            headers,
            body: _,
        } = request;
        Ok(Self {
            method,
            verb,
            query,
            headers,
            identity,
            trace,
            body,
            is_known_length,
        })
    }

    /// The envelope for peers.
    pub(super) fn parts(&self) -> RequestParts<'_> {
        RequestParts {
            method: &self.method,
            verb: self.verb,
            query: &self.query,
            headers: &self.headers,
            identity: &self.identity,
        }
    }

    /// One attempt on the own app.
    pub(super) fn request(&self) -> Request {
        Request {
            method: self.method.clone(),
            verb: self.verb,
            query: self.query.clone(),
            headers: self.headers.clone(),
            body: match &self.body {
                OutgoingBody::Whole { bytes, .. } => bytes.clone().into(),
                OutgoingBody::Arriving(replay) => replay.attempt(),
            },
        }
    }

    /// Whether the body can be sent once more. `unseen`: nobody has looked at
    /// what the last attempt sent.
    pub(super) fn is_replayable(&self, unseen: bool) -> bool {
        match &self.body {
            OutgoingBody::Whole { repeatable, .. } => *repeatable || unseen,
            OutgoingBody::Arriving(replay) => replay.is_possible(unseen),
        }
    }

    /// The first piece of the body where it is all there is, and the rest.
    pub(super) fn pieces(&self) -> (Bytes, Body) {
        use api::envelope::PIECE;
        match &self.body {
            OutgoingBody::Whole { bytes, .. } if bytes.len() <= PIECE => {
                (bytes.clone(), Body::Empty)
            }
            OutgoingBody::Whole { bytes, .. } => (Bytes::new(), Body::from(bytes.clone())),
            OutgoingBody::Arriving(replay) => (Bytes::new(), replay.attempt()),
        }
    }
}
