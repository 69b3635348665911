//! An app over any kind of HTTP: the same answers over HTTP/1.1 and HTTP/2,
//! with TLS and without. The path says what it does; see [`answers`].

mod answers;
mod body;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::peer::runtime::settle;
use crate::serving::{Draining, Serving};
use crate::sidecar::SidecarBuilder;
use crate::tls::{self, AppTls};
use crate::wait::holds;

/// A kind of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 in TLS.
    Https,
    /// HTTP/2 in TLS, and nothing else.
    HttpsOverHttp2,
    /// HTTP/2 without TLS.
    H2c,
}

/// How an app listens; by default on any port of the loopback.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listening {
    /// On this port, and not any.
    pub port: Option<u16>,
    /// On `::1`, and not 127.0.0.1.
    pub ipv6: bool,
    /// So many calls at a time on one HTTP/2 connection, and not any number.
    pub streams: Option<u32>,
    /// TLS that is out of the ordinary.
    pub tls: Option<AppTls>,
}

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct WebSeen {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// `Host`, or `:authority` in HTTP/2.
    pub host: String,
    /// The headers.
    pub headers: HeaderMap,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    /// What arrived of the body, where the answer reads it.
    pub body: Vec<u8>,
}

/// A running app.
#[derive(Debug)]
pub struct WebApp {
    speaks: Speaks,
    shared: Arc<Shared>,
    serving: Serving,
}

pub(crate) struct Shared {
    seen: Mutex<Vec<WebSeen>>,
    configuration_calls: Mutex<Vec<WebSeen>>,
    probes: AtomicUsize,
    health: Mutex<Health>,
    handshakes_failed: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
    /// Taken one by one by answers that wait.
    steps: Semaphore,
    cancelled: AtomicBool,
}

/// What a health probe gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// This status.
    Status(StatusCode),
    /// A way to somewhere else, where all is well.
    Redirect,
    /// Nothing.
    Silence,
}

// === impl Speaks ===

impl Speaks {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Http, Self::Https, Self::HttpsOverHttp2, Self::H2c];

    /// The `--app-protocol`.
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https | Self::HttpsOverHttp2 => "https",
            Self::H2c => "h2c",
        }
    }

    /// Calls arrive over HTTP/2.
    pub fn is_http2(self) -> bool {
        matches!(self, Self::HttpsOverHttp2 | Self::H2c)
    }

    fn tls(self) -> Option<AppTls> {
        let alpn: &[_] = match self {
            Self::Http | Self::H2c => return None,
            Self::Https => &["http/1.1"],
            Self::HttpsOverHttp2 => &["h2"],
        };
        Some(AppTls {
            alpn,
            ..AppTls::default()
        })
    }
}

// === impl WebApp ===

impl WebApp {
    /// On any port.
    pub fn new(speaks: Speaks) -> Self {
        Self::listening(speaks, Listening::default())
    }

    /// Listening as asked.
    pub fn listening(speaks: Speaks, how: Listening) -> Self {
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            configuration_calls: Mutex::default(),
            probes: AtomicUsize::new(0),
            health: Mutex::new(Health::Status(StatusCode::OK)),
            handshakes_failed: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            steps: Semaphore::new(0),
            cancelled: AtomicBool::new(false),
        });
        let tls = how.tls.or_else(|| speaks.tls()).map(|how| tls::app(&how));
        let server = Server {
            speaks,
            tls,
            streams: how.streams,
        };
        let host: IpAddr = if how.ipv6 {
            Ipv6Addr::LOCALHOST.into()
        } else {
            Ipv4Addr::LOCALHOST.into()
        };
        let address = SocketAddr::new(host, how.port.unwrap_or(0));
        let owner = shared.clone();
        let serving = Serving::start(address, move |stream, index, draining| {
            secure(stream, server.clone(), owner.clone(), index, draining)
        });
        Self {
            speaks,
            shared,
            serving,
        }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.serving.port()
    }

    /// What it speaks.
    pub fn speaks(&self) -> Speaks {
        self.speaks
    }

    /// The requests since the last time, without configuration calls and
    /// probes. This and all that follow wait until what has reached the app is
    /// noted.
    pub fn take(&self) -> Vec<WebSeen> {
        settle();
        std::mem::take(&mut *self.shared.seen.lock())
    }

    /// The one request since the last time.
    #[track_caller]
    pub fn take_one(&self) -> WebSeen {
        let mut seen = self.take();
        assert_eq!(seen.len(), 1, "the app saw {seen:#?}");
        seen.remove(0)
    }

    /// How many requests were seen since the last [`Self::take`].
    pub fn count(&self) -> usize {
        settle();
        self.shared.seen.lock().len()
    }

    /// Waits until `count` requests have begun.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        holds(&format!("the app saw {count} requests"), || {
            self.count() >= count
        });
    }

    /// `GET /dapr/config` calls, answered with 404.
    pub fn configuration_calls(&self) -> Vec<WebSeen> {
        settle();
        self.shared.configuration_calls.lock().clone()
    }

    /// `GET /healthz` calls so far.
    pub fn probes(&self) -> usize {
        settle();
        self.shared.probes.load(Ordering::SeqCst)
    }

    /// What health probes get from now on.
    pub fn health(&self, health: Health) {
        *self.shared.health.lock() = health;
    }

    /// How many connections were made, handshakes included.
    pub fn connections(&self) -> usize {
        settle();
        self.serving.connections()
    }

    /// How many of them failed to agree on TLS.
    pub fn handshakes_failed(&self) -> usize {
        settle();
        self.shared.handshakes_failed.load(Ordering::SeqCst)
    }

    /// The most requests that were in the app at a time.
    pub fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }

    /// Lets waiting answers go `count` steps further.
    pub fn step(&self, count: usize) {
        self.shared.steps.add_permits(count);
    }

    /// Steps nobody has taken yet.
    pub fn steps_left(&self) -> usize {
        self.shared.steps.available_permits()
    }

    /// Waits until an answer was given up by the other side.
    #[track_caller]
    pub fn wait_until_cancelled(&self) {
        holds("a call was given up", || {
            self.shared.cancelled.load(Ordering::SeqCst)
        });
    }

    /// Ends as servers do: stops listening, tells its clients, and waits until
    /// the calls that run are answered.
    pub fn drain(&self) {
        self.serving.drain();
    }

    /// Stops listening and cuts every connection.
    pub fn stop(&self) {
        self.serving.stop();
    }
}

impl SidecarBuilder {
    /// In front of this app.
    #[must_use]
    pub fn web_app(self, app: &WebApp) -> Self {
        self.app_port(app.port())
            .flag("app-protocol", app.speaks().protocol())
    }
}

// === impl Shared ===

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Server {
    speaks: Speaks,
    tls: Option<Arc<ServerConfig>>,
    streams: Option<u32>,
}

async fn secure(
    stream: TcpStream,
    server: Server,
    shared: Arc<Shared>,
    index: usize,
    draining: Draining,
) {
    match server.tls.clone().map(TlsAcceptor::from) {
        None => serve(stream, server, shared, index, draining).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => serve(stream, server, shared, index, draining).await,
            Err(_) => {
                shared.handshakes_failed.fetch_add(1, Ordering::SeqCst);
            }
        },
    }
}

async fn serve<S>(
    stream: S,
    server: Server,
    shared: Arc<Shared>,
    index: usize,
    mut draining: Draining,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        answers::answer(request, shared.clone(), index)
    });
    let stream = TokioIo::new(stream);
    macro_rules! until_drained {
        ($connection:expr) => {{
            let mut connection = std::pin::pin!($connection);
            tokio::select! {
                _ = connection.as_mut() => return,
                () = draining.started() => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }};
    }
    if server.speaks.is_http2() {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.max_concurrent_streams(server.streams);
        until_drained!(builder.serve_connection(stream, service));
    } else {
        let builder = hyper::server::conn::http1::Builder::new();
        until_drained!(builder.serve_connection(stream, service));
    }
}
