//! TLS configurations common to all our connections, and what is read from a
//! finished handshake. TLS 1.2 and 1.3, ALPN `h2` only, no resumption: a
//! resumed session would skip the check of the peer's certificate.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::{ClientConfig, CommonState, RootCertStore, ServerConfig};
use rustls_pki_types::ServerName;

use crate::anchors::TrustAnchors;
use crate::leaf;
use crate::provider::crypto_provider;
use crate::spiffe::{AppIdentity, MalformedIdentity, SpiffeId};
use crate::verify::{Anchors, Expected, PinnedServer};

/// The only application protocol we speak.
pub const H2: &[u8] = b"h2";

const VERSIONS: &str = "the provider has suites for TLS 1.2 and 1.3";

/// The other side did not agree on HTTP/2 during the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("peer did not negotiate h2")]
pub struct AlpnMissing;

/// Fails unless the handshake agreed on `h2`. gRPC peers abort in this case,
/// so a connection without it would never carry a call.
pub fn require_h2(connection: &CommonState) -> Result<(), AlpnMissing> {
    match connection.alpn_protocol() {
        Some(H2) => Ok(()),
        _ => Err(AlpnMissing),
    }
}

/// The app at the other end, from its verified certificate; `None` without a
/// certificate or when its id does not name an app.
pub fn peer_identity(connection: &CommonState) -> Option<AppIdentity> {
    verified_peer(connection).ok().flatten()
}

/// As [`peer_identity`], but tells apart a peer without certificate (`None`)
/// from one whose id does not name an app, which must be denied.
///
/// # Errors
/// The SPIFFE path is not `/ns/<namespace>/<app id>`.
pub fn verified_peer(connection: &CommonState) -> Result<Option<AppIdentity>, MalformedIdentity> {
    peer_spiffe_id(connection)
        .map(|id| AppIdentity::try_from(&id))
        .transpose()
}

fn peer_spiffe_id(connection: &CommonState) -> Option<SpiffeId> {
    let leaf = connection.peer_certificates()?.first()?;
    leaf::inspect(leaf).ok().map(|leaf| leaf.id)
}

/// A name for `TlsConnector::connect` where none is checked and none is sent.
pub fn peer_name() -> ServerName<'static> {
    ServerName::from(std::net::IpAddr::from(std::net::Ipv4Addr::LOCALHOST))
}

/// For a client that has no certificate yet: exactly `server`, verified
/// against `anchors`. Sends the name it connects to, as Go clients do.
pub(crate) fn client_without_identity(
    anchors: TrustAnchors,
    server: SpiffeId,
) -> Arc<ClientConfig> {
    let verifier = PinnedServer::new(Anchors::Fixed(anchors), Expected::Id(server));
    client(verifier, None).into()
}

/// For a client of the web: any server whose name one of `roots` vouches for.
pub fn web_client(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::clone(crypto_provider()))
        .with_safe_default_protocol_versions()
        .expect(VERSIONS)
        .with_root_certificates(roots)
        .with_no_client_auth()
}

pub(crate) fn server(
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    resolver: Arc<dyn ResolvesServerCert>,
) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(crypto_provider()))
        .with_safe_default_protocol_versions()
        .expect(VERSIONS);
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(resolver);
    config.alpn_protocols = vec![H2.to_vec()];
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// As [`server`] for clients of the web, which may speak HTTP/1.1.
pub(crate) fn web_server(resolver: Arc<dyn ResolvesServerCert>) -> Arc<ServerConfig> {
    let mut config = ServerConfig::clone(&server(None, resolver));
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

pub(crate) fn client(
    verifier: impl ServerCertVerifier + 'static,
    resolver: Option<Arc<dyn ResolvesClientCert>>,
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::clone(crypto_provider()))
        .with_safe_default_protocol_versions()
        .expect(VERSIONS)
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match resolver {
        Some(resolver) => builder.with_client_cert_resolver(resolver),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![H2.to_vec()];
    config.resumption = Resumption::disabled();
    config
}
