//! A peer's call of any rpc of the own app, passed on unread.

use std::pin::pin;

use api::{
    grpc::{Code, Status},
    headers::{APP_NOT_REACHED, CALLEE_APP_ID, CALLER_APP_ID, DAPR_APP_ID},
    metadata,
};
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;

use super::{Caller, Internal, access};
use crate::{
    channel::ChannelError,
    message::Body,
    rpc::{self, Rpc},
};

pub(super) async fn serve(server: &Internal, request: Request<Incoming>) -> Response<Body> {
    let (parts, incoming) = request.into_parts();
    let (path, body) = rpc::request_parts(parts.uri, incoming, server.limits.body);
    let admitted = admit(server, path.as_str(), &parts.headers);
    let deadline = match admitted.and_then(|()| rpc::deadline(&parts.headers)) {
        Ok(deadline) => deadline,
        Err(status) => return rpc::failed(&status),
    };
    let mut metadata = parts.headers;
    let claimed = metadata.get(CALLER_APP_ID).cloned();
    metadata::proxied(&mut metadata);
    identify(server, &mut metadata, claimed);
    let Some(channel) = &server.channel else {
        return not_reached(&rpc::no_app());
    };
    let rpc = Rpc {
        path,
        metadata,
        deadline,
        body,
    };
    let over = || ChannelError::Rpc(rpc::deadline_exceeded());
    let passed = pin!(channel.proxy(rpc));
    match rpc::within(deadline, passed, over).await {
        Ok(answer) => answer.into_response(),
        Err(ChannelError::Unreachable(status)) => not_reached(&status),
        Err(ChannelError::Rpc(status)) => rpc::failed(&status),
        Err(error) => rpc::failed(&Status::new(Code::Unavailable, error.to_string())),
    }
}

/// Whether the call is for our app, names a method of it, and may be made.
fn admit(server: &Internal, path: &str, metadata: &HeaderMap) -> Result<(), Status> {
    let target = [CALLEE_APP_ID, DAPR_APP_ID]
        .iter()
        .find_map(|name| metadata.get(name));
    let Some(target) = target else {
        return Err(rpc::no_target(path));
    };
    // Older callers send the name as their client wrote it.
    let id = target.as_bytes();
    let own = server.me.app_id.as_bytes();
    let is_own = id == own
        || id
            .strip_prefix(own)
            .and_then(|rest| rest.strip_prefix(b"."))
            .is_some_and(|namespace| namespace == server.me.namespace.as_bytes());
    if !is_own {
        return Err(Status::new(
            Code::Unavailable,
            format!(
                "target app id {} is not served by this sidecar",
                String::from_utf8_lossy(id)
            ),
        ));
    }
    rpc::canonical(path)?;
    access::authorize_rpc(server, path)
}

/// Who calls whom; by the certificate, where there is one.
fn identify(server: &Internal, metadata: &mut HeaderMap, claimed: Option<HeaderValue>) {
    let caller = match &server.peer {
        Caller::Unproven => claimed,
        Caller::NoApp(_) => None,
        Caller::App(peer) => HeaderValue::from_str(&peer.app_id).ok(),
    };
    if let Some(caller) = caller {
        metadata.insert(CALLER_APP_ID, caller);
    }
    if let Ok(callee) = HeaderValue::from_str(&server.me.app_id) {
        metadata.insert(CALLEE_APP_ID, callee);
    }
}

/// The app saw nothing of the call: another replica may take it.
fn not_reached(status: &Status) -> Response<Body> {
    let mut response = rpc::failed(status);
    response
        .headers_mut()
        .insert(APP_NOT_REACHED, HeaderValue::from_static("1"));
    response
}
