//! One connection to a peer: TCP, TLS pinned to its identity, HTTP/2.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use api::envelope::Frame;
use h2::client::{Connection, SendRequest};
use rustls::ClientConfig;
use security::Identity;
use tokio::net::TcpStream;

use crate::wire::{Flusher, Wire};

/// Time for TCP, TLS and HTTP/2 together. A peer that is frozen accepts TCP
/// and then says nothing.
const PATIENCE: Duration = Duration::from_secs(5);
/// Flow-control windows for answers; see `lifecycle::serve` for the sizes.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * STREAM_WINDOW;
/// Largest frame we take: one piece of a bulk answer in one frame.
const FRAME: u32 = 128 * 1024;
/// Header list we take from a peer: trailers carry error texts.
const HEADER_LIST: u32 = 64 * 1024;
/// Bytes of one stream waiting to be sent.
const SEND_BUFFER: usize = 128 * 1024;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// TCP failed.
    #[error("dial tcp {address}: {source}")]
    Dial {
        /// Address of the peer.
        address: SocketAddr,
        /// Reason.
        #[source]
        source: io::Error,
    },
    /// TLS failed, or the peer is somebody else.
    #[error("authentication handshake failed with {address}: {source}")]
    Tls {
        /// Address of the peer.
        address: SocketAddr,
        /// Reason.
        #[source]
        source: io::Error,
    },
    /// The peer answered a TLS hello with something else, or hung up.
    #[error(
        "peer {address} does not speak TLS: mTLS is on here and seems to be off there; run both with it or both without it (--enable-mtls=false)"
    )]
    NotTls {
        /// Address of the peer.
        address: SocketAddr,
    },
    /// HTTP/2 failed; without mTLS the usual cause is a peer that has it.
    #[error("http2 handshake failed with {address}: {source}; is mTLS on at one side only?")]
    Http2 {
        /// Address of the peer.
        address: SocketAddr,
        /// Reason.
        #[source]
        source: h2::Error,
    },
    /// No end within the patience.
    #[error("connecting to {address} timed out after {patience:?}")]
    Timeout {
        /// Address of the peer.
        address: SocketAddr,
        /// Time it was given.
        patience: Duration,
    },
}

/// Makes connections; shared by all workers.
#[derive(Debug)]
pub(crate) struct Connector {
    identity: Option<Identity>,
}

/// What a fresh connection consists of.
pub(super) struct Connected {
    pub(super) sender: SendRequest<Frame>,
    pub(super) connection: Connection<Wire, Frame>,
    pub(super) read: Arc<std::sync::atomic::AtomicU64>,
    pub(super) flusher: Flusher,
}

impl Connector {
    /// With an identity every connection is mutual TLS, without one all are
    /// plaintext.
    pub(crate) fn new(identity: Option<Identity>) -> Self {
        Self { identity }
    }

    /// The TLS configuration that accepts one app only.
    pub(super) fn tls(&self, namespace: &str, app_id: &str) -> Option<Arc<ClientConfig>> {
        self.identity
            .as_ref()
            .map(|identity| identity.client_config(namespace, app_id))
    }

    pub(super) async fn connect(
        &self,
        address: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Connected, ConnectError> {
        tokio::time::timeout(PATIENCE, self.handshakes(address, tls))
            .await
            .unwrap_or(Err(ConnectError::Timeout {
                address,
                patience: PATIENCE,
            }))
    }

    async fn handshakes(
        &self,
        address: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Connected, ConnectError> {
        let socket = TcpStream::connect(address)
            .await
            .and_then(|socket| socket.set_nodelay(true).map(|()| socket))
            .map_err(|source| ConnectError::Dial { address, source })?;
        let wire = match tls {
            None => Wire::plain(socket),
            Some(config) => {
                let stream = tokio_rustls::TlsConnector::from(Arc::clone(config))
                    .connect(security::peer_name(), socket)
                    .await
                    .and_then(|stream| {
                        security::require_h2(stream.get_ref().1).map_err(io::Error::other)?;
                        Ok(stream)
                    })
                    .map_err(|source| tls_error(address, source))?;
                Wire::tls(stream.into())
            }
        };
        let read = wire.read_counter();
        let flusher = wire.flusher();
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .max_header_list_size(HEADER_LIST)
            .max_send_buffer_size(SEND_BUFFER)
            .enable_push(false)
            .handshake(wire)
            .await
            .map_err(|source| ConnectError::Http2 { address, source })?;
        Ok(Connected {
            sender,
            connection,
            read,
            flusher,
        })
    }
}

/// A peer without TLS answers with bytes that are none, or closes.
fn tls_error(address: SocketAddr, source: io::Error) -> ConnectError {
    let is_plaintext = source.kind() == io::ErrorKind::UnexpectedEof
        || source
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .is_some_and(|error| matches!(error, rustls::Error::InvalidMessage(_)));
    if is_plaintext {
        ConnectError::NotTls { address }
    } else {
        ConnectError::Tls { address, source }
    }
}
