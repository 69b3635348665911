//! Any rpc that is none of ours: passed on, unread, to the app its metadata
//! names.

use std::pin::pin;

use api::{
    flags::truthy,
    headers::{CALLEE_APP_ID, DAPR_APP_ID},
};
use http::{HeaderMap, HeaderName, Request, Response};
use hyper::body::Incoming;

use super::{Front, error};
use crate::{
    invoke::{InvokeError, Proxied},
    message::Body,
    rpc::{self, Rpc},
    trace,
};

const DAPR_STREAM: HeaderName = HeaderName::from_static("dapr-stream");

pub(super) async fn serve(front: &Front, request: Request<Incoming>) -> Response<Body> {
    let (parts, incoming) = request.into_parts();
    let mut metadata = parts.headers;
    let (path, body) = rpc::request_parts(parts.uri, incoming, front.message_limit);
    let policy = text(&metadata, &DAPR_APP_ID);
    let Some(target) = text(&metadata, &CALLEE_APP_ID).or_else(|| policy.clone()) else {
        return rpc::failed(&rpc::no_target(path.path()));
    };
    let deadline = match rpc::canonical(path.as_str()).and_then(|()| rpc::deadline(&metadata)) {
        Ok(deadline) => deadline,
        Err(status) => return rpc::failed(&status),
    };
    let context = trace::from_grpc_client(&mut metadata);
    let call = Proxied {
        target,
        policy,
        is_stream: text(&metadata, &DAPR_STREAM).is_some_and(|text| truthy(&text)),
        trace: trace::to_peer(&context),
        rpc: Rpc {
            path,
            metadata,
            deadline,
            body,
        },
    };
    let passed = pin!(front.invoker.proxy(call));
    match rpc::within(deadline, passed, || InvokeError::Timeout).await {
        Ok(answer) => answer.into_response(),
        Err(error) => rpc::failed(&error::proxied(error)),
    }
}

fn text(metadata: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = metadata.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
