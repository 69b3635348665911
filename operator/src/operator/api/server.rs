//! The server of the API: TLS with our own SVID, a client certificate that our
//! roots vouch for, HTTP/2 only.

use std::convert::Infallible;
use std::net::TcpListener;
use std::time::Duration;

use api::operator::v1::operator_server::{OperatorServer, SERVICE_NAME};
use hyper::body::Incoming;
use hyper::service::service_fn;
use lifecycle::drain::Watch;
use lifecycle::serve::{self, HttpLimits};
use security::{AppIdentity, Identity, handshake_error_text, require_h2, verified_peer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tonic::Status;
use tower_service::Service as _;

use super::super::SCOPE;
use super::service::Service;

/// Time for a client to finish its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
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
    let refused = |reason: &dyn std::fmt::Display| {
        tracing::debug!(target: SCOPE, ?peer, "refused connection: {reason}");
    };
    let stream = match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return refused(&handshake_error_text(&error)),
        Err(_) => return refused(&"handshake timed out"),
    };
    let session = stream.get_ref().1;
    if let Err(error) = require_h2(session) {
        return refused(&error);
    }
    // Whoever has no app's identity is told so by each call.
    let caller = verified_peer(session).ok().flatten();
    let service = service_fn(move |request| call(request, caller.clone(), server.clone()));
    serve::connection(stream, &LIMITS.builder(), service, drain).await;
}

async fn call(
    mut request: http::Request<Incoming>,
    caller: Option<AppIdentity>,
    mut server: OperatorServer<Service>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    if let Some(message) = unknown(request.uri().path()) {
        return Ok(Status::unimplemented(message).into_http());
    }
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    server.call(request).await
}

/// The words of Go servers for what they do not serve.
fn unknown(path: &str) -> Option<String> {
    let name = path
        .strip_prefix('/')
        .and_then(|path| path.rsplit_once('/'));
    match name {
        Some((SERVICE_NAME, method)) if METHODS.contains(&method) => None,
        Some((SERVICE_NAME, method)) => Some(format!(
            "unknown method {method} for service {SERVICE_NAME}"
        )),
        Some((service, _)) => Some(format!("unknown service {service}")),
        None => Some(format!("malformed method name: {path:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_paths_are_named_as_go_names_them() {
        for (path, message) in [
            ("/dapr.proto.operator.v1.Operator/ComponentUpdate", None),
            (
                "/dapr.proto.operator.v1.Operator/Nope",
                Some("unknown method Nope for service dapr.proto.operator.v1.Operator"),
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
