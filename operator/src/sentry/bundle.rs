//! The certificate bundle: trust anchors, issuer chain and issuer key, made
//! here or brought by the user.

mod generate;
mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::sign::SigningKey;
use rustls_pki_types::CertificateDer;
use security::TrustAnchors;

pub(super) use generate::{GenerateError, generate};
pub(super) use verify::BundleError;

/// The three files as bytes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Files {
    /// PEM trust anchors.
    pub(super) anchors: Vec<u8>,
    /// PEM issuer chain, issuer first.
    pub(super) certificate: Vec<u8>,
    /// PEM issuer key.
    pub(super) key: Vec<u8>,
}

/// A bundle that is consistent and valid.
pub(super) struct Bundle {
    /// Roots, as answers carry them.
    pub(super) anchors: TrustAnchors,
    /// Issuer first, without a root behind it; never empty.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// The issuer is one of the roots; equal names alone do not make it one.
    pub(super) issuer_is_root: bool,
    /// Key of the issuer.
    pub(super) key: Arc<dyn SigningKey>,
    /// Seconds since the epoch: when the first certificate of the path from
    /// issuer to anchor ends.
    pub(super) not_after: i64,
}

impl Bundle {
    /// Checks the files against each other and against `now`, in seconds since
    /// the epoch.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn verify(files: &Files, now: i64) -> Result<Self, BundleError> {
        verify::verify(files, now)
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle")
            .field("anchors", &self.anchors)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}
