//! What a SPIFFE leaf certificate must look like, beyond its chain: exactly one
//! URI name, a SPIFFE id; not a CA; not allowed to sign certificates or CRLs.
//! Mirrors go-spiffe `svid/x509svid/verify.go`.

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::spiffe::{SpiffeId, SpiffeIdError};

/// Why a certificate cannot name a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// Not X.509.
    #[error("certificate does not parse: {0}")]
    Parse(String),
    /// None or several URI names.
    #[error("certificate must carry exactly one URI SAN, it has {0}")]
    UriNames(usize),
    /// The URI name is no SPIFFE id.
    #[error("certificate URI SAN is not a SPIFFE id: {0}")]
    SpiffeId(#[from] SpiffeIdError),
    /// A CA shown as a leaf.
    #[error("leaf certificate must not be a CA")]
    Authority,
    /// Key usage of a CA.
    #[error("leaf certificate must not be allowed to sign certificates or CRLs")]
    SigningUsage,
}

/// What we read from a leaf.
pub(crate) struct Leaf {
    pub(crate) id: SpiffeId,
    /// Seconds since the epoch.
    pub(crate) not_after: i64,
}

/// Reads and checks a leaf; its chain is checked elsewhere.
pub(crate) fn inspect(der: &[u8]) -> Result<Leaf, LeafError> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|error| LeafError::Parse(error.to_string()))?;
    let parse = |error: x509_parser::error::X509Error| LeafError::Parse(error.to_string());
    if certificate
        .basic_constraints()
        .map_err(parse)?
        .is_some_and(|constraints| constraints.value.ca)
    {
        return Err(LeafError::Authority);
    }
    if certificate
        .key_usage()
        .map_err(parse)?
        .is_some_and(|usage| usage.value.key_cert_sign() || usage.value.crl_sign())
    {
        return Err(LeafError::SigningUsage);
    }
    let names = certificate.subject_alternative_name().map_err(parse)?;
    let mut uris = names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
    let id = match (uris.next(), uris.count()) {
        (Some(uri), 0) => uri.parse()?,
        (first, more) => return Err(LeafError::UriNames(usize::from(first.is_some()) + more)),
    };
    Ok(Leaf {
        id,
        not_after: certificate.validity().not_after.timestamp(),
    })
}
