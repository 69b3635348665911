//! The private key of one certificate request: made anew for every request,
//! never reused, never written to disk.

use rcgen::{
    CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
    PublicKeyData as _,
};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A fresh private key.
pub struct WorkloadKey(KeyPair);

/// Algorithm of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// What peers present to each other.
    #[default]
    Ed25519,
    /// For servers that API servers call: not all of them take Ed25519.
    EcdsaP256,
}

/// The key or its request could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to create key and signing request: {0}")]
pub struct KeyError(#[from] rcgen::Error);

impl WorkloadKey {
    /// Makes a key of the given kind.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let algorithm = match kind {
            KeyKind::Ed25519 => &PKCS_ED25519,
            KeyKind::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
        };
        Ok(Self(KeyPair::generate_for(algorithm)?))
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
