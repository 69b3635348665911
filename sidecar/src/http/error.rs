//! Errors in the form HTTP clients get: the one place that makes it.

use api::errors::{self, ErrorCode};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::{invoke::InvokeError, message::Body};

/// An invocation of `target` failed.
pub(super) fn invocation(target: &str, error: &InvokeError) -> Response<Body> {
    let message = format!("failed to invoke, id: {target}, err: {error}");
    with_status(error.http_status(), errors::DIRECT_INVOKE.code, &message)
}

/// No target could be found in the request.
pub(super) fn no_target() -> Response<Body> {
    with_status(
        404,
        errors::DIRECT_INVOKE.code,
        "failed getting app id either from the URL path or the header dapr-app-id",
    )
}

/// Any other failure.
pub(super) fn of(code: ErrorCode, message: &str) -> Response<Body> {
    with_status(code.status, code.code, message)
}

fn with_status(status: u16, code: &str, message: &str) -> Response<Body> {
    let mut response = Response::new(Bytes::from(errors::body(code, message)).into());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
