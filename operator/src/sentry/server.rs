//! The gRPC server of the authority: TLS with our own SVID, no client
//! certificate, HTTP/2 only.

use std::convert::Infallible;
use std::net::TcpListener;
use std::time::Duration;

use api::sentry::v1::ca_server::{CaServer, SERVICE_NAME};
use hyper::body::Incoming;
use hyper::service::service_fn;
use lifecycle::drain::Watch;
use lifecycle::serve::{self, HttpLimits};
use security::{Identity, require_h2};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tonic::Status;
use tower_service::Service as _;

use super::SCOPE;
use super::service::Service;

/// Time for a client to finish its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Clients open a connection per request and close it; whoever stays longer
/// than this is not one of them.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(5);
const METHOD: &str = "/dapr.proto.sentry.v1.CA/SignCertificate";
const LIMITS: HttpLimits = HttpLimits {
    header_bytes: 16 * 1024,
    header_list_bytes: 16 * 1024,
    streams: 100,
    frame_bytes: 16 * 1024,
    ping_after: None,
};

/// Serves until the drain starts.
pub(super) async fn serve(
    listener: TcpListener,
    identity: Identity,
    service: Service,
    drain: Watch,
) -> std::io::Result<()> {
    let acceptor = TlsAcceptor::from(identity.server_config_without_client_certificates());
    let server = CaServer::new(service);
    serve::accept_here(listener, drain.clone(), move |socket| {
        connection(socket, acceptor.clone(), server.clone(), drain.clone())
    })
    .await
}

async fn connection(
    socket: TcpStream,
    acceptor: TlsAcceptor,
    server: CaServer<Service>,
    drain: Watch,
) {
    let peer = socket.peer_addr().ok();
    let refused = |reason: &dyn std::fmt::Display| {
        tracing::debug!(target: SCOPE, ?peer, "refused connection: {reason}");
    };
    let stream = match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return refused(&error),
        Err(_) => return refused(&"handshake timed out"),
    };
    if let Err(error) = require_h2(stream.get_ref().1) {
        return refused(&error);
    }
    let service = service_fn(move |request| call(request, server.clone()));
    let builder = LIMITS.builder();
    let serving = serve::connection(stream, &builder, service, drain);
    if timeout(CONNECTION_TIMEOUT, serving).await.is_err() {
        tracing::debug!(target: SCOPE, ?peer, "closed connection: open too long");
    }
}

async fn call(
    request: http::Request<Incoming>,
    mut server: CaServer<Service>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    match unknown(request.uri().path()) {
        Some(message) => Ok(Status::unimplemented(message).into_http()),
        None => server.call(request).await,
    }
}

/// The words of Go servers for what they do not serve.
fn unknown(path: &str) -> Option<String> {
    if path == METHOD {
        return None;
    }
    let name = path
        .strip_prefix('/')
        .and_then(|path| path.rsplit_once('/'));
    Some(match name {
        Some((SERVICE_NAME, method)) => {
            format!("unknown method {method} for service {SERVICE_NAME}")
        }
        Some((service, _)) => format!("unknown service {service}"),
        None => format!("malformed method name: {path:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_paths_are_named_as_go_names_them() {
        for (path, message) in [
            (METHOD, None),
            (
                "/dapr.proto.sentry.v1.CA/Nope",
                Some("unknown method Nope for service dapr.proto.sentry.v1.CA"),
            ),
            (
                "/grpc.health.v1.Health/Check",
                Some("unknown service grpc.health.v1.Health"),
            ),
            ("/", Some("malformed method name: \"/\"")),
        ] {
            assert_eq!(unknown(path).as_deref(), message);
        }
    }
}
