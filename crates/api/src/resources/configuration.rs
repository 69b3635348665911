//! Configuration: what a sidecar, or the control plane, is told at start.

mod access;
mod observe;
mod pipeline;
mod workflow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{kind, schema};

pub use access::{
    AccessControl, Api, ApiRule, AppPolicy, Mtls, Operation, SecretScope, Secrets, TokenValidator,
};
pub use observe::{
    ApiLogging, Logging, Metric, MetricHttp, MetricLabel, MetricRule, MetricWorkflow, Otel,
    Tracing, Zipkin,
};
pub use pipeline::{Handler, Pipeline, Selector, SelectorField};
pub use workflow::{ConcurrencyLimit, RetentionPolicy, Workflow};

/// Settings of the sidecars that name this object, or of the control plane.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
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
    /// The settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<ConfigurationSpec>,
}

kind!(Configuration, "v1alpha1", "Configuration", "configurations");

/// Body of a [`Configuration`].
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationSpec {
    /// Which calls are traced, and where the spans go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
    /// What is counted.
    // `metrics` has no default of its own: it wins over this one, so a default
    // there would undo what a user wrote here. Differs from Dapr.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = { "enabled": true }))]
    pub metric: Option<Metric>,
    /// What is counted; each member set here replaces that of `metric`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metric>,
    /// Handlers of requests from the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_pipeline: Option<Pipeline>,
    /// Handlers of requests to the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_http_pipeline: Option<Pipeline>,
    /// Certificates; read by the control plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtls: Option<Mtls>,
    /// Which callers may call what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_control: Option<AccessControl>,
    /// How app ids become addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_resolution: Option<NameResolution>,
    /// Features to switch on or off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
    /// Which parts of the sidecar's API the app may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// What is logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// Which components may be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<Components>,
    /// Which secrets the app may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Secrets>,
    /// WebAssembly modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasm: Option<Wasm>,
    /// Workflow limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Workflow>,
}

/// How app ids become addresses.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct NameResolution {
    /// Name of the resolver, for example `kubernetes`, `mdns` or `sqlite`.
    pub component: String,
    /// Version of the resolver, for example `v1`.
    pub version: String,
    /// Settings of the resolver.
    #[schemars(schema_with = "schema::any_object")]
    pub configuration: Value,
}

/// A feature that is on or off.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Feature {
    /// Name of the feature.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
}

/// Which components may be loaded.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Components {
    /// Types that are not loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// WebAssembly modules.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wasm {
    /// Whether modules go without the clock and randomness of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_sandbox: Option<bool>,
}
