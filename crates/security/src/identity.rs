//! The identity of this process: a handle on the current SVID, and the TLS
//! configurations that use it. Configurations look the SVID up at handshake
//! time, so a renewal reaches new handshakes without rebuilding anything.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig, SignatureScheme};

use crate::anchors::TrustAnchors;
use crate::spiffe::SpiffeId;
use crate::svid::Svid;
use crate::tls;
use crate::verify::{Anchors, AnyClient, Expected, PinnedServer, is_trusted};

/// Cheap to clone; all clones see the same SVID.
#[derive(Clone, Debug)]
pub struct Identity {
    current: Arc<ArcSwap<Svid>>,
}

#[derive(Debug)]
struct CurrentSvid(Arc<ArcSwap<Svid>>);

// === impl Identity ===

impl Identity {
    /// Starts with `svid`.
    pub fn new(svid: Svid) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(svid)),
        }
    }

    /// The SVID of this moment.
    pub fn svid(&self) -> Arc<Svid> {
        self.current.load_full()
    }

    /// Puts a renewed SVID in use. Open connections stay as they are.
    pub fn replace(&self, svid: Svid) {
        self.current.store(Arc::new(svid));
    }

    /// Who we are.
    pub fn spiffe_id(&self) -> SpiffeId {
        self.current.load().spiffe_id().clone()
    }

    /// End of validity of the current leaf.
    pub fn not_after(&self) -> SystemTime {
        self.current.load().not_after()
    }

    /// Whether peers that trust exactly `anchors` would accept the current SVID.
    pub fn is_trusted_by(&self, anchors: &TrustAnchors) -> bool {
        is_trusted(self.current.load().chain(), anchors)
    }

    /// Whom we trust at this moment.
    pub fn trust_anchors(&self) -> TrustAnchors {
        self.current.load().trust_anchors().clone()
    }

    /// For an internal server: any client whose certificate leads to our
    /// anchors and names a SPIFFE id. Call [`crate::require_h2`] after the handshake.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let verifier = AnyClient::new(Anchors::OfIdentity(Arc::clone(&self.current)));
        tls::server(Some(Arc::new(verifier)), self.resolver())
    }

    /// For sentry: presents our SVID and asks for no client certificate, since
    /// callers that have none yet prove themselves with a token.
    pub fn server_config_without_client_certificates(&self) -> Arc<ServerConfig> {
        tls::server(None, self.resolver())
    }

    /// For web clients that check our DNS name, such as the API server calling
    /// a webhook: no client certificate, HTTP/2 or HTTP/1.1.
    pub fn web_server_config(&self) -> Arc<ServerConfig> {
        tls::web_server(self.resolver())
    }

    /// For a peer sidecar: its SPIFFE path must be `/ns/<namespace>/<app id>`,
    /// its trust domain may be any. A mismatch fails the handshake with
    /// `unexpected SPIFFE ID: "<id>"`.
    pub fn client_config(&self, namespace: &str, app_id: &str) -> Arc<ClientConfig> {
        let path = format!("/ns/{namespace}/{app_id}").into();
        self.client_config_expecting(Expected::Path(path))
    }

    /// For a control-plane service: exactly this id.
    pub fn client_config_for(&self, id: SpiffeId) -> Arc<ClientConfig> {
        self.client_config_expecting(Expected::Id(id))
    }

    fn client_config_expecting(&self, expected: Expected) -> Arc<ClientConfig> {
        let anchors = Anchors::OfIdentity(Arc::clone(&self.current));
        tls::client(PinnedServer::new(anchors, expected), Some(self.resolver())).into()
    }

    fn resolver(&self) -> Arc<CurrentSvid> {
        Arc::new(CurrentSvid(Arc::clone(&self.current)))
    }
}

// === impl CurrentSvid ===

impl CurrentSvid {
    fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(self.0.load().certified())
    }
}

impl ResolvesServerCert for CurrentSvid {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }
}

impl ResolvesClientCert for CurrentSvid {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
