//! The server peers talk to: it calls our own app, and nobody else.
//!
//! **Invariant:** no call made here leaves this pod; `invoke` is not used.

mod access;
mod call;
mod chunks;
mod reply;

use std::sync::Arc;

use api::grpc::{Code, Status};
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use lifecycle::drain::Watch;
use security::AppIdentity;

use crate::{channel::Channel, policies::Live};
use reply::ReplyBody;

/// The internal server of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Internal {
    /// The app channel of this worker.
    pub(crate) channel: Option<Arc<Channel>>,
    /// Our app id, as peers address us.
    pub(crate) me: Arc<crate::me::Me>,
    /// What is known about the peer.
    pub(crate) peer: Caller,
    /// Bytes one received message may have.
    pub(crate) message_limit: usize,
    /// Whom the app answers.
    pub(crate) policies: Arc<Live>,
    /// Starts when the pod is being ended.
    pub(crate) leaving: Watch,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Without mTLS: whoever it says it is.
    Unproven,
    /// An app, by its certificate.
    App(Arc<AppIdentity>),
    /// A certificate of ours that names no app, and how it says so.
    NoApp(security::MalformedIdentity),
}

const SERVICE: &str = "/dapr.proto.internals.v1.ServiceInvocation/";

impl Internal {
    /// Answers one rpc. Failures are part of the answer, as gRPC has it.
    pub(crate) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ReplyBody>, std::convert::Infallible> {
        if let Some(refused) = refuse_non_grpc(&request) {
            return Ok(refused);
        }
        let rpc = request
            .uri()
            .path()
            .strip_prefix(SERVICE)
            .unwrap_or_default();
        Ok(match rpc {
            "CallLocalStream" => call::stream(&self, request).await,
            "CallLocal" => call::unary(&self, request).await,
            "CallActor" | "CallActorStream" | "CallActorReminder" => reply::failed(&Status::new(
                Code::Unimplemented,
                "actors are not part of this sidecar",
            )),
            _ => self.unknown(&request),
        })
    }

    /// A path that is no rpc of ours would be proxied by its app id.
    fn unknown(&self, request: &Request<Incoming>) -> Response<ReplyBody> {
        let target = ["dapr-callee-app-id", "dapr-app-id"]
            .iter()
            .find_map(|name| request.headers().get(*name))
            .and_then(|value| value.to_str().ok());
        let status = match target {
            None if request.uri().path().starts_with("/dapr.proto.") => Status::new(
                Code::Unknown,
                "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found",
            ),
            None => Status::new(
                Code::Unknown,
                "cannot proxy request: missing dapr-callee-app-id or dapr-app-id metadata",
            ),
            Some(target) if target != self.me.app_id => Status::new(
                Code::Unavailable,
                format!("target app id {target} is not served by this sidecar"),
            ),
            Some(_) => Status::new(
                Code::Unimplemented,
                "gRPC apps are not available in this version",
            ),
        };
        reply::failed(&status)
    }
}

/// gRPC speaks POST and `application/grpc`.
fn refuse_non_grpc(request: &Request<Incoming>) -> Option<Response<ReplyBody>> {
    if request.method() != Method::POST {
        let status = Status::new(
            Code::Internal,
            format!(
                "Received a HEADERS frame with :method \"{}\" which should be POST",
                request.method()
            ),
        );
        return Some(reply::refused(StatusCode::METHOD_NOT_ALLOWED, &status));
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
        reply::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, &status)
    })
}
