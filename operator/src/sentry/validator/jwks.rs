//! A token of an issuer that is trusted by its keys proves who the caller is:
//! the token's subject is the very SPIFFE id that is asked for. Checks and
//! texts mirror Dapr 1.18 pkg/sentry/server/validator/jwks.

mod cache;
mod key_set;
mod remote;
mod source;
mod token;

use api::sentry::v1::SignCertificateRequest;
use lifecycle::health::Target;
use security::{SpiffeId, SpiffeIdError, TrustDomain};

use self::cache::Cache;
use self::token::{Invalid, Token};
use super::is_control_plane;

pub(in crate::sentry) use key_set::KeySet;
pub(in crate::sentry) use remote::{Remote, Roots};
pub(in crate::sentry) use source::Source;

/// Believes tokens signed with a key of the set.
pub(in crate::sentry) struct Jwks {
    cache: Cache,
    /// Ours: tokens for others are not believed.
    audience: SpiffeId,
}

/// Why the caller is not believed.
#[derive(Debug, thiserror::Error)]
pub(in crate::sentry) enum Refusal {
    #[error("the request does not contain a token")]
    NoToken,
    #[error("control plane identity '{0}' is not issued for the token of an app")]
    ControlPlane(String),
    #[error("invalid request: {0}")]
    Subject(#[from] SpiffeIdError),
    #[error("the source of the keys of token validator jwks has not answered yet")]
    NoAnswer,
    #[error("token validation failed: {0}")]
    Token(#[from] Invalid),
}

// === impl Jwks ===

impl Jwks {
    /// `audience` is the id of this sentry; `loaded` becomes ready with the
    /// first keys.
    pub(in crate::sentry) fn start(source: Source, audience: SpiffeId, loaded: Target) -> Self {
        Self {
            cache: Cache::start(source, loaded),
            audience,
        }
    }

    /// Differs from Dapr: ids of the control plane are refused, as the
    /// insecure validator does. Only pods of the control plane and sentry
    /// itself hold them.
    pub(super) async fn validate(
        &self,
        request: &SignCertificateRequest,
        trust_domain: TrustDomain,
    ) -> Result<TrustDomain, Refusal> {
        if request.token.is_empty() {
            return Err(Refusal::NoToken);
        }
        if is_control_plane(&request.id) {
            return Err(Refusal::ControlPlane(request.id.clone()));
        }
        let subject = SpiffeId::workload(&trust_domain, &request.namespace, &request.id)?;
        let token = Token::parse(&request.token)?;
        let keys = self.cache.keys_for(token.key_id()).await;
        let keys = keys.ok_or(Refusal::NoAnswer)?;
        token.verify(&keys, &self.audience, &subject)?;
        Ok(trust_domain)
    }
}

// === impl Refusal ===

impl Refusal {
    /// The source of the keys has not answered: asking again may help.
    pub(super) const fn is_undecided(&self) -> bool {
        matches!(self, Self::NoAnswer)
    }
}

#[cfg(test)]
mod tests;
