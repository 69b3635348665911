//! The fields of Kubernetes objects that sentry looks at. Everything else is
//! dropped while an answer is read.

use serde::Deserialize;

/// Something with a name.
pub(in crate::sentry) trait Named {
    fn metadata(&self) -> &Metadata;
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::sentry) struct Metadata {
    pub(in crate::sentry) name: String,
    pub(in crate::sentry) namespace: String,
    pub(in crate::sentry) annotations: Option<Annotations>,
}

/// Those that say who a pod is.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::sentry) struct Annotations {
    #[serde(rename = "dapr.io/app-id")]
    pub(in crate::sentry) app_id: Option<String>,
    /// Older name of the app id.
    #[serde(rename = "dapr.io/id")]
    pub(in crate::sentry) id: Option<String>,
    #[serde(rename = "dapr.io/control-plane")]
    pub(in crate::sentry) control_plane: Option<String>,
    #[serde(rename = "dapr.io/config")]
    pub(in crate::sentry) config: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::sentry) struct Pod {
    pub(in crate::sentry) metadata: Metadata,
    pub(in crate::sentry) spec: PodSpec,
    pub(in crate::sentry) status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::sentry) struct PodSpec {
    pub(in crate::sentry) service_account_name: String,
    pub(in crate::sentry) init_containers: Vec<Container>,
    pub(in crate::sentry) containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::sentry) struct Container {
    pub(in crate::sentry) name: String,
    pub(in crate::sentry) image: String,
    pub(in crate::sentry) restart_policy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::sentry) struct PodStatus {
    pub(in crate::sentry) init_container_statuses: Vec<ContainerStatus>,
    pub(in crate::sentry) container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::sentry) struct ContainerStatus {
    pub(in crate::sentry) name: String,
    #[serde(rename = "imageID")]
    pub(in crate::sentry) image_id: String,
}

/// A Configuration, for the trust domain of an app.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::sentry) struct ConfigurationObject {
    metadata: Metadata,
    spec: ConfigurationSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ConfigurationSpec {
    access_control: Option<AccessControl>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AccessControl {
    trust_domain: Option<String>,
}

/// The answer to a review.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::sentry) struct TokenReview {
    pub(in crate::sentry) status: TokenReviewStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::sentry) struct TokenReviewStatus {
    pub(in crate::sentry) authenticated: bool,
    pub(in crate::sentry) error: String,
    pub(in crate::sentry) user: User,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::sentry) struct User {
    pub(in crate::sentry) username: String,
}

impl ConfigurationObject {
    /// Empty where none is set.
    pub(in crate::sentry) fn trust_domain(&self) -> &str {
        self.spec
            .access_control
            .as_ref()
            .and_then(|access| access.trust_domain.as_deref())
            .unwrap_or_default()
    }
}

impl Named for Pod {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl Named for ConfigurationObject {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
