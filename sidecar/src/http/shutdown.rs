//! `POST /v1.0/shutdown`, and its twin of the gRPC API.

use api::headers::FORCE_SHUTDOWN;
use http::{HeaderMap, Response, StatusCode};

use super::{Api, Stop, empty};
use crate::message::Body;

impl Api {
    /// Ends this sidecar, as the headers of the request ask for.
    pub(crate) fn shut_down(&self, headers: &HeaderMap) {
        let forced = headers
            .get_all(FORCE_SHUTDOWN)
            .iter()
            .any(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
        // A full queue means that a stop is under way already.
        let _ = self
            .stop
            .try_send(if forced { Stop::Forced } else { Stop::Graceful });
    }
}

pub(super) fn post(api: &Api, headers: &HeaderMap) -> Response<Body> {
    api.shut_down(headers);
    empty(StatusCode::NO_CONTENT)
}
