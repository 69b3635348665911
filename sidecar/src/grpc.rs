//! The gRPC API: what SDKs call on their sidecar, and every other rpc, which
//! is passed on to the app its metadata names.

mod error;
mod invoke;
mod log;
mod metadata;
mod proxy;
mod unary;
mod unimplemented;

use std::{future::ready, sync::Arc};

use api::{
    grpc::{Code, Status},
    headers::{BAGGAGE, DAPR_API_TOKEN},
};
use http::{Request, Response};
use hyper::body::Incoming;

use crate::{
    http::Api,
    invoke::Invoker,
    message::{Body, headers::is_secret},
    reflection::Reflection,
    rpc::{self, Answering},
    trace,
};

/// The gRPC API of one worker.
#[derive(Debug)]
pub(crate) struct Front {
    /// Shared by all workers.
    pub(crate) api: Arc<Api>,
    /// Calls of this worker.
    pub(crate) invoker: Arc<Invoker>,
    /// What this port offers.
    pub(crate) reflection: Reflection,
    /// Bytes one message may have.
    pub(crate) message_limit: usize,
}

const DAPR: &str = "/dapr.proto.runtime.v1.Dapr/";

impl Front {
    /// Answers one rpc. Failures are part of the answer, as gRPC has it.
    pub(crate) fn serve(self: Arc<Self>, mut request: Request<Incoming>) -> Answering<Body> {
        if let Some(refused) = rpc::refuse_non_grpc(&request) {
            return Box::pin(ready(Ok(refused)));
        }
        if let Err(status) = self.admit(&mut request) {
            return Box::pin(ready(Ok(rpc::failed(&status))));
        }
        let Some(log) = self.api.log else {
            return Box::pin(async move { Ok(self.handle(request).await) });
        };
        let line = log::Line::of(&request, log.obfuscate_urls);
        Box::pin(async move {
            let response = self.handle(request).await;
            line.print(&response);
            Ok(response)
        })
    }

    async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        if let Some(reason) = trace::baggage_error(request.headers()) {
            return rpc::failed(&Status::new(Code::InvalidArgument, reason));
        }
        let baggage = request.headers().get(BAGGAGE).cloned();
        let mut response = self.routed(request).await;
        if let Some(baggage) = baggage {
            response.headers_mut().insert(BAGGAGE, baggage);
        }
        response
    }

    async fn routed(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        if let Some(rpc) = path.strip_prefix(DAPR) {
            match rpc {
                "InvokeService" => return Box::pin(invoke::serve(self, request)).await,
                "GetMetadata" | "SetMetadata" | "Shutdown" => {
                    return Box::pin(unary::serve(self, request)).await;
                }
                _ => {}
            }
        }
        if let Some(status) = unimplemented::refusal(path) {
            return rpc::failed(&status);
        }
        if Reflection::serves(path) {
            return Box::pin(self.reflection.serve(request)).await;
        }
        proxy::serve(self, request).await
    }

    /// Checks the token in constant time and removes it.
    fn admit(&self, request: &mut Request<Incoming>) -> Result<(), Status> {
        let Some(token) = &self.api.token else {
            return Ok(());
        };
        let reason = match request.headers_mut().remove(DAPR_API_TOKEN) {
            None => "missing api token in request metadata",
            Some(given) if is_secret(Some(&given), token) => return Ok(()),
            Some(_) => "authentication error: api token mismatch",
        };
        Err(Status::with_error_info(
            Code::Unauthenticated,
            "Unauthorized",
            "Unauthorized",
            &[("http.code", "401"), ("http.error_message", reason)],
        ))
    }
}
