//! Signing requests. Only the public key of one is used; its subject, names
//! and extensions are ignored. Order and texts of the refusals mirror Dapr 1.18
//! pkg/sentry/server/server.go.

use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;

use super::signed::Signed;

/// Below this an RSA key is no proof of anything.
const MIN_RSA_BITS: usize = 2048;

/// Why a request is not signed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CsrError {
    #[error("invalid certificate signing request")]
    NotPem,
    #[error("failed to parse certificate signing request: {0}")]
    Parse(String),
    #[error("invalid signature")]
    Signature,
}

/// The public key of a PEM signing request that its owner signed.
pub(super) fn public_key(pem: &[u8]) -> Result<SubjectPublicKeyInfoDer<'static>, CsrError> {
    let (kind, der): (SectionKind, Vec<u8>) =
        <_>::from_pem_slice(pem).map_err(|_| CsrError::NotPem)?;
    // Sidecars before 1.12 label their requests as certificates.
    if !matches!(kind, SectionKind::Csr | SectionKind::Certificate) {
        return Err(CsrError::NotPem);
    }
    let parse = |reason: String| CsrError::Parse(reason);
    let (_, request) =
        X509CertificationRequest::from_der(&der).map_err(|error| parse(error.to_string()))?;
    let key = &request.certification_request_info.subject_pki;
    match key.parsed().map_err(|error| parse(error.to_string()))? {
        // Ed25519 has no variant of its own; the signature check tells.
        PublicKey::EC(_) | PublicKey::Unknown(_) => {}
        PublicKey::RSA(rsa) if rsa.key_size() >= MIN_RSA_BITS => {}
        PublicKey::RSA(rsa) => {
            return Err(parse(format!(
                "RSA key of {} bits is too short, at least {MIN_RSA_BITS} are needed",
                rsa.key_size()
            )));
        }
        _ => return Err(parse("unsupported public key algorithm".to_owned())),
    }
    let key = SubjectPublicKeyInfoDer::from(key.raw.to_vec());
    let signed = Signed::parse(&der).ok_or(CsrError::Signature)?;
    if signed.is_signed_by(&key) {
        Ok(key)
    } else {
        Err(CsrError::Signature)
    }
}

#[cfg(test)]
mod tests;
