//! One call as it moves through the rooms: request, response, body, and the
//! rules for which header crosses which hop.

pub(crate) mod body;
pub(crate) mod headers;

use api::verb::Verb;
use http::{HeaderMap, StatusCode};

pub(crate) use body::{Body, BodyError};

/// A call towards a target.
#[derive(Debug)]
pub(crate) struct Request {
    /// Canonical method path without a leading slash; empty for the root.
    pub method: String,
    /// HTTP verb.
    pub verb: Verb,
    /// Raw query without `?`; empty when there is none.
    pub query: String,
    /// Headers, already free of hop-by-hop and identity headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// An answer of an app.
#[derive(Debug)]
pub(crate) struct Response {
    /// Status as the app gave it.
    pub status: StatusCode,
    /// Headers without hop-by-hop ones and without a length.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}
