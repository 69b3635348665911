//! Reaching sentry: TCP, TLS with the pinned id, HTTP/2. Tried again for ever;
//! a sidecar cannot do anything useful without an identity.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tower_service::Service;

use crate::SCOPE;
use crate::anchors::TrustAnchors;
use crate::spiffe::SpiffeId;
use crate::tls::{AlpnMissing, client_without_identity, peer_name, require_h2};
use crate::verify::handshake_error_text;

/// One try to connect, all layers together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Under `dapr run` sentry starts together with the sidecars, so the first
/// tries are close together.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// The first failure is logged at once, more of them this often.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Connector<'a> {
    address: &'a str,
    tls: TlsConnector,
    name: ServerName<'static>,
}

/// A connection ready for one call; `connection` must be polled beside it.
pub(super) struct Session {
    pub(super) channel: Channel,
    pub(super) connection: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// The HTTP/2 sender as the service that generated clients expect.
pub(super) struct Channel(http2::SendRequest<tonic::body::Body>);

#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error("timed out after {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout,
    #[error("{0}")]
    Tcp(std::io::Error),
    #[error("{}", handshake_error_text(.0))]
    Tls(std::io::Error),
    #[error(transparent)]
    Alpn(#[from] AlpnMissing),
    #[error("{0}")]
    Http(#[from] hyper::Error),
}

// === impl Connector ===

impl<'a> Connector<'a> {
    pub(super) fn new(address: &'a str, anchors: &TrustAnchors, server: &SpiffeId) -> Self {
        let config: Arc<ClientConfig> = client_without_identity(anchors.clone(), server.clone());
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        Self {
            address,
            tls: config.into(),
            name: ServerName::try_from(host.to_owned()).unwrap_or_else(|_| peer_name()),
        }
    }

    /// Returns when a connection stands, however long it takes.
    pub(super) async fn connect(&self) -> Session {
        let mut backoff = BACKOFF_MIN;
        let mut logged: Option<Instant> = None;
        loop {
            let error = match timeout(CONNECT_TIMEOUT, self.try_connect()).await {
                Ok(Ok(session)) => return session,
                Ok(Err(error)) => error,
                Err(_) => ConnectError::Timeout,
            };
            if logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
                let address = self.address;
                tracing::warn!(target: SCOPE, "cannot connect to sentry at {address}, trying again: {error}");
                logged = Some(Instant::now());
            }
            sleep(backoff.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    async fn try_connect(&self) -> Result<Session, ConnectError> {
        let tcp = TcpStream::connect(self.address)
            .await
            .map_err(ConnectError::Tcp)?;
        tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
        let tls = self
            .tls
            .connect(self.name.clone(), tcp)
            .await
            .map_err(ConnectError::Tls)?;
        require_h2(tls.get_ref().1)?;
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await?;
        Ok(Session {
            channel: Channel(sender),
            // Its error also reaches the call that waits on it.
            connection: Box::pin(async { drop(connection.await) }),
        })
    }
}

// === impl Channel ===

impl Service<http::Request<tonic::body::Body>> for Channel {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = tonic::Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx).map_err(unavailable)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let answer = self.0.send_request(request);
        Box::pin(async { answer.await.map_err(unavailable) })
    }
}

/// A connection that breaks is worth another try.
#[allow(clippy::needless_pass_by_value, reason = "used as a function value")]
fn unavailable(error: hyper::Error) -> tonic::Status {
    tonic::Status::unavailable(error.to_string())
}
