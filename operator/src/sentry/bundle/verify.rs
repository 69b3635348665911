//! Verification of a bundle before anything is signed with it. Order and texts
//! mirror Dapr 1.18 pkg/sentry/server/ca/validate.go; in addition the issuer
//! must be a CA outright, since peers refuse chains through anything else.

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use security::{TrustAnchors, TrustAnchorsError, crypto_provider, pem};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Bundle, Files};
use crate::sentry::signed::Signed;

/// What is wrong with a bundle.
#[derive(Debug, thiserror::Error)]
pub(in crate::sentry) enum BundleError {
    /// No certificate among the anchors, or in the issuer file.
    #[error("{0}: no certificates found")]
    Empty(&'static str),
    /// A PEM block is damaged.
    #[error("{what}: failed to decode PEM: {reason}")]
    Pem {
        /// Anchors or chain.
        what: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// A certificate does not parse.
    #[error("{what}: failed to parse certificate: {reason}")]
    Certificate {
        /// Anchors or chain.
        what: &'static str,
        /// What the parser said.
        reason: String,
    },
    /// Something other than a root among the anchors.
    #[error("certificate in trust anchor is not self-signed: {0}")]
    NotSelfSigned(String),
    /// A certificate of the chain is not signed by the next.
    #[error("certificate chain is not valid")]
    BrokenChain,
    /// The first certificate cannot sign others.
    #[error("intermediate certificate is not valid for signing")]
    NotAnIssuer,
    /// No key in the key file.
    #[error("key is not PEM encoded")]
    KeyNotPem,
    /// A key of a kind we cannot use.
    #[error("unsupported issuer key: {0}")]
    Key(rustls::Error),
    /// Another certificate's key.
    #[error("issuer key does not match issuer certificate")]
    KeyMismatch,
    /// The chain ends at no anchor, or a certificate on the way is out of date.
    #[error("issuer chain does not belong to trust anchors: {0}")]
    Untrusted(String),
}

const ANCHORS: &str = "trust anchors";
const CHAIN: &str = "issuer chain";

struct Parsed<'a> {
    certificate: X509Certificate<'a>,
    signed: Signed<'a>,
    der: &'a CertificateDer<'static>,
}

pub(super) fn verify(files: &Files, now: i64) -> Result<Bundle, BundleError> {
    let anchor_ders = certificates(&files.anchors, ANCHORS)?;
    let anchors = parse_all(&anchor_ders, ANCHORS)?;
    for anchor in &anchors {
        if !anchor.is_signed_by(anchor) {
            let subject = anchor.certificate.subject().to_string();
            return Err(BundleError::NotSelfSigned(subject));
        }
    }
    let mut chain_ders = certificates(&files.certificate, CHAIN)?;
    drop_trailing_root(&mut chain_ders)?;
    let chain = parse_all(&chain_ders, CHAIN)?;
    if !chain.windows(2).all(|pair| match pair {
        [child, parent] => child.is_signed_by(parent),
        _ => true,
    }) {
        return Err(BundleError::BrokenChain);
    }
    let issuer = chain.first().ok_or(BundleError::Empty(CHAIN))?;
    if !issuer.may_sign() {
        return Err(BundleError::NotAnIssuer);
    }
    let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|_| BundleError::KeyNotPem)?;
    let key = crypto_provider()
        .key_provider
        .load_private_key(key)
        .map_err(BundleError::Key)?;
    if key.public_key().as_ref() != Some(&issuer.public_key()) {
        return Err(BundleError::KeyMismatch);
    }
    let anchor = find_anchor(&chain, &anchors).ok_or_else(|| {
        BundleError::Untrusted("certificate signed by unknown authority".to_owned())
    })?;
    let mut not_after = i64::MAX;
    for link in chain.iter().chain([anchor]) {
        let validity = link.certificate.validity();
        if now > validity.not_after.timestamp() || now < validity.not_before.timestamp() {
            return Err(BundleError::Untrusted(format!(
                "certificate has expired or is not yet valid: {} is valid from {} to {}",
                link.certificate.subject(),
                validity.not_before,
                validity.not_after
            )));
        }
        not_after = not_after.min(validity.not_after.timestamp());
    }
    let anchors =
        TrustAnchors::from_certificates(anchor_ders.clone()).map_err(|error| match error {
            TrustAnchorsError::Missing => BundleError::Empty(ANCHORS),
            other => BundleError::Certificate {
                what: ANCHORS,
                reason: other.to_string(),
            },
        })?;
    let issuer_is_root = issuer.is_signed_by(issuer);
    let chain = chain.iter().map(|link| link.der.clone()).collect();
    Ok(Bundle {
        anchors,
        chain,
        issuer_is_root,
        key,
        not_after,
    })
}

// === impl Parsed ===

impl Parsed<'_> {
    fn public_key(&self) -> SubjectPublicKeyInfoDer<'static> {
        SubjectPublicKeyInfoDer::from(self.certificate.public_key().raw.to_vec())
    }

    fn is_signed_by(&self, parent: &Parsed<'_>) -> bool {
        self.certificate.issuer().as_raw() == parent.certificate.subject().as_raw()
            && self.signed.is_signed_by(&parent.public_key())
    }

    fn may_sign(&self) -> bool {
        let ca = self.certificate.is_ca();
        let usage = self.certificate.key_usage().ok().flatten();
        ca && usage.is_none_or(|usage| usage.value.key_cert_sign())
    }
}

fn certificates(
    pem: &[u8],
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, BundleError> {
    let certificates = pem::certificates(pem).map_err(|error| BundleError::Pem {
        what,
        reason: error.to_string(),
    })?;
    if certificates.is_empty() {
        return Err(BundleError::Empty(what));
    }
    Ok(certificates)
}

fn parse_all<'a>(
    ders: &'a [CertificateDer<'static>],
    what: &'static str,
) -> Result<Vec<Parsed<'a>>, BundleError> {
    ders.iter().map(|der| parse(der, what)).collect()
}

fn parse<'a>(
    der: &'a CertificateDer<'static>,
    what: &'static str,
) -> Result<Parsed<'a>, BundleError> {
    let failed = |reason: String| BundleError::Certificate { what, reason };
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|error| failed(error.to_string()))?;
    let signed = Signed::parse(der).ok_or_else(|| failed("not a certificate".to_owned()))?;
    Ok(Parsed {
        certificate,
        signed,
        der,
    })
}

/// A root behind its issuer is the anchors' business, not the chain's.
fn drop_trailing_root(chain: &mut Vec<CertificateDer<'static>>) -> Result<(), BundleError> {
    if let [_, .., last] = chain.as_slice() {
        let last = parse(last, CHAIN)?;
        if last.is_signed_by(&last) {
            chain.pop();
        }
    }
    Ok(())
}

/// The anchor that vouches for the chain. An issuer that is itself a root must
/// be among the anchors as it is.
fn find_anchor<'a, 'b>(chain: &[Parsed<'_>], anchors: &'b [Parsed<'a>]) -> Option<&'b Parsed<'a>> {
    let last = chain.last()?;
    anchors
        .iter()
        .find(|anchor| anchor.der == last.der || last.is_signed_by(anchor))
}
