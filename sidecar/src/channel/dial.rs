//! TCP to the app, and TLS where the app speaks it.
//!
//! Whoever dials bounds the time.

mod site;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustls::{AlertDescription, ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(super) use site::Site;

use super::{App, Protocol};

/// The HTTP about to be spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// TLS as the app gets it: any certificate is fine.
#[derive(Debug)]
pub(super) struct Tls {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// It is known that the app has no HTTP/2 to offer.
    has_no_http2: AtomicBool,
}

/// A connection to the app.
#[derive(Debug)]
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why there is none: the app has not seen anything of a call.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// No TCP connection.
    #[error("dial tcp {address}: {reason}")]
    Tcp {
        /// `host:port`.
        address: String,
        /// Go's wording.
        reason: String,
        /// Nobody listens there.
        is_refused: bool,
    },
    /// No TLS.
    #[error("tls: {0}")]
    Handshake(String),
    /// The app speaks TLS, and another version of HTTP in it.
    #[error("tls: the app does not offer {}", alpn_name(*.0))]
    Version(Version),
}

impl DialError {
    /// Nobody listens yet.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Tcp {
                is_refused: true,
                ..
            }
        )
    }
}

impl Tls {
    pub(super) fn new(host: &str) -> Self {
        Self {
            http1: security::own_app_client(&[b"http/1.1"]),
            http2: security::own_app_client(&[security::H2]),
            name: ServerName::try_from(host.to_owned()).unwrap_or_else(|_| security::peer_name()),
            has_no_http2: AtomicBool::new(false),
        }
    }

    /// A handshake for this version of HTTP.
    async fn handshake(
        &self,
        socket: TcpStream,
        version: Version,
        plain: &str,
    ) -> Result<TlsStream<TcpStream>, DialError> {
        let config = match version {
            Version::Http1 => &self.http1,
            Version::Http2 => &self.http2,
        };
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(self.name.clone(), socket)
            .await
            .map_err(|error| refused(&error, version, plain))?;
        // HTTP/1.1 is what a server without a word on it speaks.
        if version == Version::Http2 && security::require_h2(stream.get_ref().1).is_err() {
            return Err(DialError::Version(version));
        }
        Ok(stream)
    }
}

/// What both kinds of socket are.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

impl Socket {
    pub(super) fn stream(&mut self) -> Pin<&mut (dyn Stream + '_)> {
        match self {
            Self::Plain(socket) => Pin::new(socket),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }

    /// At the end of what the app sent: whether it closed in good order first
    /// and met bytes of ours afterwards.
    pub(super) fn is_reset(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.take_error().is_ok_and(|error| error.is_some()),
            // What is pending there is TLS's own.
            Self::Tls(_) => false,
        }
    }

    /// Ends TLS as it should be ended; the app's log stays clean.
    pub(super) async fn close(mut self) {
        // It may have gone already.
        let _ = std::future::poll_fn(|context| self.stream().poll_shutdown(context)).await;
    }
}

impl App {
    /// A connection for this version of HTTP.
    pub(super) async fn dial(&self, version: Version) -> Result<Socket, DialError> {
        let socket = self.connect().await?;
        match &self.tls {
            None => Ok(Socket::Plain(socket)),
            Some(tls) => {
                let plain = self.protocol.without_tls();
                let stream = tls.handshake(socket, version, plain).await?;
                if version == Version::Http1 && stream.get_ref().1.alpn_protocol().is_none() {
                    self.ask_for_http2(tls).await?;
                }
                Ok(Socket::Tls(Box::new(stream)))
            }
        }
    }

    /// Servers in Go that speak only HTTP/2 let clients of HTTP/1.1 in without
    /// a word, and then hang up on them.
    async fn ask_for_http2(&self, tls: &Tls) -> Result<(), DialError> {
        if tls.has_no_http2.load(Ordering::Relaxed) {
            return Ok(());
        }
        let socket = self.connect().await?;
        let plain = self.protocol.without_tls();
        if let Ok(stream) = tls.handshake(socket, Version::Http2, plain).await {
            Socket::Tls(Box::new(stream)).close().await;
            return Err(DialError::Version(Version::Http1));
        }
        tls.has_no_http2.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the app answers in TLS, whatever is said of it.
    pub(super) async fn answers_in_tls(&self) -> bool {
        let Ok(socket) = self.connect().await else {
            return false;
        };
        let handshake = TlsConnector::from(security::own_app_client(&[]))
            .connect(security::peer_name(), socket)
            .await;
        handshake.is_ok()
    }

    async fn connect(&self) -> Result<TcpStream, DialError> {
        let connected = self.site.connect().await;
        let socket = connected.map_err(|error| self.unreached(&error))?;
        let _ = socket.set_nodelay(true);
        Ok(socket)
    }

    pub(super) fn unreached(&self, error: &io::Error) -> DialError {
        let reason = match error.kind() {
            io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
            _ => error.to_string(),
        };
        let is_refused = error.kind() == io::ErrorKind::ConnectionRefused;
        if let (Some(tls), true) = (&self.tls, is_refused) {
            // Whoever comes next is another one.
            tls.has_no_http2.store(false, Ordering::Relaxed);
        }
        DialError::Tcp {
            address: self.authority.clone(),
            reason,
            is_refused,
        }
    }

    /// Time ran out before there was a connection.
    pub(super) fn too_slow(&self) -> DialError {
        self.unreached(&io::ErrorKind::TimedOut.into())
    }
}

impl Protocol {
    /// The protocol of an app that turns out to have no TLS.
    fn without_tls(self) -> &'static str {
        match self {
            Self::Grpc | Self::Grpcs => "grpc",
            Self::Http | Self::Https | Self::H2c => "http (h2c for HTTP/2)",
        }
    }
}

fn alpn_name(version: Version) -> &'static str {
    match version {
        Version::Http1 => "HTTP/1.1 (ALPN http/1.1)",
        Version::Http2 => "HTTP/2 (ALPN h2)",
    }
}

fn refused(error: &io::Error, version: Version, plain: &str) -> DialError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let reason = match inner {
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            return DialError::Version(version);
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            "first record does not look like a TLS handshake".to_owned()
        }
        Some(other) => other.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "EOF in the handshake".to_owned(),
        None => error.to_string(),
    };
    // What speaks TLS says so by an alert.
    let is_tls = matches!(inner, Some(rustls::Error::AlertReceived(_)));
    DialError::Handshake(if is_tls {
        reason
    } else {
        format!("{reason}; if the app does not speak TLS, set --app-protocol {plain}")
    })
}
