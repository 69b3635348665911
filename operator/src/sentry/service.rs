//! `SignCertificate`: validator, then the signing request, then the signature.
//! Order, codes and messages mirror Dapr 1.18 pkg/sentry/server/server.go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use api::sentry::v1::ca_server::Ca;
use api::sentry::v1::{SignCertificateRequest, SignCertificateResponse};
use arc_swap::ArcSwap;
use prost_types::Timestamp;
use security::{SpiffeId, pem};
use tonic::{Request, Response, Status, async_trait};

use super::SCOPE;
use super::ca::{Authority, Issued, SignError, Subject};
use super::csr;
use super::metrics::Metrics;
use super::validator::{Refusal, Validators, Verdict};

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Service {
    /// Replaced when the files change.
    pub(super) authority: Arc<ArcSwap<Authority>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) validators: Validators,
}

#[async_trait]
impl Ca for Service {
    async fn sign_certificate(
        &self,
        request: Request<SignCertificateRequest>,
    ) -> Result<Response<SignCertificateResponse>, Status> {
        let request = request.into_inner();
        let (id, namespace) = (&request.id, &request.namespace);
        self.metrics.received.increment();
        match self.sign(&request).await {
            Ok(answer) => {
                self.metrics.signed.increment();
                tracing::debug!(target: SCOPE, id, namespace, "signed certificate");
                Ok(Response::new(answer))
            }
            Err(status) => {
                let (code, reason) = (status.code(), status.message());
                tracing::warn!(target: SCOPE, id, namespace, ?code, reason, "refused to sign certificate");
                Err(status)
            }
        }
    }
}

impl Service {
    async fn sign(
        &self,
        request: &SignCertificateRequest,
    ) -> Result<SignCertificateResponse, Status> {
        let invalid = |error: &dyn std::fmt::Display| Status::invalid_argument(error.to_string());
        let validator = self
            .validators
            .choose(request.token_validator)
            .map_err(|error| invalid(&error))?;
        let Verdict {
            trust_domain,
            dns_names,
            images,
        } = validator
            .validate(request)
            .await
            .map_err(|refusal| refused(&refusal))?;
        let public_key = csr::public_key(&request.certificate_signing_request)
            .map_err(|error| invalid(&error))?;
        let authority = self.authority.load();
        let id = SpiffeId::workload(&trust_domain, &request.namespace, &request.id)
            .map_err(|error| self.signing_failed(&error))?;
        let subject = Subject {
            id,
            dns_names,
            images,
        };
        let Issued { chain, not_after } =
            authority
                .sign(&public_key, &subject)
                .map_err(|error| match error {
                    // Nothing the caller can do, but its user reads this first.
                    SignError::IssuerExpired => {
                        self.signing_failed(&error);
                        Status::internal(format!("failed to sign certificate: {error}"))
                    }
                    error => self.signing_failed(&error),
                })?;
        Ok(SignCertificateResponse {
            workload_certificate: pem::encode_certificates(&chain).into(),
            trust_chain_certificates: vec![authority.trust_anchors().pem().to_owned().into()],
            valid_until: Some(timestamp(not_after)),
            jwt: None,
            per_audience_jwts: HashMap::default(),
        })
    }

    /// The caller learns that it failed, the log learns why.
    fn signing_failed(&self, error: &dyn std::fmt::Display) -> Status {
        self.metrics.failed.increment();
        tracing::error!(target: SCOPE, "failed to sign certificate: {error}");
        Status::internal("failed to sign certificate")
    }
}

/// Differs from Dapr: a caller about whom the API server or the source of keys
/// could not be asked is told to try again, instead of being denied.
fn refused(refusal: &Refusal) -> Status {
    let text = refusal.to_string();
    if refusal.is_undecided() {
        Status::unavailable(text)
    } else {
        Status::permission_denied(text)
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    Timestamp {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: 0,
    }
}
