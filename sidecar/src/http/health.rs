//! `/v1.0/healthz` and `/v1.0/healthz/outbound`.

use api::errors;
use http::{Response, StatusCode};

use super::{Api, empty, error};
use crate::message::Body;

/// Readiness of the sidecar; `query` may name the app id that is expected.
pub(super) fn sidecar(api: &Api, query: Option<&str>) -> Response<Body> {
    if !api.health.is_ready() {
        let message = format!("dapr is not ready: [{}]", api.health.unready().join(" "));
        return error::of(errors::HEALTH_NOT_READY, &message);
    }
    let expected = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .find_map(|pair| pair.strip_prefix("appid="));
    match expected {
        Some(app_id) if !app_id.is_empty() && app_id != api.me.app_id => {
            error::of(errors::HEALTH_APPID_NOT_MATCH, "dapr app-id does not match")
        }
        _ => empty(StatusCode::NO_CONTENT),
    }
}

/// Whether the app may call others already.
pub(super) fn outbound(api: &Api) -> Response<Body> {
    if api.outbound.is_ready() {
        empty(StatusCode::NO_CONTENT)
    } else {
        error::of(
            errors::OUTBOUND_HEALTH_NOT_READY,
            "dapr outbound is not ready",
        )
    }
}
