//! Who a caller may claim to be. In a cluster a token proves which pod asks,
//! and a token of a trusted issuer names the caller itself; self-hosted
//! without such an issuer there is nothing to prove an app id with, so the
//! insecure validator takes the caller's word, within limits. Order and texts
//! mirror Dapr 1.18 pkg/sentry/server/validator.

mod insecure;
pub(super) mod jwks;
mod kubernetes;

use std::sync::Arc;

use api::sentry::v1::SignCertificateRequest;
use api::sentry::v1::sign_certificate_request::TokenValidator;
use security::{SpiffeIdError, TrustDomain};

use self::jwks::Jwks;

pub(super) use kubernetes::Kubernetes;

/// Longest app id, as in a DNS label plus one.
const MAX_APP_ID: usize = 64;

/// Ids of control-plane services. Whoever holds one can speak for the control
/// plane, so none is given to a caller that does not run there.
const CONTROL_PLANE: [&str; 5] = [
    "dapr-operator",
    "dapr-placement",
    "dapr-injector",
    "dapr-sentry",
    "dapr-scheduler",
];

/// Those that are enabled; cheap to clone.
#[derive(Clone)]
pub(super) struct Validators {
    /// Judges requests that name none as well.
    default: Option<Validator>,
    /// Judges only requests that name it.
    named: Option<Validator>,
}

/// How callers are told apart; cheap to clone.
#[derive(Clone)]
pub(super) enum Validator {
    /// Self-hosted.
    Insecure,
    /// In a cluster.
    Kubernetes(Arc<Kubernetes>),
    /// Anywhere, by configuration.
    Jwks(Arc<Jwks>),
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

/// A request that no validator judges.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoValidator {
    #[error("a validator name must be specified in this environment")]
    NotNamed,
    #[error("the requested validator is not enabled")]
    NotEnabled,
}

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
    #[error(transparent)]
    Jwks(#[from] jwks::Refusal),
}

// === impl Validators ===

impl Validators {
    /// Self-hosted: keys of an issuer replace the caller's word, which is
    /// never taken beside them.
    pub(super) fn standalone(jwks: Option<Jwks>) -> Self {
        let named = jwks.map(|jwks| Validator::Jwks(Arc::new(jwks)));
        Self {
            default: named.is_none().then_some(Validator::Insecure),
            named,
        }
    }

    /// In a cluster: pods are told apart by their own tokens, keys of an
    /// issuer serve callers elsewhere.
    pub(super) fn kubernetes(kubernetes: Kubernetes, jwks: Option<Jwks>) -> Self {
        Self {
            default: Some(Validator::Kubernetes(Arc::new(kubernetes))),
            named: jwks.map(|jwks| Validator::Jwks(Arc::new(jwks))),
        }
    }

    /// The validator for the one a request names, as a number of the wire.
    pub(super) fn choose(&self, requested: i32) -> Result<&Validator, NoValidator> {
        match TokenValidator::try_from(requested) {
            Ok(TokenValidator::Unknown) => self.default.as_ref().ok_or(NoValidator::NotNamed),
            Ok(requested) => [&self.default, &self.named]
                .into_iter()
                .flatten()
                .find(|validator| validator.name() == requested)
                .ok_or(NoValidator::NotEnabled),
            Err(_) => Err(NoValidator::NotEnabled),
        }
    }
}

// === impl Validator ===

impl Validator {
    const fn name(&self) -> TokenValidator {
        match self {
            Self::Insecure => TokenValidator::Insecure,
            Self::Kubernetes(_) => TokenValidator::Kubernetes,
            Self::Jwks(_) => TokenValidator::Jwks,
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
            Self::Jwks(jwks) => Ok(jwks.validate(request, trust_domain).await?.into()),
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
            Self::Jwks(refusal) => refusal.is_undecided(),
            _ => false,
        }
    }
}

fn is_control_plane(id: &str) -> bool {
    CONTROL_PLANE.contains(&id)
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
