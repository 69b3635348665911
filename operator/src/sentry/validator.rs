//! Who a caller may claim to be. In a cluster a token proves which pod asks;
//! self-hosted there is nothing to prove an app id with, so the insecure
//! validator takes the caller's word, within limits. Order and texts mirror
//! Dapr 1.18 pkg/sentry/server/validator.

mod insecure;
mod kubernetes;

use std::sync::Arc;

use api::sentry::v1::SignCertificateRequest;
use api::sentry::v1::sign_certificate_request::TokenValidator;
use security::{SpiffeIdError, TrustDomain};

pub(super) use kubernetes::Kubernetes;

/// Longest app id, as in a DNS label plus one.
const MAX_APP_ID: usize = 64;

/// How callers are told apart; cheap to clone.
#[derive(Clone)]
pub(super) enum Validator {
    /// Self-hosted.
    Insecure,
    /// In a cluster.
    Kubernetes(Arc<Kubernetes>),
}

/// What is known about a caller that is believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) trust_domain: TrustDomain,
    /// Names of Services, for control-plane services.
    pub(super) dns_names: Vec<String>,
    /// Images of the pod as JSON.
    pub(super) images: Option<Vec<u8>>,
}

/// A validator that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the requested validator is not enabled")]
pub(super) struct NotEnabled;

/// Why the caller is not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("invalid request: {0}")]
    Invalid(String),
    #[error(transparent)]
    TrustDomain(#[from] SpiffeIdError),
    #[error("control plane identity '{0}' is not issued to a caller without a token")]
    ControlPlane(String),
    #[error("trust domain '{0}' is not issued to a caller without a token")]
    ForeignTrustDomain(TrustDomain),
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::Refusal),
}

// === impl Validator ===

impl Validator {
    /// Whether the validator a request names is this one, which is also the
    /// default.
    pub(super) fn choose(&self, requested: i32) -> Result<(), NotEnabled> {
        match (TokenValidator::try_from(requested), self) {
            (Ok(TokenValidator::Unknown), _)
            | (Ok(TokenValidator::Insecure), Self::Insecure)
            | (Ok(TokenValidator::Kubernetes), Self::Kubernetes(_)) => Ok(()),
            _ => Err(NotEnabled),
        }
    }

    /// Whether the caller is who it says.
    pub(super) async fn validate(
        &self,
        request: &SignCertificateRequest,
    ) -> Result<Verdict, Refusal> {
        let trust_domain = common(request)?;
        match self {
            Self::Insecure => Ok(insecure::validate(request, trust_domain)?.into()),
            Self::Kubernetes(kubernetes) => Ok(kubernetes.validate(request).await?),
        }
    }
}

// === impl Verdict ===

impl From<TrustDomain> for Verdict {
    fn from(trust_domain: TrustDomain) -> Self {
        Self {
            trust_domain,
            dns_names: Vec::new(),
            images: None,
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// Nobody decided: asking again may help.
    pub(super) const fn is_undecided(&self) -> bool {
        match self {
            Self::Kubernetes(refusal) => refusal.is_undecided(),
            _ => false,
        }
    }
}

/// What every validator asks for first; answers the trust domain asked for.
fn common(request: &SignCertificateRequest) -> Result<TrustDomain, Refusal> {
    let mut errors = Vec::new();
    if request.id.is_empty() {
        errors.push("parameter app-id cannot be empty");
    }
    if request.id.contains('.') {
        errors.push("parameter app-id cannot contain dots");
    }
    if request.id.len() > MAX_APP_ID {
        errors.push("app ID must be 64 characters or less");
    }
    if request.certificate_signing_request.is_empty() {
        errors.push("CSR is required");
    }
    if request.namespace.is_empty() {
        errors.push("namespace is required");
    }
    if !errors.is_empty() {
        return Err(Refusal::Invalid(errors.join("\n")));
    }
    if request.trust_domain.is_empty() {
        return Ok(TrustDomain::public());
    }
    Ok(request.trust_domain.parse()?)
}

#[cfg(test)]
mod tests;
