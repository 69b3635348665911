//! Something signed: certificates and signing requests have the same outer
//! form. Signatures are checked with the TLS provider's algorithms, so what is
//! accepted here is what peers accept in a handshake.

use rustls_pki_types::SubjectPublicKeyInfoDer;
use security::crypto_provider;

use super::der;

/// The three parts of a signed structure.
pub(super) struct Signed<'a> {
    message: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes a certificate or a signing request apart.
    pub(super) fn parse(input: &'a [u8]) -> Option<Self> {
        let (outer, rest) = der::read(input)?;
        let (message, inner) = der::read(outer.content)?;
        let (algorithm, inner) = der::read(inner)?;
        let (signature, end) = der::read(inner)?;
        (outer.tag == der::SEQUENCE && rest.is_empty() && end.is_empty()).then_some(())?;
        Some(Self {
            message: message.whole,
            algorithm: algorithm.content,
            signature: der::bits(&signature)?,
        })
    }

    /// Whether the owner of the public key made the signature.
    pub(super) fn is_signed_by(&self, key: &SubjectPublicKeyInfoDer<'_>) -> bool {
        let Some((algorithm, key)) = split_key(key) else {
            return false;
        };
        crypto_provider()
            .signature_verification_algorithms
            .all
            .iter()
            .filter(|candidate| {
                candidate.public_key_alg_id().as_ref() == algorithm
                    && candidate.signature_alg_id().as_ref() == self.algorithm
            })
            .any(|candidate| {
                candidate
                    .verify_signature(key, self.message, self.signature)
                    .is_ok()
            })
    }
}

/// Algorithm and key bits of a `SubjectPublicKeyInfo`.
fn split_key<'a>(key: &'a SubjectPublicKeyInfoDer<'_>) -> Option<(&'a [u8], &'a [u8])> {
    let (outer, _) = der::read(key)?;
    let (algorithm, rest) = der::read(outer.content)?;
    let (bits, _) = der::read(rest)?;
    Some((algorithm.content, der::bits(&bits)?))
}
