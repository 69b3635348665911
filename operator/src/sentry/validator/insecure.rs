//! Self-hosted: whoever reaches the port is believed.

use api::sentry::v1::SignCertificateRequest;
use security::TrustDomain;

use super::{Refusal, is_control_plane};

/// Differs from Dapr: a control-plane id or another trust domain than `public`
/// is refused, since anybody who reaches the port could ask for it.
pub(super) fn validate(
    request: &SignCertificateRequest,
    trust_domain: TrustDomain,
) -> Result<TrustDomain, Refusal> {
    if is_control_plane(&request.id) {
        return Err(Refusal::ControlPlane(request.id.clone()));
    }
    if trust_domain != TrustDomain::public() {
        return Err(Refusal::ForeignTrustDomain(trust_domain));
    }
    Ok(trust_domain)
}
