//! The metrics listener: every path shows what there is to show.

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use crate::message::Body;

/// Prometheus text of this process.
pub(crate) fn serve() -> Response<Body> {
    let mut text = String::with_capacity(2048);
    telemetry::process::render(&mut text);
    let mut response = Response::new(Bytes::from(text).into());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}
