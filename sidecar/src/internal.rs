//! The server peers talk to: it calls our own app, and nobody else.
//!
//! **Invariant:** no call made here leaves this pod; `invoke` is not used.

mod access;
mod call;
mod chunks;
mod leaving;
mod proxy;
mod reply;

use std::{future::ready, sync::Arc};

use api::grpc::{Code, Status};
use http::Request;
use hyper::body::Incoming;
use security::AppIdentity;

use crate::{
    channel::Channel,
    message::Limits,
    policies::Live,
    reflection::Reflection,
    rpc::{self, Answering},
};
pub(crate) use leaving::Leaving;
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
    /// Bytes messages may have.
    pub(crate) limits: Limits,
    /// Whom the app answers.
    pub(crate) policies: Arc<Live>,
    /// Whether the pod is being ended.
    pub(crate) leaving: Leaving,
    /// What this port offers.
    pub(crate) reflection: Reflection,
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
    pub(crate) fn serve(self: Arc<Self>, request: Request<Incoming>) -> Answering<ReplyBody> {
        if let Some(refused) = rpc::refuse_non_grpc(&request) {
            return Box::pin(ready(Ok(reply::passed(refused))));
        }
        let rpc = request
            .uri()
            .path()
            .strip_prefix(SERVICE)
            .unwrap_or_default();
        match rpc {
            "CallLocalStream" => Box::pin(async move { Ok(call::stream(&self, request).await) }),
            "CallLocal" => Box::pin(async move { Ok(call::unary(&self, request).await) }),
            "CallActor" | "CallActorStream" | "CallActorReminder" => {
                let status =
                    Status::new(Code::Unimplemented, "actors are not part of this sidecar");
                Box::pin(ready(Ok(reply::failed(&status))))
            }
            _ if Reflection::serves(request.uri().path()) => {
                Box::pin(async move { Ok(reply::passed(self.reflection.serve(request).await)) })
            }
            _ => Box::pin(async move { Ok(reply::passed(proxy::serve(&self, request).await)) }),
        }
    }
}
