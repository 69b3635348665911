//! `POST /v1.0/shutdown`.

use api::headers::FORCE_SHUTDOWN;
use http::{HeaderMap, Response, StatusCode};

use super::{Api, Stop, empty};
use crate::message::Body;

pub(super) fn post(api: &Api, headers: &HeaderMap) -> Response<Body> {
    let forced = headers
        .get_all(FORCE_SHUTDOWN)
        .iter()
        .any(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    // A full queue means that a stop is under way already.
    let _ = api
        .stop
        .try_send(if forced { Stop::Forced } else { Stop::Graceful });
    empty(StatusCode::NO_CONTENT)
}
