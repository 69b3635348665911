//! A request made ready: what every attempt of the call sends again.

use api::{
    envelope::{Origin, RequestParts},
    verb::Verb,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::replay::Replay;
use crate::message::{
    Body, BodyError, Content, Request,
    body::{self, Peeked},
};

/// Trace context of a call, in the two forms peers read.
pub(crate) type Trace = [(HeaderName, HeaderValue); 2];

/// The request of a call with all its attempts before it.
pub(super) struct Outgoing {
    method: String,
    pub(super) verb: Verb,
    query: String,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
    /// Who calls whom, for peers.
    identity: [(HeaderName, HeaderValue); 4],
    pub(super) trace: Trace,
    /// When the client gives up, where it says so.
    pub(super) deadline: Option<Instant>,
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
        deadline: Option<Instant>,
        room: usize,
    ) -> Result<Self, BodyError> {
        let is_known_length = request.body.len().is_some();
        // One message, which is in memory anyway.
        let room = if request.content.is_grpc() {
            usize::MAX
        } else {
            room
        };
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
            content,
            body: _,
        } = request;
        Ok(Self {
            method,
            verb,
            query,
            headers,
            content,
            identity,
            trace,
            deadline,
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
            origin: match &self.content {
                Content::Http => Origin::Http,
                Content::Grpc(content) => Origin::Grpc {
                    authority: text(&content.authority),
                    content_type: text(&content.content_type),
                    type_url: text(&content.type_url),
                    has_extension: content.has_extension,
                },
            },
        }
    }

    /// One attempt on the own app.
    pub(super) fn request(&self) -> Request {
        Request {
            method: self.method.clone(),
            verb: self.verb,
            query: self.query.clone(),
            headers: self.headers.clone(),
            content: self.content.clone(),
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

/// Text of a message field, which protobuf says is UTF-8.
fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
