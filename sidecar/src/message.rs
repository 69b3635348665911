//! One call as it moves through the rooms: request, response, body, and the
//! rules for which header crosses which hop.

pub(crate) mod body;
pub(crate) mod headers;

use api::{grpc::Status, verb::Verb};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

pub(crate) use body::{Body, BodyError};

/// Bounds of what a call keeps or accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of one message of a peer, envelope included.
    pub(crate) message: usize,
    /// Bytes of one message of an app or its client.
    pub(crate) body: usize,
    /// Bytes of a request body kept for a further attempt.
    pub(crate) replay: usize,
}

/// A call towards a target.
#[derive(Debug)]
pub(crate) struct Request {
    /// Canonical method path without a leading slash; empty for the root.
    pub(crate) method: String,
    /// HTTP verb.
    pub(crate) verb: Verb,
    /// Raw query without `?`; empty when there is none.
    pub(crate) query: String,
    /// Headers, already free of hop-by-hop and identity headers.
    pub(crate) headers: HeaderMap,
    /// What the body is.
    pub(crate) content: Content,
    /// The body.
    pub(crate) body: Body,
}

/// What a body is, and which kind of client says so.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// An HTTP client: the type is among the headers.
    Http,
    /// A gRPC client: headers are metadata of its call, the type is that of
    /// its message.
    Grpc(Box<GrpcContent>),
}

/// What a gRPC client says of the message it invokes a method with.
#[derive(Clone, Debug, Default)]
pub(crate) struct GrpcContent {
    /// `:authority` of its call.
    pub(crate) authority: Bytes,
    /// Content type of the data; may be empty.
    pub(crate) content_type: Bytes,
    /// Type of the packed message; empty for plain bytes.
    pub(crate) type_url: Bytes,
    /// Verb and query were given.
    pub(crate) has_extension: bool,
}

impl Content {
    /// Spoken by a gRPC client.
    pub(crate) fn is_grpc(&self) -> bool {
        matches!(self, Self::Grpc(_))
    }
}

/// The content type of `data` in HTTP terms: packed messages have one of their
/// own.
pub(crate) fn content_type(given: &Bytes, type_url: &Bytes) -> Option<HeaderValue> {
    if !type_url.is_empty() {
        return Some(HeaderValue::from_static("application/x-protobuf"));
    }
    HeaderValue::from_maybe_shared(given.clone())
        .ok()
        .filter(|value| !value.is_empty())
}

/// An answer of an app.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The app speaks HTTP.
    Http(Response),
    /// The app speaks gRPC.
    Grpc(Box<GrpcReply>),
}

/// An answer of an HTTP app.
#[derive(Debug)]
pub(crate) struct Response {
    /// Status as the app gave it.
    pub(crate) status: StatusCode,
    /// Headers without hop-by-hop ones and without a length.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Body,
}

/// An answer of a gRPC app.
#[derive(Debug)]
pub(crate) struct GrpcReply {
    /// Status as the app gave it.
    pub(crate) status: Status,
    /// Initial metadata.
    pub(crate) headers: HeaderMap,
    /// Trailing metadata.
    pub(crate) trailers: HeaderMap,
    /// Content type of the data; may be empty.
    pub(crate) content_type: Bytes,
    /// Type of the packed message; empty for plain bytes.
    pub(crate) type_url: Bytes,
    /// The data.
    pub(crate) body: Body,
}

impl Reply {
    /// The body, whoever answered.
    pub(crate) fn body_mut(&mut self) -> &mut Body {
        match self {
            Self::Http(response) => &mut response.body,
            Self::Grpc(reply) => &mut reply.body,
        }
    }
}
