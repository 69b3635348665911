//! Trust anchors: the roots that peers' certificates must lead to.
//! Read from `DAPR_TRUST_ANCHORS`, from `ca.crt`, or from an answer of sentry.

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::pem;

/// A cheap-clone, immutable set of roots.
#[derive(Clone)]
pub struct TrustAnchors {
    inner: Arc<Inner>,
}

/// Why a bundle cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustAnchorsError {
    /// Not a single certificate in the bundle.
    #[error("trust anchors are required")]
    Missing,
    /// A PEM block is damaged.
    #[error("failed to decode trust anchors: {0}")]
    Pem(rustls_pki_types::pem::Error),
    /// A certificate is damaged.
    #[error("failed to parse trust anchor number {number}: {reason}")]
    Certificate {
        /// Position in the bundle, from 1.
        number: usize,
        /// What the parser said.
        reason: String,
    },
}

struct Inner {
    pem: String,
    certificates: Vec<CertificateDer<'static>>,
    /// Same order as `validity`.
    anchors: Vec<TrustAnchor<'static>>,
    validity: Vec<Validity>,
}

/// Seconds since the epoch. Web-PKI does not look at the validity of anchors,
/// Go peers do; so do we.
#[derive(Clone, Copy)]
struct Validity {
    not_before: i64,
    not_after: i64,
}

// === impl TrustAnchors ===

impl TrustAnchors {
    /// Reads a PEM bundle; blocks that are not certificates are skipped.
    ///
    /// # Errors
    /// No certificate, or a damaged one.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TrustAnchorsError> {
        Self::from_certificates(pem::certificates(pem).map_err(TrustAnchorsError::Pem)?)
    }

    /// From certificates already decoded.
    ///
    /// # Errors
    /// No certificate, or a damaged one.
    pub fn from_certificates(
        certificates: Vec<CertificateDer<'static>>,
    ) -> Result<Self, TrustAnchorsError> {
        if certificates.is_empty() {
            return Err(TrustAnchorsError::Missing);
        }
        let mut anchors = Vec::with_capacity(certificates.len());
        let mut validity = Vec::with_capacity(certificates.len());
        for (index, der) in certificates.iter().enumerate() {
            let damaged = |reason: String| TrustAnchorsError::Certificate {
                number: index + 1,
                reason,
            };
            let anchor = webpki::anchor_from_trusted_cert(der)
                .map_err(|error| damaged(error.to_string()))?;
            anchors.push(anchor.to_owned());
            validity.push(Validity::of(der).map_err(damaged)?);
        }
        let pem = pem::encode_certificates(&certificates);
        Ok(Self {
            inner: Arc::new(Inner {
                pem,
                certificates,
                anchors,
                validity,
            }),
        })
    }

    /// These anchors and those of `other` that are not among them.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut certificates = self.inner.certificates.clone();
        for certificate in &other.inner.certificates {
            if !certificates.contains(certificate) {
                certificates.push(certificate.clone());
            }
        }
        if certificates.len() == self.inner.certificates.len() {
            return self.clone();
        }
        // Both parts parsed before, so their union does.
        Self::from_certificates(certificates).unwrap_or_else(|_| self.clone())
    }

    /// The certificates as PEM, without foreign blocks and comments.
    pub fn pem(&self) -> &str {
        &self.inner.pem
    }

    /// The certificates themselves.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.inner.certificates
    }

    pub(crate) fn as_webpki(&self) -> &[TrustAnchor<'static>] {
        &self.inner.anchors
    }

    /// Whether a root equal to `anchor` is within its own validity. Two roots
    /// may share name and key (a re-issued root); one valid twin is enough.
    pub(crate) fn is_current(&self, anchor: &TrustAnchor<'_>, now: UnixTime) -> bool {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.inner
            .anchors
            .iter()
            .zip(&self.inner.validity)
            .any(|(ours, valid)| {
                ours == anchor && (valid.not_before..=valid.not_after).contains(&now)
            })
    }
}

impl PartialEq for TrustAnchors {
    fn eq(&self, other: &Self) -> bool {
        self.inner.certificates == other.inner.certificates
    }
}

impl std::fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustAnchors")
            .field("certificates", &self.inner.certificates.len())
            .finish()
    }
}

impl Validity {
    fn of(der: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        Ok(Self {
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }
}
