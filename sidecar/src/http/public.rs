//! The public server: health and metadata only, without a token.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;

use super::{
    Api, empty, health, metadata,
    routes::{self, Route},
    text,
};
use crate::message::Body;

/// Answers one request of the public server.
pub(crate) async fn public(
    api: Arc<Api>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    Ok(
        match routes::route(request.method(), request.uri().path()) {
            Route::Healthz => health::sidecar(&api, request.uri().query()),
            Route::HealthzOutbound => health::outbound(&api),
            Route::Metadata => metadata::get(&api),
            Route::SetMetadata(key) => metadata::put(&api, &key, request.into_body()).await,
            _ => refused(request.uri().path()),
        },
    )
}

/// Another method on a known path, or an unknown path.
fn refused(path: &str) -> Response<Body> {
    let allowed = [(Method::GET, "GET"), (Method::PUT, "PUT")]
        .into_iter()
        .find(|(method, _)| {
            !matches!(
                routes::route(method, path),
                Route::Invoke | Route::Unimplemented(_) | Route::Shutdown
            )
        });
    match allowed {
        Some((_, name)) => {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static(name));
            response
        }
        None => text(StatusCode::NOT_FOUND, "404 page not found\n"),
    }
}
