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
    pub(crate) method: String,
    /// HTTP verb.
    pub(crate) verb: Verb,
    /// Raw query without `?`; empty when there is none.
    pub(crate) query: String,
    /// Headers, already free of hop-by-hop and identity headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Body,
}

/// An answer of an app.
#[derive(Debug)]
pub(crate) struct Response {
    /// Status as the app gave it.
    pub(crate) status: StatusCode,
    /// Headers without hop-by-hop ones and without a length.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Body,
}
