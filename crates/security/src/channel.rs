//! Reaching a control-plane service: TCP, TLS with its pinned id, HTTP/2.
//! Tried again for as long as it takes; whoever waits knows whether it can do
//! anything useful meanwhile.

use std::fmt;
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
use crate::tls::{AlpnMissing, peer_name, require_h2};
use crate::verify::handshake_error_text;

/// One try to connect, all layers together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Under `dapr run` sentry starts together with the sidecars, so the first
/// tries are close together.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// The first failure is logged at once, more of them this often.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Makes connections to one service.
#[derive(Clone)]
pub struct Connector {
    /// For the log.
    service: &'static str,
    address: String,
    tls: TlsConnector,
    name: ServerName<'static>,
}

/// A connection ready for calls; `connection` must be polled beside them.
pub struct Session {
    /// For generated clients.
    pub channel: Channel,
    /// Ends when the connection does.
    pub connection: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// The HTTP/2 sender as the service that generated clients expect.
#[derive(Clone)]
pub struct Channel(http2::SendRequest<tonic::body::Body>);

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

impl Connector {
    /// `service` names the other side in log lines; `tls` pins its id.
    pub fn new(service: &'static str, address: &str, tls: Arc<ClientConfig>) -> Self {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        Self {
            service,
            address: address.to_owned(),
            tls: tls.into(),
            name: ServerName::try_from(host.to_owned()).unwrap_or_else(|_| peer_name()),
        }
    }

    /// What generated clients need beside a channel.
    ///
    /// # Errors
    /// The address is no authority of a URL.
    pub fn origin(&self) -> Result<http::Uri, http::Error> {
        http::Uri::builder()
            .scheme("https")
            .authority(self.address.as_str())
            .path_and_query("/")
            .build()
    }

    /// Returns when a connection stands, however long it takes.
    pub async fn connect(&self) -> Session {
        let mut backoff = BACKOFF_MIN;
        let mut logged: Option<Instant> = None;
        loop {
            let error = match timeout(CONNECT_TIMEOUT, self.try_connect()).await {
                Ok(Ok(session)) => return session,
                Ok(Err(error)) => error,
                Err(_) => ConnectError::Timeout,
            };
            if logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
                let Self {
                    service, address, ..
                } = self;
                tracing::warn!(target: SCOPE, "cannot connect to {service} at {address}, trying again: {error}");
                logged = Some(Instant::now());
            }
            sleep(backoff.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    async fn try_connect(&self) -> Result<Session, ConnectError> {
        let tcp = TcpStream::connect(&self.address)
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

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("service", &self.service)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

// === impl Channel ===

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Channel")
    }
}

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
