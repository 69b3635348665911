//! In a cluster a token proves in which pod the caller runs, and the pod says
//! who it is. Pod and Configuration are read anew for every request: nothing
//! is cached, so nothing is stale, and a pod of this very second is known.
//! Order and texts mirror Dapr 1.18 pkg/sentry/server/validator/kubernetes.

mod images;
mod pod;
mod token;

use api::sentry::v1::SignCertificateRequest;
use security::{SpiffeIdError, TrustDomain};
use tokio::sync::Semaphore;

use self::pod::Expected;
use super::Verdict;
use crate::sentry::SCOPE;
use crate::sentry::cluster::{CallError, Cluster, ConfigurationObject, Kind, Pod};

/// Audience of sidecars before 1.13.
const LEGACY_AUDIENCE: &str = "dapr.io/sentry";
/// Requests that are checked at once; each makes two or three calls of some
/// milliseconds, so a thousand pods that start together pass in about a second
/// without a thousand calls at once.
const CONCURRENCY: usize = 32;

/// Asks the API server.
pub(in crate::sentry) struct Kubernetes {
    cluster: Cluster,
    /// Of the control plane.
    namespace: String,
    trust_domain: TrustDomain,
    audiences: [String; 2],
    permits: Semaphore,
}

/// Why the caller is not believed.
#[derive(Debug, thiserror::Error)]
pub(in crate::sentry) enum Refusal {
    #[error("token review failed: {0}")]
    Review(CallError),
    #[error("invalid token: {0}")]
    Token(String),
    #[error("authentication failed")]
    NotAuthenticated,
    #[error("provided token is not a properly structured service account token")]
    Username,
    #[error("failed to parse Kubernetes token: {0}")]
    Parse(String),
    #[error("kubernetes.io/pod/name claim is missing from Kubernetes token")]
    NoPodClaim,
    /// The reason is in the log.
    #[error("failed to get pod of identity")]
    Pod { undecided: bool },
    #[error("namespace mismatch; received namespace: {0}")]
    Namespace(String),
    #[error("pod service account mismatch")]
    ServiceAccount,
    #[error("control plane service in namespace '{0}' is not allowed")]
    ControlPlaneNamespace(String),
    #[error("unknown control plane service '{0}'")]
    UnknownControlPlane(String),
    #[error("control plane service '{0}' cannot have annotation 'dapr.io/app-id'")]
    ControlPlaneApp(String),
    #[error("app-id mismatch. expected: {expected}, received: {received}")]
    AppId { expected: String, received: String },
    /// The reason is in the log.
    #[error("failed to get configuration")]
    Configuration { undecided: bool },
    #[error("failed to parse trust domain {text:?}: {source}")]
    TrustDomain { text: String, source: SpiffeIdError },
}

// === impl Kubernetes ===

impl Kubernetes {
    /// `namespace` and `trust_domain` are those of the control plane.
    pub(in crate::sentry) fn new(
        cluster: Cluster,
        namespace: String,
        trust_domain: TrustDomain,
    ) -> Self {
        let own = format!("spiffe://{trust_domain}/ns/{namespace}/dapr-sentry");
        Self {
            cluster,
            namespace,
            trust_domain,
            audiences: [LEGACY_AUDIENCE.to_owned(), own],
            permits: Semaphore::new(CONCURRENCY),
        }
    }

    pub(super) async fn validate(
        &self,
        request: &SignCertificateRequest,
    ) -> Result<Verdict, Refusal> {
        // Never closed.
        let _permit = self.permits.acquire().await;
        let review = self
            .cluster
            .review(&request.token, &self.audiences)
            .await
            .map_err(Refusal::Review)?;
        let username = token::reviewed(review)?;
        let account = token::account(&username)?;
        let name = token::pod_name(&request.token)?;
        let pod = self.pod(account.namespace, &name).await?;
        if account.namespace != request.namespace {
            return Err(Refusal::Namespace(request.namespace.clone()));
        }
        if pod.spec.service_account_name != account.name {
            return Err(Refusal::ServiceAccount);
        }
        let expected = pod::expected(&pod.metadata, &self.namespace)?;
        if expected.id() != request.id {
            return Err(Refusal::AppId {
                expected: expected.id().to_owned(),
                received: request.id.clone(),
            });
        }
        let trust_domain = match &expected {
            Expected::ControlPlane(_) => self.trust_domain.clone(),
            Expected::App(_) => self.trust_domain_of(&pod, account.namespace).await?,
        };
        Ok(Verdict {
            trust_domain,
            dns_names: expected.dns_names(&self.namespace),
            images: images::of(&pod),
        })
    }

    async fn pod(&self, namespace: &str, name: &str) -> Result<Pod, Refusal> {
        let found = self.cluster.find(Kind::Pod, namespace, name).await;
        let (undecided, reason) = match found {
            Ok(Some(pod)) => return Ok(pod),
            Ok(None) => (false, "not found".to_owned()),
            Err(error) => (error.is_undecided(), error.to_string()),
        };
        tracing::error!(target: SCOPE, "failed to get pod {namespace}/{name} of identity: {reason}");
        Err(Refusal::Pod { undecided })
    }

    /// What the app's Configuration says.
    async fn trust_domain_of(&self, pod: &Pod, namespace: &str) -> Result<TrustDomain, Refusal> {
        let annotations = pod.metadata.annotations.as_ref();
        // Differs from Dapr: an empty name is no name, as for the sidecar.
        let name = annotations
            .and_then(|annotations| annotations.config.as_deref())
            .filter(|name| !name.is_empty());
        let Some(name) = name else {
            return Ok(TrustDomain::public());
        };
        let found = self
            .cluster
            .find::<ConfigurationObject>(Kind::Configuration, namespace, name)
            .await;
        let (undecided, reason) = match found {
            Ok(Some(configuration)) => return parse(configuration.trust_domain()),
            Ok(None) => (false, "not found".to_owned()),
            Err(error) => (error.is_undecided(), error.to_string()),
        };
        tracing::error!(target: SCOPE, "failed to get configuration {namespace}/{name}: {reason}");
        Err(Refusal::Configuration { undecided })
    }
}

// === impl Refusal ===

impl Refusal {
    /// The API server did not decide: asking again may help.
    pub(super) const fn is_undecided(&self) -> bool {
        match self {
            Self::Review(error) => error.is_undecided(),
            Self::Pod { undecided } | Self::Configuration { undecided } => *undecided,
            _ => false,
        }
    }
}

fn parse(text: &str) -> Result<TrustDomain, Refusal> {
    if text.is_empty() {
        return Ok(TrustDomain::public());
    }
    text.parse().map_err(|source| Refusal::TrustDomain {
        text: text.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
