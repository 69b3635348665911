//! Who a caller may claim to be. Self-hosted there is nothing to prove an app
//! id with, so the insecure validator takes the caller's word, within limits.
//! Texts mirror Dapr 1.18 pkg/sentry/server/validator.

use api::sentry::v1::SignCertificateRequest;
use api::sentry::v1::sign_certificate_request::TokenValidator;
use security::{SpiffeIdError, TrustDomain};

/// Longest app id, as in a DNS label plus one.
const MAX_APP_ID: usize = 64;

/// Ids of control-plane services. Whoever holds one can speak for the control
/// plane, so none is given to a caller that proves nothing.
const CONTROL_PLANE: [&str; 5] = [
    "dapr-operator",
    "dapr-placement",
    "dapr-injector",
    "dapr-sentry",
    "dapr-scheduler",
];

/// A validator that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the requested validator is not enabled")]
pub(super) struct NotEnabled;

/// Why the caller is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("invalid request: {0}")]
    Invalid(String),
    #[error(transparent)]
    TrustDomain(#[from] SpiffeIdError),
    #[error("control plane identity '{0}' is not issued to a caller without a token")]
    ControlPlane(String),
    #[error("trust domain '{0}' is not issued to a caller without a token")]
    ForeignTrustDomain(TrustDomain),
}

/// The validator for a request. Standalone has one, which is also the default.
pub(super) fn choose(requested: i32) -> Result<(), NotEnabled> {
    match TokenValidator::try_from(requested) {
        Ok(TokenValidator::Unknown | TokenValidator::Insecure) => Ok(()),
        _ => Err(NotEnabled),
    }
}

/// Checks the request and says in which trust domain it is answered.
///
/// Differs from Dapr: a control-plane id or another trust domain than `public`
/// is refused, since anybody who reaches the port could ask for it.
pub(super) fn insecure(request: &SignCertificateRequest) -> Result<TrustDomain, Refusal> {
    let trust_domain = common(request)?;
    if CONTROL_PLANE.contains(&request.id.as_str()) {
        return Err(Refusal::ControlPlane(request.id.clone()));
    }
    if trust_domain != TrustDomain::public() {
        return Err(Refusal::ForeignTrustDomain(trust_domain));
    }
    Ok(trust_domain)
}

/// What every validator asks for first.
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
mod tests {
    use super::*;

    fn request() -> SignCertificateRequest {
        SignCertificateRequest {
            id: "app".into(),
            namespace: "default".into(),
            certificate_signing_request: "csr".into(),
            ..SignCertificateRequest::default()
        }
    }

    #[test]
    fn only_the_insecure_validator_is_enabled() {
        for requested in [0, 1] {
            assert_eq!(choose(requested), Ok(()));
        }
        for requested in [2, 3, 4, -1, i32::MAX] {
            assert_eq!(choose(requested), Err(NotEnabled));
        }
    }

    #[test]
    fn an_app_gets_the_public_trust_domain() {
        for trust_domain in ["", "public", "spiffe://public"] {
            let request = SignCertificateRequest {
                trust_domain: trust_domain.into(),
                ..request()
            };
            assert_eq!(insecure(&request), Ok(TrustDomain::public()));
        }
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        type Change = fn(&mut SignCertificateRequest);
        let rows: [(Change, &str); 9] = [
            (
                |r| r.id.clear(),
                "invalid request: parameter app-id cannot be empty",
            ),
            (
                |r| r.id = "a.b".into(),
                "invalid request: parameter app-id cannot contain dots",
            ),
            (
                |r| r.id = "a".repeat(65),
                "invalid request: app ID must be 64 characters or less",
            ),
            (
                |r| r.certificate_signing_request.clear(),
                "invalid request: CSR is required",
            ),
            (
                |r| r.namespace.clear(),
                "invalid request: namespace is required",
            ),
            (
                |r| {
                    r.id.clear();
                    r.namespace.clear();
                },
                "invalid request: parameter app-id cannot be empty\nnamespace is required",
            ),
            (
                |r| r.trust_domain = "Foo".into(),
                "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores",
            ),
            (
                |r| r.trust_domain = "foo".into(),
                "trust domain 'foo' is not issued to a caller without a token",
            ),
            (
                |r| r.id = "dapr-sentry".into(),
                "control plane identity 'dapr-sentry' is not issued to a caller without a token",
            ),
        ];
        for (change, text) in rows {
            let mut request = request();
            change(&mut request);
            assert_eq!(insecure(&request).unwrap_err().to_string(), text);
        }
    }
}
