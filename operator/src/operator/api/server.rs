//! The server of the API: TLS with our own SVID, a client certificate that our
//! roots vouch for, HTTP/2 only.

use std::convert::Infallible;
use std::net::TcpListener;
use std::time::Duration;

use api::operator::v1::operator_server::{OperatorServer, SERVICE_NAME};
use control_plane::unknown_method;
use hyper::body::Incoming;
use hyper::service::service_fn;
use lifecycle::drain::Watch;
use lifecycle::serve::{self, HttpLimits};
use security::{AppIdentity, Identity, peer_identity};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tonic::Status;
use tower_service::Service as _;

use super::super::SCOPE;
use super::service::Service;

const LIMITS: HttpLimits = HttpLimits {
    header_bytes: 16 * 1024,
    header_list_bytes: 16 * 1024,
    streams: 250,
    frame_bytes: 16 * 1024,
    // Streams are silent for days: a sidecar whose node died is noticed here.
    ping_after: Some(Duration::from_mins(1)),
};
/// Requests are names.
const LONGEST_REQUEST: usize = 64 * 1024;
const METHODS: [&str; 16] = [
    "GetConfiguration",
    "GetResiliency",
    "ListResiliency",
    "ListHTTPEndpoints",
    "ListComponents",
    "ListSubscriptions",
    "ListSubscriptionsV2",
    "ListMCPServers",
    "ListWorkflowAccessPolicy",
    "ConfigurationUpdate",
    "ResiliencyUpdate",
    "HTTPEndpointUpdate",
    "ComponentUpdate",
    "SubscriptionUpdate",
    "MCPServerUpdate",
    "WorkflowAccessPolicyUpdate",
];

/// Serves until the drain starts.
pub(in super::super) async fn serve(
    listener: TcpListener,
    identity: Identity,
    service: Service,
    drain: Watch,
) -> std::io::Result<()> {
    let acceptor = TlsAcceptor::from(identity.server_config());
    let server = OperatorServer::new(service).max_decoding_message_size(LONGEST_REQUEST);
    serve::accept_here(listener, drain.clone(), move |socket| {
        connection(socket, acceptor.clone(), server.clone(), drain.clone())
    })
    .await
}

async fn connection(
    socket: TcpStream,
    acceptor: TlsAcceptor,
    server: OperatorServer<Service>,
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
    // Whoever has no app's identity is told so by each call.
    let caller = peer_identity(stream.get_ref().1);
    let service = service_fn(move |request| call(request, caller.clone(), server.clone()));
    serve::connection(stream, &LIMITS.builder(), service, drain).await;
}

async fn call(
    mut request: http::Request<Incoming>,
    caller: Option<AppIdentity>,
    mut server: OperatorServer<Service>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    if let Some(message) = unknown_method(request.uri().path(), SERVICE_NAME, &METHODS) {
        return Ok(Status::unimplemented(message).into_http());
    }
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    server.call(request).await
}
