//! The private key of one certificate request: made anew for every request,
//! never reused, never written to disk.

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ED25519, PublicKeyData as _};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A fresh Ed25519 key.
pub struct WorkloadKey(KeyPair);

/// The key or its request could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to create key and signing request: {0}")]
pub struct KeyError(#[from] rcgen::Error);

impl WorkloadKey {
    /// Makes a key.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self(KeyPair::generate_for(&PKCS_ED25519)?))
    }

    /// A PEM signing request without subject, names and attributes: the
    /// authority takes the identity from the request around it.
    ///
    /// # Errors
    /// Signing failed.
    pub fn signing_request(&self) -> Result<String, KeyError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(&self.0)?.pem()?)
    }

    /// The public key as DER `SubjectPublicKeyInfo`.
    pub fn public_key(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    /// The private key, for the SVID.
    pub fn into_private_key(self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }
}

impl std::fmt::Debug for WorkloadKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WorkloadKey")
    }
}
