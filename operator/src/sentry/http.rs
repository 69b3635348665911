//! The two small HTTP servers: health (`/healthz`) and metrics (every path).

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::Full;
use hyper::service::service_fn;
use lifecycle::drain::Watch;
use lifecycle::health::Health;
use lifecycle::serve::{self, HttpLimits};

use super::metrics::Metrics;

const LIMITS: HttpLimits = HttpLimits {
    header_bytes: 16 * 1024,
    header_list_bytes: 16 * 1024,
    streams: 16,
    frame_bytes: 16 * 1024,
    ping_after: None,
};

pub(super) async fn serve_health(
    listener: TcpListener,
    health: Health,
    drain: Watch,
) -> std::io::Result<()> {
    serve(listener, drain, move |path| match path {
        "/healthz" if health.is_ready() => answer(StatusCode::OK),
        "/healthz" => answer(StatusCode::SERVICE_UNAVAILABLE),
        _ => answer(StatusCode::NOT_FOUND),
    })
    .await
}

pub(super) async fn serve_metrics(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    drain: Watch,
) -> std::io::Result<()> {
    serve(listener, drain, move |_| {
        let mut answer = Response::new(Full::from(metrics.render()));
        let content_type =
            header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        answer
    })
    .await
}

async fn serve<F>(listener: TcpListener, drain: Watch, handler: F) -> std::io::Result<()>
where
    F: Fn(&str) -> Response<Full<Bytes>> + Clone + Send + 'static,
{
    serve::accept_here(listener, drain.clone(), move |socket| {
        let (handler, drain) = (handler.clone(), drain.clone());
        async move {
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let answer = handler(request.uri().path());
                async { Ok::<_, Infallible>(answer) }
            });
            serve::connection(socket, &LIMITS.builder(), service, drain).await;
        }
    })
    .await
}

fn answer(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}
