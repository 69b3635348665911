//! The one call made to an app before it is declared ready.

use api::{headers::DAPR_APP_ID, verb::Verb};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt as _;
use tracing::{info, warn};

use super::{Channel, ChannelError, Spoken};
use crate::message::{Body, Content, Request};

const SCOPE: &str = "dapr.runtime";

/// `GET /dapr/config`. Whatever the app answers is fine; its settings concern
/// building blocks this sidecar does not have.
pub(crate) async fn load_configuration(channel: &Channel, app_id: &HeaderValue) {
    let mut headers = HeaderMap::new();
    headers.insert(DAPR_APP_ID, app_id.clone());
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let request = Request {
        method: "dapr/config".to_owned(),
        verb: Verb::Get,
        query: String::new(),
        headers,
        content: Content::Http,
        body: Body::Empty,
    };
    let outcome = match channel.over_http(request).await {
        // Reading to the end gives the connection back to the pool.
        Ok(response) => response
            .body
            .collect()
            .await
            .map(drop)
            .map_err(|error| error.to_string()),
        Err(ChannelError::Exchange {
            spoken: Some(Spoken::Http2),
            ..
        }) => {
            let port = channel.app.port;
            warn!(target: SCOPE, "the app on port {port} speaks HTTP/2, not HTTP/1.1: its gRPC services can be called as they are; to invoke its methods, set --app-protocol grpc (h2c if it has no gRPC)");
            return;
        }
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(()) => info!(target: SCOPE, "Application configuration loaded"),
        Err(error) => {
            warn!(target: SCOPE, error, "the app's /dapr/config could not be read; going on without it");
        }
    }
}
