//! Calls whose messages pass unread: the request of a client, the exchange on
//! an HTTP/2 connection of ours, and the answer.
//!
//! **Invariant:** no message is decoded or copied here, only measured.

mod answer;
mod exchange;
mod meter;
mod uplink;

use std::{convert::Infallible, pin::Pin, time::Duration};

use api::grpc::{Code, Status};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, uri::PathAndQuery,
};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::message::Body;

pub(crate) use answer::cut;
pub(crate) use exchange::{Broken, Outbound, Site, exchange};
pub(crate) use meter::Meter;
use meter::Metered;
pub(crate) use uplink::{Uplink, room};

/// An answer that is being made. Boxed: HTTP/2 moves it from place to place as
/// it starts, and keeps its room until the answer has ended.
pub(crate) type Answering<B> =
    Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>> + Send>>;

/// A call on its way.
#[derive(Debug)]
pub(crate) struct Rpc {
    /// `/package.Service/Method`.
    pub(crate) path: PathAndQuery,
    /// Request metadata, content type and encodings included.
    pub(crate) metadata: HeaderMap,
    /// When its client gives up.
    pub(crate) deadline: Option<Instant>,
    /// Messages as they are on the wire.
    pub(crate) body: Body,
}

/// An answer of which the head has arrived.
#[derive(Debug)]
pub(crate) struct RpcAnswer {
    /// Initial metadata; with a status in it there is nothing else.
    pub(crate) headers: HeaderMap,
    /// Messages, then trailers.
    pub(crate) body: Body,
}

impl RpcAnswer {
    /// The status, where the answer consists of nothing else.
    pub(crate) fn status(&self) -> Option<Status> {
        Status::from_headers(&self.headers)
    }

    /// For a client of ours.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.headers_mut() = self.headers;
        response
    }
}

/// The answer to a call that failed here.
pub(crate) fn failed(status: &Status) -> Response<Body> {
    refused(StatusCode::OK, status)
}

/// A message with its length in front.
pub(crate) fn framed(message: &impl prost::Message) -> Bytes {
    let length = message.encoded_len();
    let mut out = BytesMut::with_capacity(5 + length);
    out.put_u8(0);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.encode_raw(&mut out);
    out.freeze()
}

/// A call that names nobody. Tools tell by the text that this is a sidecar.
pub(crate) fn no_target(path: &str) -> Status {
    let text = if path.starts_with("/dapr.proto.") {
        "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found"
    } else {
        "cannot proxy request: missing dapr-callee-app-id or dapr-app-id metadata"
    };
    Status::new(Code::Unknown, text)
}

/// A call for a sidecar without an app.
pub(crate) fn no_app() -> Status {
    Status::new(
        Code::Unavailable,
        "connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.1:0: connect: connection refused\"; this sidecar has no app, set --app-port",
    )
}

/// Initial metadata, at most one message, and trailers that say how it ended.
pub(crate) fn answered(
    headers: HeaderMap,
    message: Option<Bytes>,
    trailers: HeaderMap,
) -> Response<Body> {
    let mut response = Response::new(Body::stream(answer::Single::new(message, trailers)));
    *response.headers_mut() = headers;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    response
}

/// The path of a request, and its messages as far as they are within `limit`
/// bytes each.
pub(crate) fn request_parts(uri: Uri, body: Incoming, limit: usize) -> (PathAndQuery, Body) {
    let path = uri.into_parts().path_and_query;
    let body = if http_body::Body::is_end_stream(&body) {
        Body::Empty
    } else {
        Body::stream(Metered::new(body, limit))
    };
    (path.unwrap_or(PathAndQuery::from_static("/")), body)
}

/// When the client of a call gives up, where it says so.
///
/// # Errors
/// It says so in no known form.
pub(crate) fn deadline(metadata: &HeaderMap) -> Result<Option<Instant>, Status> {
    let Some(given) = metadata.get("grpc-timeout") else {
        return Ok(None);
    };
    let time = api::metadata::timeout::parse(given).ok_or_else(|| {
        let text = String::from_utf8_lossy(given.as_bytes());
        let shown = policy::method::quote(&text);
        Status::new(
            Code::Internal,
            format!(
                "malformed grpc-timeout: {shown}; expected up to 8 digits and one of H M S m u n"
            ),
        )
    })?;
    Ok(Instant::now().checked_add(time))
}

/// Trailers that say `status`.
pub(crate) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    status.write_headers(&mut trailers);
    trailers
}

/// As [`failed`], for failures of HTTP itself.
fn refused(http: StatusCode, status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = http;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    status.write_headers(response.headers_mut());
    response
}

/// gRPC speaks POST and `application/grpc`.
pub(crate) fn refuse_non_grpc(request: &Request<Incoming>) -> Option<Response<Body>> {
    if request.method() != Method::POST {
        let status = Status::new(
            Code::Internal,
            format!(
                "Received a HEADERS frame with :method \"{}\" which should be POST",
                request.method()
            ),
        );
        return Some(refused(StatusCode::METHOD_NOT_ALLOWED, &status));
    }
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    let is_grpc = content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+") || rest.starts_with(b";"));
    (!is_grpc).then(|| {
        let status = Status::new(
            Code::InvalidArgument,
            format!(
                "invalid gRPC request content-type {}",
                policy::method::quote(&String::from_utf8_lossy(content_type))
            ),
        );
        refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, &status)
    })
}

/// Time left until `deadline`; at least one microsecond.
pub(crate) fn time_left(deadline: Instant) -> Duration {
    deadline
        .saturating_duration_since(Instant::now())
        .max(Duration::from_micros(1))
}

/// The other side watches the same deadline, and may give the call up a
/// moment before our own clock tells.
const CLOCKS: Duration = Duration::from_millis(5);

/// Whether what fails now fails for the deadline.
fn is_over(deadline: Instant) -> bool {
    Instant::now() + CLOCKS >= deadline
}

/// Ends `work` when the client gives up. It stays where it is: a future that
/// takes another by value has room for it twice.
pub(crate) async fn within<T, E>(
    deadline: Option<Instant>,
    work: Pin<&mut impl Future<Output = Result<T, E>>>,
    over: impl FnOnce() -> E,
) -> Result<T, E> {
    match deadline {
        None => work.await,
        Some(deadline) => match tokio::time::timeout_at(deadline, work).await {
            Ok(Err(_)) if is_over(deadline) => Err(over()),
            Ok(outcome) => outcome,
            Err(_) => Err(over()),
        },
    }
}

/// A client's patience ran out.
pub(crate) fn deadline_exceeded() -> Status {
    Status::new(Code::DeadlineExceeded, "context deadline exceeded")
}

/// Checks that what access lists judge is what the app will see.
///
/// # Errors
/// Cleaning would change the path.
pub(crate) fn canonical(path: &str) -> Result<(), Status> {
    let invalid = |text: String| Status::new(Code::InvalidArgument, text);
    policy::method::validate(path).map_err(|error| invalid(error.to_string()))?;
    let is_plain = path.starts_with('/')
        && !path.ends_with('/')
        && !path.contains("//")
        && !path.split('/').any(|part| part == "." || part == "..");
    if is_plain {
        return Ok(());
    }
    let clean = format!("/{}", policy::method::clean(path));
    if clean == path {
        return Ok(());
    }
    let (given, clean) = (policy::method::quote(path), policy::method::quote(&clean));
    Err(invalid(format!(
        "invalid method: {given} is not canonical, call {clean}"
    )))
}

#[cfg(test)]
mod tests;
