//! Self-hosted: whoever reaches the port is believed.

use api::sentry::v1::SignCertificateRequest;
use security::TrustDomain;

use super::Refusal;

/// Ids of control-plane services. Whoever holds one can speak for the control
/// plane, so none is given to a caller that proves nothing.
const CONTROL_PLANE: [&str; 5] = [
    "dapr-operator",
    "dapr-placement",
    "dapr-injector",
    "dapr-sentry",
    "dapr-scheduler",
];

/// Differs from Dapr: a control-plane id or another trust domain than `public`
/// is refused, since anybody who reaches the port could ask for it.
pub(super) fn validate(
    request: &SignCertificateRequest,
    trust_domain: TrustDomain,
) -> Result<TrustDomain, Refusal> {
    if CONTROL_PLANE.contains(&request.id.as_str()) {
        return Err(Refusal::ControlPlane(request.id.clone()));
    }
    if trust_domain != TrustDomain::public() {
        return Err(Refusal::ForeignTrustDomain(trust_domain));
    }
    Ok(trust_domain)
}
