//! HTTP/1.1: a request on a connection of the pool.

use std::sync::Arc;

use http::{HeaderValue, Method, header};

use super::{
    Channel,
    http::{Failure, Turn},
};
use crate::message::{Body, Response, body, headers};

impl Channel {
    /// One request and its answer. `turn` is taken along once there is one.
    pub(super) async fn over_http1(
        &self,
        mut request: http::Request<Body>,
        turn: &mut Turn,
    ) -> Result<Response, Failure> {
        let method = request.method().clone();
        let is_open = request.body().len() != Some(0);
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.app.host_header.clone());
        if is_open && !headers.contains_key(header::CONTENT_LENGTH) {
            headers.insert(
                header::TRANSFER_ENCODING,
                HeaderValue::from_static("chunked"),
            );
        }
        // The semaphore is never closed, so a permit always comes.
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        let (response, connection) = self.pool.send(&self.app, request).await?;
        let (mut parts, incoming) = response.into_parts();
        headers::from_app(&mut parts.headers);
        let length = http_body::Body::size_hint(&incoming).exact();
        let body = if length == Some(0) || method == Method::HEAD {
            Body::Empty
        } else {
            let guard = (connection, slot, turn.take());
            Body::stream(body::Guarded::new(
                body::Limited::new(incoming, None),
                guard,
            ))
        };
        Ok(Response {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }
}
