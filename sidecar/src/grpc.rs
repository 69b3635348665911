//! The gRPC API port. SDKs and tools wait for it to answer; its methods come
//! with gRPC support, until then each is refused at once.

use api::{
    errors::API_UNIMPLEMENTED_MESSAGE,
    grpc::{Code, Status},
    headers::DAPR_API_TOKEN,
};
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;

use crate::{
    http::Api,
    message::{Body, headers::is_secret},
};

const DAPR: &str = "/dapr.proto.runtime.v1.Dapr/";

/// Answers one rpc.
pub(crate) fn serve(api: &Api, request: &Request<Incoming>) -> Response<Body> {
    let status = refusal(api, request);
    let mut response = Response::new(Body::Empty);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    status.write_headers(headers);
    response
}

fn refusal(api: &Api, request: &Request<Incoming>) -> Status {
    let given = request.headers().get(DAPR_API_TOKEN);
    if api
        .token
        .as_ref()
        .is_some_and(|expected| !is_secret(given, expected))
    {
        return Status::new(Code::Unauthenticated, "Unauthorized");
    }
    let path = request.uri().path();
    let named = ["dapr-callee-app-id", "dapr-app-id"]
        .iter()
        .any(|name| request.headers().contains_key(*name));
    if path.starts_with(DAPR) || path.starts_with("/TaskHubSidecarService/") || named {
        return Status::new(Code::Unimplemented, API_UNIMPLEMENTED_MESSAGE);
    }
    let text = if path.starts_with("/dapr.proto.") {
        "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found"
    } else {
        "cannot proxy request: missing dapr-callee-app-id or dapr-app-id metadata"
    };
    Status::new(Code::Unknown, text)
}
