//! An SVID: our certificate chain, its key, and the anchors that came with it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::anchors::TrustAnchors;
use crate::leaf::{self, LeafError};
use crate::provider::crypto_provider;
use crate::spiffe::SpiffeId;

/// One issued identity. Immutable; a renewal makes a new one.
pub struct Svid {
    certified: Arc<CertifiedKey>,
    id: SpiffeId,
    issued_at: SystemTime,
    not_after: SystemTime,
    anchors: TrustAnchors,
}

/// Why chain and key do not make an identity.
#[derive(Debug, thiserror::Error)]
pub enum SvidError {
    /// No certificate in the chain.
    #[error("the certificate chain is empty")]
    EmptyChain,
    /// The leaf is not a SPIFFE leaf.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// The key cannot be used, or belongs to another certificate.
    #[error("the private key does not fit the certificate: {0}")]
    Key(rustls::Error),
}

// === impl Svid ===

impl Svid {
    /// `chain` is leaf first and is presented to peers as it is.
    ///
    /// # Errors
    /// The chain is empty, the leaf is not a SPIFFE leaf, or the key is not the leaf's.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        anchors: TrustAnchors,
    ) -> Result<Self, SvidError> {
        let leaf = leaf::inspect(chain.first().ok_or(SvidError::EmptyChain)?)?;
        let key = crypto_provider()
            .key_provider
            .load_private_key(key)
            .map_err(SvidError::Key)?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(SvidError::Key)?;
        // A leaf from before 1970 is as expired as one of 1970.
        let not_after = Duration::from_secs(u64::try_from(leaf.not_after).unwrap_or(0));
        Ok(Self {
            certified: Arc::new(certified),
            id: leaf.id,
            issued_at: SystemTime::now(),
            not_after: SystemTime::UNIX_EPOCH + not_after,
            anchors,
        })
    }

    /// Who this SVID says we are.
    pub fn spiffe_id(&self) -> &SpiffeId {
        &self.id
    }

    /// End of validity of the leaf.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// When we received it, by our clock.
    pub(crate) fn issued_at(&self) -> SystemTime {
        self.issued_at
    }

    /// Whom we trust.
    pub fn trust_anchors(&self) -> &TrustAnchors {
        &self.anchors
    }

    /// Leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    pub(crate) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }
}

impl std::fmt::Debug for Svid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Svid")
            .field("id", &self.id.as_str())
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}
