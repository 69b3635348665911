//! One call on a connection, up to the head of its answer.

use api::{
    envelope::Frame,
    grpc::{Code, Status},
};
use bytes::Bytes;
use h2::client::SendRequest;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};
use tokio::time::Instant;

use super::{RpcAnswer, answer::Flow, time_left, uplink::Uplink};
use crate::message::Body;

/// What a connection leads to.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// With TLS or without.
    pub(crate) scheme: Scheme,
    /// `host:port`; none for what can be no authority.
    pub(crate) authority: Option<Authority>,
}

impl Site {
    /// Address of a call there.
    pub(crate) fn uri(&self, path: PathAndQuery) -> Uri {
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority.clone_from(&self.authority);
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).unwrap_or_default()
    }
}

/// A call as it goes out.
#[derive(Debug)]
pub(crate) struct Outbound {
    /// `/package.Service/Method`.
    pub(crate) path: PathAndQuery,
    /// Metadata for the other side.
    pub(crate) metadata: HeaderMap,
    /// When its client gives up.
    pub(crate) deadline: Option<Instant>,
    /// What has arrived of the request.
    pub(crate) first: Bytes,
    /// The rest; `Empty` when `first` is all of it.
    pub(crate) rest: Body,
    /// Bytes one received message may have.
    pub(crate) message_limit: usize,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The connection took no more calls: nobody has seen this one.
    Unsent(h2::Error),
    /// The stream or the connection ended without an answer.
    Cut(h2::Error),
    /// Our own verdict.
    Refused(Status),
}

/// Makes the call; who waits for its head looks at the clock. `guard` is kept
/// as long as the answer arrives.
pub(crate) async fn exchange(
    mut sender: SendRequest<Frame>,
    site: &Site,
    call: Outbound,
    guard: impl Send + Unpin + 'static,
) -> Result<RpcAnswer, Broken> {
    let is_whole = matches!(call.rest, Body::Empty);
    let (response, mut stream) = sender
        .send_request(
            head(site.uri(call.path), call.metadata, call.deadline),
            false,
        )
        .map_err(Broken::Unsent)?;
    // A request ends on a DATA frame, an empty one if need be: servers in Go
    // do not see the end on a head.
    if is_whole || !call.first.is_empty() {
        // The other side may have closed already; reading tells the reason.
        let _ = stream.send_data(Frame::whole(call.first), is_whole);
    }
    let uplink = (!is_whole).then(|| Uplink::start(call.rest, stream));
    let response = match response.await {
        Ok(response) => response,
        Err(error) => {
            let own = uplink.as_ref().and_then(Uplink::refusal);
            return Err(own.map_or(Broken::Cut(error), Broken::Refused));
        }
    };
    let (parts, recv) = response.into_parts();
    if parts.status != StatusCode::OK {
        return Err(Broken::Refused(not_grpc(parts.status)));
    }
    let body = if recv.is_end_stream() {
        Body::Empty
    } else {
        Body::stream(Flow::new(
            recv,
            call.message_limit,
            uplink,
            call.deadline,
            guard,
        ))
    };
    Ok(RpcAnswer {
        headers: parts.headers,
        body,
    })
}

fn head(uri: Uri, metadata: HeaderMap, deadline: Option<Instant>) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri;
    *request.headers_mut() = metadata;
    let headers = request.headers_mut();
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("dapr-rs/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    if let Some(deadline) = deadline {
        let mut value = api::metadata::timeout::format(time_left(deadline));
        // New with each call: not worth a place in the header table.
        value.set_sensitive(true);
        headers.insert("grpc-timeout", value);
    }
    request
}

/// An answer of something that is no gRPC server, by the gRPC specification's
/// table.
fn not_grpc(status: StatusCode) -> Status {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(
        code,
        format!("unexpected HTTP status code received from server: {status}"),
    )
}
