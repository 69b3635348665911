//! The gRPC server of the authority: TLS with our own SVID, no client
//! certificate, HTTP/2 only.

use std::convert::Infallible;
use std::net::TcpListener;
use std::time::Duration;

use api::sentry::v1::ca_server::{CaServer, SERVICE_NAME};
use control_plane::unknown_method;
use hyper::body::Incoming;
use hyper::service::service_fn;
use lifecycle::drain::Watch;
use lifecycle::serve::{self, HttpLimits};
use security::Identity;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tonic::Status;
use tower_service::Service as _;

use super::SCOPE;
use super::service::Service;

/// Clients open a connection per request and close it; whoever stays longer
/// than this is not one of them.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(5);
const METHODS: [&str; 1] = ["SignCertificate"];
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
    let stream = match security::accept(socket, &acceptor).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(target: SCOPE, ?peer, "refused connection: {error}");
            return;
        }
    };
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
    match unknown_method(request.uri().path(), SERVICE_NAME, &METHODS) {
        Some(message) => Ok(Status::unimplemented(message).into_http()),
        None => server.call(request).await,
    }
}
