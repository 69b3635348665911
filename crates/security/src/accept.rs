//! A gRPC client's connection, from the server's side: TLS, then HTTP/2.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls::{AlpnMissing, require_h2};
use crate::verify::handshake_error_text;

/// Time for a client to finish its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a client is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The handshake took longer than 10 s.
    #[error("handshake timed out")]
    Timeout,
    /// The handshake failed.
    #[error("{}", handshake_error_text(.0))]
    Tls(std::io::Error),
    /// The client speaks something else than HTTP/2.
    #[error(transparent)]
    Alpn(#[from] AlpnMissing),
}

/// Waits up to 10 s for the client's side of the handshake.
///
/// # Errors
/// No handshake in time, a failed one, or one without `h2`.
pub async fn accept<I>(io: I, acceptor: &TlsAcceptor) -> Result<TlsStream<I>, AcceptError>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let stream = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(io))
        .await
        .map_err(|_| AcceptError::Timeout)?
        .map_err(AcceptError::Tls)?;
    require_h2(stream.get_ref().1)?;
    Ok(stream)
}
