//! A new root and issuer. The root's key is dropped at once: a generated root
//! can be replaced, never re-used to sign another issuer.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose as Usage, PKCS_ED25519, SerialNumber,
};
use security::{TrustDomain, crypto_provider, pem};

use super::Files;
use crate::sentry::der;

/// Life of root and issuer.
const VALIDITY: Duration = Duration::from_hours(24 * 365);

/// No new certificates.
#[derive(Debug, thiserror::Error)]
pub(in crate::sentry) enum GenerateError {
    /// Key or certificate.
    #[error("failed to generate root and issuer: {0}")]
    Certificate(#[from] rcgen::Error),
    /// Serial number.
    #[error("failed to generate a serial number: the system has no randomness")]
    Random,
}

/// Root `O=<trust domain>` and issuer `O=<our SPIFFE id>`, both Ed25519.
///
/// # Errors
/// The system has no randomness.
pub(in crate::sentry) fn generate(
    trust_domain: &TrustDomain,
    namespace: &str,
    skew: Duration,
) -> Result<Files, GenerateError> {
    let root_key = KeyPair::generate_for(&PKCS_ED25519)?;
    let root_params = params(
        trust_domain.as_str(),
        vec![Usage::DigitalSignature, Usage::KeyCertSign],
        skew,
    )?;
    let root = root_params.self_signed(&root_key)?;

    let issuer_key = KeyPair::generate_for(&PKCS_ED25519)?;
    let mut issuer_params = params(
        &format!("spiffe://{trust_domain}/ns/{namespace}/dapr-sentry"),
        vec![Usage::DigitalSignature, Usage::KeyCertSign, Usage::CrlSign],
        skew,
    )?;
    issuer_params.use_authority_key_identifier_extension = true;
    let issuer =
        issuer_params.signed_by(&issuer_key, &Issuer::from_params(&root_params, &root_key))?;
    Ok(Files {
        anchors: root.pem().into_bytes(),
        certificate: issuer.pem().into_bytes(),
        key: pem::encode("PRIVATE KEY", &plain_pkcs8(issuer_key.serialized_der())).into_bytes(),
    })
}

/// The key as PKCS#8 version 1. The library writes version 2, with the public
/// key inside, which OpenSSL refuses to read.
fn plain_pkcs8(pkcs8: &[u8]) -> Vec<u8> {
    let parts = || {
        let (outer, _) = der::read(pkcs8)?;
        let (_version, rest) = der::read(outer.content)?;
        let (algorithm, rest) = der::read(rest)?;
        let (key, _public_key) = der::read(rest)?;
        Some((algorithm.whole, key.whole))
    };
    match parts() {
        Some((algorithm, key)) => {
            let version = der::element(der::INTEGER, &[&[0]]);
            der::element(der::SEQUENCE, &[&version, algorithm, key])
        }
        None => pkcs8.to_vec(),
    }
}

fn params(
    organisation: &str,
    usages: Vec<Usage>,
    skew: Duration,
) -> Result<CertificateParams, GenerateError> {
    let now = SystemTime::now();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, organisation);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = usages;
    params.not_before = (now - skew).into();
    params.not_after = (now + VALIDITY).into();
    let mut serial = [0; 16];
    crypto_provider()
        .secure_random
        .fill(&mut serial)
        .map_err(|_| GenerateError::Random)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}
