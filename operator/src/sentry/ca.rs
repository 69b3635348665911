//! The authority itself: signs public keys under SPIFFE ids with the issuer of
//! a verified bundle. A leaf never outlives its issuer, and an issuer whose
//! time is over signs nothing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::SignatureScheme as Scheme;
use rustls::sign::Signer;
use rustls_pki_types::{AlgorithmIdentifier, CertificateDer, SubjectPublicKeyInfoDer, alg_id};
use security::{
    KeyError, KeyKind, SpiffeId, Svid, SvidError, TrustAnchors, WorkloadKey, crypto_provider,
};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::bundle::Bundle;
use super::config::Lifetime;
use super::leaf::{Leaf, assemble};

/// Signs with one bundle. Immutable; new files make a new one.
#[derive(Debug)]
pub(super) struct Authority {
    bundle: Bundle,
    signer: Box<dyn Signer>,
    algorithm: AlgorithmIdentifier,
    /// Subject of the issuer as DER.
    name: Vec<u8>,
    key_id: Option<Vec<u8>>,
    /// What is sent behind a leaf: the chain without self-signed certificates.
    chain: Vec<CertificateDer<'static>>,
    lifetime: Lifetime,
}

/// Whom a certificate names, and what it says about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// The only URI.
    pub(super) id: SpiffeId,
    /// Names of the Services that lead to this workload; apps have none.
    pub(super) dns_names: Vec<String>,
    /// Images of the pod as JSON, for the extension of Dapr.
    pub(super) images: Option<Vec<u8>>,
}

/// A signed certificate.
#[derive(Debug)]
pub(super) struct Issued {
    /// Leaf first, towards the root, without self-signed certificates.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// End of the leaf.
    pub(super) not_after: SystemTime,
}

/// The issuer's key cannot sign certificates.
#[derive(Debug, thiserror::Error)]
#[error("issuer key has no usable signature algorithm")]
pub(super) struct UnusableKey;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignError {
    /// No certificate of an expired issuer would be accepted by anyone.
    #[error("the issuer certificate has expired")]
    IssuerExpired,
    /// The serial number.
    #[error("the system has no randomness")]
    Random,
    /// Times outside the calendar.
    #[error("validity is out of range")]
    Validity,
    /// The signature.
    #[error("signing failed: {0}")]
    Sign(rustls::Error),
}

/// Why the authority has no identity of its own.
#[derive(Debug, thiserror::Error)]
pub(super) enum OwnSvidError {
    /// Our key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Our certificate.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Both together.
    #[error(transparent)]
    Svid(#[from] SvidError),
}

// === impl Authority ===

impl Authority {
    /// # Errors
    /// The issuer's key is of a kind that cannot sign certificates.
    pub(super) fn new(bundle: Bundle, lifetime: Lifetime) -> Result<Self, UnusableKey> {
        let signer = bundle
            .key
            .choose_scheme(&[
                Scheme::ED25519,
                Scheme::ECDSA_NISTP256_SHA256,
                Scheme::ECDSA_NISTP384_SHA384,
                Scheme::ECDSA_NISTP521_SHA512,
                Scheme::RSA_PKCS1_SHA256,
            ])
            .ok_or(UnusableKey)?;
        let algorithm = match signer.scheme() {
            Scheme::ED25519 => alg_id::ED25519,
            Scheme::ECDSA_NISTP256_SHA256 => alg_id::ECDSA_SHA256,
            Scheme::ECDSA_NISTP384_SHA384 => alg_id::ECDSA_SHA384,
            Scheme::ECDSA_NISTP521_SHA512 => alg_id::ECDSA_SHA512,
            Scheme::RSA_PKCS1_SHA256 => alg_id::RSA_PKCS1_SHA256,
            _ => return Err(UnusableKey),
        };
        let issuer = bundle.chain.first().ok_or(UnusableKey)?;
        let (_, issuer) = X509Certificate::from_der(issuer).map_err(|_| UnusableKey)?;
        let key_id =
            issuer
                .extensions()
                .iter()
                .find_map(|extension| match extension.parsed_extension() {
                    ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
                    _ => None,
                });
        let chain = if bundle.issuer_is_root {
            Vec::new()
        } else {
            bundle.chain.clone()
        };
        let name = issuer.subject().as_raw().to_vec();
        Ok(Self {
            bundle,
            signer,
            algorithm,
            name,
            key_id,
            chain,
            lifetime,
        })
    }

    /// Roots of what is signed here.
    pub(super) fn trust_anchors(&self) -> &TrustAnchors {
        &self.bundle.anchors
    }

    /// When the issuer, or a certificate above it, ends; seconds since the epoch.
    pub(super) fn not_after(&self) -> i64 {
        self.bundle.not_after
    }

    /// Whether nothing can be signed any more.
    pub(super) fn is_expired(&self) -> bool {
        let now = since_epoch(SystemTime::now()).as_secs();
        i64::try_from(now).is_ok_and(|now| now >= self.bundle.not_after)
    }

    /// Signs `public_key` as `subject`, from now on.
    ///
    /// # Errors
    /// The issuer has expired, or the system has no randomness.
    pub(super) fn sign(
        &self,
        public_key: &SubjectPublicKeyInfoDer<'_>,
        subject: &Subject,
    ) -> Result<Issued, SignError> {
        if self.is_expired() {
            return Err(SignError::IssuerExpired);
        }
        let now = since_epoch(SystemTime::now());
        let issuer_end = self.bundle.not_after;
        let not_before = now.saturating_sub(self.lifetime.skew).as_secs();
        // Whole seconds, rounded up so that short lives are not cut to nothing.
        let end = now.saturating_add(self.lifetime.ttl);
        let end = end.as_secs() + u64::from(end.subsec_nanos() > 0);
        let not_after = i64::try_from(end).unwrap_or(i64::MAX).min(issuer_end);
        let to_be_signed = Leaf {
            serial: &serial()?,
            algorithm: self.algorithm.as_ref(),
            issuer: &self.name,
            issuer_key_id: self.key_id.as_deref(),
            not_before: i64::try_from(not_before).map_err(|_| SignError::Validity)?,
            not_after,
            public_key,
            uri: subject.id.as_str(),
            dns_names: &subject.dns_names,
            images: subject.images.as_deref(),
        }
        .to_be_signed()
        .ok_or(SignError::Validity)?;
        let signature = self.signer.sign(&to_be_signed).map_err(SignError::Sign)?;
        let leaf = assemble(&to_be_signed, self.algorithm.as_ref(), &signature);
        let mut chain = vec![CertificateDer::from(leaf)];
        chain.extend(self.chain.iter().cloned());
        let not_after = u64::try_from(not_after).map_err(|_| SignError::Validity)?;
        Ok(Issued {
            chain,
            not_after: UNIX_EPOCH + Duration::from_secs(not_after),
        })
    }

    /// An identity for this process.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub(super) fn own_svid(&self, id: &SpiffeId) -> Result<Svid, OwnSvidError> {
        let key = WorkloadKey::generate(KeyKind::default())?;
        let public_key = SubjectPublicKeyInfoDer::from(key.public_key());
        let issued = self.sign(&public_key, &Subject::from(id.clone()))?;
        Ok(Svid::new(
            issued.chain,
            key.into_private_key(),
            self.bundle.anchors.clone(),
        )?)
    }
}

// === impl Subject ===

impl From<SpiffeId> for Subject {
    fn from(id: SpiffeId) -> Self {
        Self {
            id,
            dns_names: Vec::new(),
            images: None,
        }
    }
}

/// 128 random bits; the top ones are fixed so that the number is positive and
/// has no leading zeros.
fn serial() -> Result<[u8; 16], SignError> {
    let mut serial = [0; 16];
    crypto_provider()
        .secure_random
        .fill(&mut serial)
        .map_err(|_| SignError::Random)?;
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(serial)
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests;
