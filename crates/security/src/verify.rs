//! Verification of peers during the handshake: chain to our current anchors,
//! leaf shape, and the SPIFFE id that the other side must have.
//! Host names never count; SPIFFE certificates have none.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DistinguishedName, Error, OtherError};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::anchors::TrustAnchors;
use crate::leaf;
use crate::provider::{crypto_provider, verify_signatures};
use crate::spiffe::SpiffeId;
use crate::svid::Svid;

/// Where a verifier finds the anchors of the moment: they change with a
/// renewal, a verifier lives as long as its TLS configuration.
pub(crate) enum Anchors {
    Fixed(TrustAnchors),
    OfIdentity(Arc<ArcSwap<Svid>>),
}

/// Whom a client insists on.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// An app by its path `/ns/<namespace>/<app id>`, in any trust domain.
    Path(Box<str>),
    /// One id exactly.
    Id(SpiffeId),
}

/// Accepts any peer with a valid SPIFFE id.
#[derive(Debug)]
pub(crate) struct AnyClient {
    anchors: Anchors,
}

/// Accepts exactly the expected peer.
#[derive(Debug)]
pub(crate) struct PinnedServer {
    anchors: Anchors,
    expected: Expected,
}

/// A refusal that rustls has no name for. `Debug` prints the message because
/// that is how rustls renders foreign certificate errors.
struct Refused(String);

// === impl Anchors ===

impl Anchors {
    fn load(&self) -> TrustAnchors {
        match self {
            Self::Fixed(anchors) => anchors.clone(),
            Self::OfIdentity(svid) => svid.load().trust_anchors().clone(),
        }
    }
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}

// === impl AnyClient ===

impl AnyClient {
    pub(crate) fn new(anchors: Anchors) -> Self {
        Self { anchors }
    }
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Anchors change during the life of the verifier, and peers need no hint.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        verify_chain(
            &self.anchors.load(),
            end_entity,
            intermediates,
            now,
            KeyUsage::client_auth(),
        )?;
        spiffe_id(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    verify_signatures!();
}

// === impl PinnedServer ===

impl PinnedServer {
    pub(crate) fn new(anchors: Anchors, expected: Expected) -> Self {
        Self { anchors, expected }
    }
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_chain(
            &self.anchors.load(),
            end_entity,
            intermediates,
            now,
            KeyUsage::server_auth(),
        )?;
        let id = spiffe_id(end_entity)?;
        if self.expected.matches(&id) {
            Ok(ServerCertVerified::assertion())
        } else {
            // The wording is a contract: callers and their logs match on it.
            Err(refused(format!("unexpected SPIFFE ID: \"{id}\"")))
        }
    }

    verify_signatures!();
}

impl Expected {
    fn matches(&self, id: &SpiffeId) -> bool {
        match self {
            Self::Path(path) => id.path() == &**path,
            Self::Id(expected) => id == expected,
        }
    }
}

// === impl Refused ===

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// What a failed handshake should say in a log line or to a caller: our own
/// refusals without the wrapping that rustls adds.
pub fn handshake_error_text(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(Error::InvalidCertificate(CertificateError::Other(refused))) => refused.to_string(),
        Some(other) => other.to_string(),
        None => error.to_string(),
    }
}

/// Whether `chain`, leaf first, leads to `anchors` now.
pub(crate) fn is_trusted(chain: &[CertificateDer<'_>], anchors: &TrustAnchors) -> bool {
    let Some((leaf, intermediates)) = chain.split_first() else {
        return false;
    };
    let now = UnixTime::now();
    verify_chain(anchors, leaf, intermediates, now, KeyUsage::server_auth()).is_ok()
}

fn verify_chain(
    anchors: &TrustAnchors,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
    usage: KeyUsage,
) -> Result<(), Error> {
    let leaf = EndEntityCert::try_from(end_entity).map_err(|error| certificate_error(&error))?;
    let root_is_current = |path: &webpki::VerifiedPath<'_>| {
        if anchors.is_current(path.anchor(), now) {
            Ok(())
        } else {
            Err(webpki::Error::UnknownIssuer)
        }
    };
    leaf.verify_for_usage(
        crypto_provider().signature_verification_algorithms.all,
        anchors.as_webpki(),
        intermediates,
        now,
        usage,
        None,
        Some(&root_is_current),
    )
    .map(|_| ())
    .map_err(|error| certificate_error(&error))
}

fn spiffe_id(end_entity: &CertificateDer<'_>) -> Result<SpiffeId, Error> {
    leaf::inspect(end_entity)
        .map(|leaf| leaf.id)
        .map_err(|error| refused(error.to_string()))
}

fn refused(message: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Refused(
        message,
    )))))
}

/// The errors that have their own TLS alert; everything else keeps its text.
fn certificate_error(error: &webpki::Error) -> Error {
    use webpki::Error as E;
    let known = match error {
        E::CertExpired { .. } => CertificateError::Expired,
        E::CertNotValidYet { .. } => CertificateError::NotValidYet,
        E::UnknownIssuer => CertificateError::UnknownIssuer,
        E::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        E::BadDer | E::BadDerTime => CertificateError::BadEncoding,
        other => return refused(format!("certificate is not valid: {other}")),
    };
    Error::InvalidCertificate(known)
}
