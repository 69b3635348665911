//! The API log: one line per rpc.

use std::time::Instant;

use api::grpc::Status;
use http::{Request, Response, header};
use tracing::info;

use super::DAPR;
use crate::message::Body;

/// One line of the API log.
pub(super) struct Line {
    method: String,
    user_agent: String,
    started: Instant,
}

impl Line {
    pub(super) fn of<B>(request: &Request<B>, obfuscate: bool) -> Self {
        let path = request.uri().path();
        let method = if obfuscate {
            path.strip_prefix(DAPR).unwrap_or("proxied rpc")
        } else {
            path
        };
        let user_agent = request.headers().get(header::USER_AGENT);
        let user_agent = user_agent.and_then(|value| value.to_str().ok());
        Self {
            method: method.to_owned(),
            user_agent: user_agent.unwrap_or_default().to_owned(),
            started: Instant::now(),
        }
    }

    /// Once the answer has begun; a status behind messages is not known then.
    pub(super) fn print(&self, response: &Response<Body>) {
        let code = Status::from_headers(response.headers()).map_or(0, |status| status.code as u8);
        let duration = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (method, useragent) = (self.method.as_str(), self.user_agent.as_str());
        info!(target: "dapr.runtime.grpc.api-info", method, code, duration, useragent, "gRPC API Called");
    }
}
