//! Component: stored so that users' manifests apply; sidecars read the HTTP
//! middleware among them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    common::{Auth, NameValue},
    kind,
};

/// A building block that sidecars load, such as an HTTP middleware.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Group and version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub api_version: String,
    /// The kind's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub kind: String,
    /// Name, namespace, labels.
    #[serde(default)]
    #[schemars(skip)]
    pub metadata: ObjectMeta,
    /// What to load and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<ComponentSpec>,
    /// Where secrets named in the metadata are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// App ids that may use this component; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

kind!(Component, "v1alpha1", "Component", "components");

/// Body of a [`Component`].
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentSpec {
    /// Type of the building block, for example `middleware.http.bearer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Version of the type, for example `v1`.
    pub version: String,
    /// Settings of the type.
    pub metadata: Vec<NameValue>,
    /// Whether a sidecar starts although this component does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_errors: Option<bool>,
    /// Longest time its start may take, as a duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_timeout: Option<String>,
}
