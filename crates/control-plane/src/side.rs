//! The two small HTTP servers beside a program's own: health (`/healthz`) and
//! metrics (every path).

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use hyper::service::service_fn;
use lifecycle::bind::BindError;
use lifecycle::drain::{Drain, Watch};
use lifecycle::health::Health;
use lifecycle::serve::{self, HttpLimits};
use tokio::sync::mpsc;

use crate::flags::{FlagError, Flags};
use crate::settings::{SCOPE, bind};

const LIMITS: HttpLimits = HttpLimits {
    header_bytes: 16 * 1024,
    header_list_bytes: 16 * 1024,
    streams: 16,
    frame_bytes: 16 * 1024,
    ping_after: None,
};

/// Why they cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// A flag.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A port.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// The running servers.
#[derive(Debug)]
pub struct Side {
    drain: Drain,
    ended: mpsc::Receiver<&'static str>,
    _alive: mpsc::Sender<&'static str>,
}

impl Side {
    /// Starts both, metrics only where they are enabled. `/healthz` answers
    /// 200 once every part of `health` is ready; `metrics` renders Prometheus
    /// text.
    ///
    /// # Errors
    /// A flag or a port that cannot be used.
    pub async fn start(
        flags: &Flags,
        health: Health,
        metrics: impl Fn() -> String + Send + Sync + 'static,
    ) -> Result<Self, SideError> {
        let (alive, ended) = mpsc::channel(1);
        let side = Self {
            drain: Drain::default(),
            ended,
            _alive: alive.clone(),
        };
        let exporter = health.target("metrics-exporter");
        let address = flags.listen("healthz-listen-address", "healthz-port")?;
        side.spawn(
            "healthz",
            bind("healthz", &address).await?,
            alive.clone(),
            move |path| match path {
                "/healthz" if health.is_ready() => status(StatusCode::OK),
                "/healthz" => status(StatusCode::SERVICE_UNAVAILABLE),
                _ => status(StatusCode::NOT_FOUND),
            },
        );
        if flags.on("enable-metrics") {
            let address = flags.listen("metrics-listen-address", "metrics-port")?;
            let listener = bind("metrics", &address).await?;
            side.spawn("metrics", listener, alive, move |_| text(metrics()));
        }
        exporter.ready();
        Ok(side)
    }

    /// Pends until one of the servers ends by itself; then its name.
    pub async fn ended(&mut self) -> &'static str {
        match self.ended.recv().await {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }

    /// Stops both.
    pub fn stop(self) {
        self.drain.start();
    }

    fn spawn<F>(
        &self,
        name: &'static str,
        listener: TcpListener,
        ended: mpsc::Sender<&'static str>,
        handler: F,
    ) where
        F: Fn(&str) -> Response<Full<Bytes>> + Send + Sync + 'static,
    {
        let drain = self.drain.watch();
        lifecycle::spawn(name, async move {
            if let Err(error) = accept(listener, drain, Arc::new(handler)).await {
                tracing::error!(target: SCOPE, "{name} server failed: {error}");
            }
            // Nobody listens any more when the program ends anyway.
            let _ = ended.send(name).await;
        })
        .detach();
    }
}

async fn accept<F>(listener: TcpListener, drain: Watch, handler: Arc<F>) -> std::io::Result<()>
where
    F: Fn(&str) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    serve::accept_here(listener, drain.clone(), move |socket| {
        let (handler, drain) = (Arc::clone(&handler), drain.clone());
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

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn text(text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(text));
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    answer
}
