//! Invocations over HTTP: finding the target in the request, and giving the
//! answer back.

use std::borrow::Cow;

use api::{headers::DAPR_APP_ID, verb::Verb};
use base64::{Engine as _, engine::general_purpose};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;

use super::{Front, answer, arriving::Arriving, error, metadata::unescape_query};
use crate::{
    invoke::{Call, InvokeError},
    message::{self, Body, Content, body::Limited},
    trace,
};

pub(super) async fn serve(front: &Front, request: Request<Arriving>) -> Response<Body> {
    let Some((target, method)) = target_of(&request) else {
        return error::no_target();
    };
    let (parts, body) = request.into_parts();
    let method = match method {
        Ok(method) => method,
        Err(NotUtf8) => return error::invocation(&target, &InvokeError::NotUtf8),
    };
    let mut headers = parts.headers;
    let context = trace::from_client(&mut headers);
    let call = message::Request {
        method,
        verb: Verb::from_method(&parts.method),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers,
        content: Content::Http,
        body: request_body(body, front.api.body_limit),
    };
    let wants_events = message::headers::wants_events(&call.headers);
    let call_as = Call {
        trace: trace::to_peer(&context),
        deadline: None,
    };
    let mut response = match front.invoker.execute(&target, call, call_as).await {
        Ok(reply) => answer::into_http(reply),
        Err(error) => error::invocation(&target, &error),
    };
    if wants_events && response.status().is_success() {
        mark_events(&mut response);
    }
    trace::to_client(response.headers_mut(), &context);
    response
}

fn request_body(body: Arriving, limit: Option<u64>) -> Body {
    if body.is_end_stream() {
        return Body::Empty;
    }
    Body::stream(Limited::new(body, limit))
}

/// A path that is not UTF-8 once decoded.
#[derive(Debug)]
pub(super) struct NotUtf8;

/// The target a request names and the method on it: by header, by basic
/// authorization, by URL, in this order.
pub(super) fn target_of<B>(request: &Request<B>) -> Option<(String, Result<String, NotUtf8>)> {
    let decoded: Cow<'_, [u8]> = percent_encoding::percent_decode_str(request.uri().path()).into();
    let path = std::str::from_utf8(&decoded);
    let headers = request.headers();
    let by_header = headers
        .get(DAPR_APP_ID)
        .filter(|value| !value.is_empty())
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if let Some(target) = by_header.or_else(|| basic(headers.get(header::AUTHORIZATION)?)) {
        let method = path.map(policy::method::clean).map_err(|_| NotUtf8);
        return Some((target, method));
    }
    let lossy = String::from_utf8_lossy(&decoded);
    let (target, method) = by_url(&lossy)?;
    let method = if path.is_ok() {
        Ok(policy::method::clean(method))
    } else {
        Err(NotUtf8)
    };
    Some((target, method))
}

/// `dapr-app-id:<id>` as basic credentials.
fn basic(value: &HeaderValue) -> Option<String> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    match text.split(':').collect::<Vec<_>>().as_slice() {
        [name, target] if name.eq_ignore_ascii_case("dapr-app-id") && !target.is_empty() => {
            Some((*target).to_owned())
        }
        _ => None,
    }
}

/// `/v1.0/invoke/<target>/method/<method>`, slashes repeated at will.
fn by_url(path: &str) -> Option<(String, &str)> {
    let rest = path.trim_start_matches('/').strip_prefix("v1.0/")?;
    let rest = rest.trim_start_matches('/').strip_prefix("invoke/")?;
    let (target, method) = rest.trim_start_matches('/').split_once("/method/")?;
    let target = target.trim_matches('/');
    if target.is_empty() {
        return None;
    }
    let unescaped = unescape_query(target).filter(|text| !text.is_empty());
    Some((unescaped.unwrap_or_else(|| target.to_owned()), method))
}

/// Clients of events must not meet caches or a length.
fn mark_events(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.remove(header::CONTENT_LENGTH);
    *response.status_mut() = StatusCode::OK;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, headers: &[(&str, &str)]) -> Option<(String, String)> {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (target, method) = target_of(&request.body(()).unwrap())?;
        Some((target, method.unwrap()))
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with what was found")]
    fn some(target: &str, method: &str) -> Option<(String, String)> {
        Some((target.to_owned(), method.to_owned()))
    }

    #[test]
    fn url_forms() {
        assert_eq!(found("/v1.0/invoke/a/method/b/c", &[]), some("a", "b/c"));
        assert_eq!(
            found("///v1.0////invoke//x//method//foo", &[]),
            some("x", "foo")
        );
        assert_eq!(
            found("/v1.0/invoke/a.prod/method/", &[]),
            some("a.prod", "")
        );
        assert_eq!(
            found("/v1.0/invoke/a%252Fb/method/c", &[]),
            some("a/b", "c")
        );
        assert_eq!(
            found("/v1.0/invoke/a/method/admin%2F..%2Fpublic", &[]),
            some("a", "public")
        );
        assert_eq!(found("/v1.0/invoke/a/method", &[]), None);
        assert_eq!(found("/v1.0/invoke//method/x", &[]), None);
        assert_eq!(found("/orders", &[]), None);
    }

    #[test]
    fn header_beats_credentials_beat_url() {
        let path = "/v1.0/invoke/a/method/b";
        let credentials = format!(
            "Basic {}",
            general_purpose::STANDARD.encode("Dapr-App-Id:d")
        );
        assert_eq!(
            found(
                path,
                &[("dapr-app-id", "c"), ("authorization", &credentials)]
            ),
            some("c", "v1.0/invoke/a/method/b")
        );
        assert_eq!(
            found("/x/", &[("authorization", &credentials)]),
            some("d", "x")
        );
        let three = format!(
            "Basic {}",
            general_purpose::STANDARD.encode("dapr-app-id:d:e")
        );
        assert_eq!(
            found(path, &[("authorization", &three), ("dapr-app-id", "")]),
            some("a", "b")
        );
    }
}
