//! What happens to every request of the API before its handler: head limit,
//! routing, API token, API log.

use std::time::Instant;

use api::headers::{BAGGAGE, DAPR_API_TOKEN};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use hyper::body::Incoming;
use tracing::info;

use super::{
    Api, Front,
    arriving::Arriving,
    error, health, invoke, metadata, plain,
    routes::{self, Route},
    shutdown, text, unimplemented,
};
use crate::{
    message::{Body, headers::is_secret},
    trace,
};

/// Bytes the reference server adds to the configured limit of a head.
const HEAD_SLACK: usize = 4096;

pub(super) async fn serve(front: &Front, request: Request<Incoming>) -> Response<Body> {
    let api = &*front.api;
    if head_length(&request) > api.header_limit + HEAD_SLACK {
        return closing(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "431 Request Header Fields Too Large",
        );
    }
    if !has_valid_escapes(request.uri().path()) {
        return closing(StatusCode::BAD_REQUEST, "400 Bad Request");
    }
    if let Some(reason) = trace::baggage_error(request.headers()) {
        return plain(StatusCode::BAD_REQUEST, reason);
    }
    let baggage = request.headers().get(BAGGAGE).cloned();
    let is_asked_for = request.headers().contains_key(header::EXPECT);
    let version = request.version();
    let (request, rest) = Arriving::of(request);
    let mut response = routed(front, request).await;
    if let Some(baggage) = baggage {
        response.headers_mut().insert(BAGGAGE, baggage);
    }
    if version < Version::HTTP_2
        && let Some(rest) = rest
        && !rest.is_read(is_asked_for).await
    {
        close(&mut response);
    }
    response
}

/// A request that is not one: nothing after it on the connection is trusted.
fn closing(status: StatusCode, words: &'static str) -> Response<Body> {
    let mut response = text(status, words);
    close(&mut response);
    response
}

/// Clients that keep connections have to know when one ends.
fn close(response: &mut Response<Body>) {
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
}

async fn routed(front: &Front, mut request: Request<Arriving>) -> Response<Body> {
    let api = &*front.api;
    let route = routes::route(request.method(), request.uri().path());
    if !admits(api, &route, &mut request) {
        return text(StatusCode::UNAUTHORIZED, "invalid api token\n");
    }
    let Some(log) = api.log else {
        return handle(front, route, request).await;
    };
    let started = Instant::now();
    let line = Line::of(&route, &request, log.obfuscate_urls);
    let skipped =
        log.omit_health_checks && matches!(route, Route::Healthz | Route::HealthzOutbound);
    let response = handle(front, route, request).await;
    if !skipped {
        line.print(&response, started);
    }
    response
}

async fn handle(front: &Front, route: Route, request: Request<Arriving>) -> Response<Body> {
    let api = &*front.api;
    match route {
        Route::Invoke => invoke::serve(front, request).await,
        Route::Healthz => health::sidecar(api, request.uri().query()),
        Route::HealthzOutbound => health::outbound(api),
        Route::Metadata => metadata::get(api),
        Route::SetMetadata(key) => metadata::put(api, &key, request.into_body()).await,
        Route::Shutdown => shutdown::post(api, request.headers()),
        Route::Unimplemented(route) => {
            unimplemented::tell(route);
            error::of(
                api::errors::API_UNIMPLEMENTED,
                api::errors::API_UNIMPLEMENTED_MESSAGE,
            )
        }
    }
}

/// Checks the token in constant time and removes it.
fn admits(api: &Api, route: &Route, request: &mut Request<Arriving>) -> bool {
    let Some(token) = &api.token else {
        return true;
    };
    let given = request.headers_mut().remove(DAPR_API_TOKEN);
    let exempt = matches!(route, Route::Healthz | Route::HealthzOutbound)
        && request.method() == Method::GET
        && matches!(
            request.uri().path().trim_matches('/'),
            "v1.0/healthz" | "v1.0/healthz/outbound"
        );
    exempt || is_secret(given.as_ref(), token)
}

fn head_length(request: &Request<Incoming>) -> usize {
    let line =
        request.method().as_str().len() + target_length(request.uri()) + " HTTP/1.1\r\n ".len();
    let headers: &HeaderMap = request.headers();
    line + headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum::<usize>()
}

fn target_length(uri: &Uri) -> usize {
    uri.path_and_query()
        .map_or(0, |target| target.as_str().len())
}

fn has_valid_escapes(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'%')
        .all(|(index, _)| {
            bytes
                .get(index + 1..index + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
        })
}

/// One line of the API log.
struct Line {
    method: String,
    user_agent: Option<String>,
}

impl Line {
    fn of(route: &Route, request: &Request<Arriving>, obfuscate: bool) -> Self {
        let method = match (obfuscate, route) {
            (false, _) => format!("{} {}", request.method(), request.uri().path()),
            (true, Route::Healthz) => "Healthz".to_owned(),
            (true, Route::HealthzOutbound) => "HealthzOutbound".to_owned(),
            (true, Route::Metadata) => "GetMetadata".to_owned(),
            (true, Route::SetMetadata(_)) => "PutMetadata".to_owned(),
            (true, Route::Shutdown) => "Shutdown".to_owned(),
            (true, _) => {
                let target = invoke::target_of(request)
                    .map(|(target, _)| target)
                    .unwrap_or_default();
                format!("InvokeService/{target}")
            }
        };
        let user_agent = request
            .headers()
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned);
        Self { method, user_agent }
    }

    fn print(&self, response: &Response<Body>, started: Instant) {
        let code = response.status().as_u16();
        let size = response.body().len().unwrap_or_default();
        let duration = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let method = self.method.as_str();
        match self.user_agent.as_deref() {
            Some(useragent) => {
                info!(target: "dapr.runtime.http-info", method, code, size, duration, useragent, "HTTP API Called");
            }
            None => {
                info!(target: "dapr.runtime.http-info", method, code, size, duration, "HTTP API Called");
            }
        }
    }
}
