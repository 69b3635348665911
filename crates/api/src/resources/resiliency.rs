//! Resiliency: named timeouts, retries and circuit breakers, and the targets
//! they apply to.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind;

/// What sidecars do when a call is slow or fails.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resiliency {
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
    /// Policies and where they apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<ResiliencySpec>,
    /// App ids of the callers this is for; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

kind!(Resiliency, "v1alpha1", "Resiliency", "resiliencies");

/// Body of a [`Resiliency`].
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ResiliencySpec {
    /// Policies by name.
    pub policies: Policies,
    /// Which policies apply to what.
    pub targets: Targets,
}

/// Policies by the names that targets use.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policies {
    /// Longest time of one attempt, as a duration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timeouts: BTreeMap<String, String>,
    /// When and how often to try again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retries: BTreeMap<String, Retry>,
    /// When to stop calling for a while.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub circuit_breakers: BTreeMap<String, CircuitBreaker>,
}

/// When and how often to try again.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// `constant` (when absent) or `exponential`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Pause of the constant policy, as a duration; 5s when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Longest pause of the exponential policy; 60s when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_interval: Option<String>,
    /// Tries after the first; without end when absent or negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<i64>,
    /// Which failures are tried again; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matching: Option<Matching>,
}

/// Status codes worth another try.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Matching {
    /// HTTP codes and ranges, separated by commas: `429,500-599`.
    #[serde(rename = "httpStatusCodes", skip_serializing_if = "Option::is_none")]
    pub http_status_codes: Option<String>,
    /// gRPC codes and ranges, separated by commas: `4,14`.
    #[serde(rename = "gRPCStatusCodes", skip_serializing_if = "Option::is_none")]
    pub grpc_status_codes: Option<String>,
}

/// When to stop calling for a while.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CircuitBreaker {
    /// Calls let through while half open; one when absent or zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_requests: Option<i64>,
    /// How often the counts of a closed breaker start again, as a duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// How long the breaker stays open, as a duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Condition that opens it, for example `consecutiveFailures > 5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trip: Option<String>,
}

/// Which policies apply to what.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Targets {
    /// By app id of the callee.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<String, AppTarget>,
    /// By actor type; stored, not used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub actors: BTreeMap<String, ActorTarget>,
    /// By component name; stored, not used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, ComponentTarget>,
}

/// Policies of calls to one app.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppTarget {
    /// Name of a timeout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Name of a retry policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// Name of a circuit breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<String>,
    /// How many breakers are kept for the app's replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker_cache_size: Option<i64>,
}

/// Policies of calls to one type of actor.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorTarget {
    /// Name of a timeout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Name of a retry policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// Name of a circuit breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<String>,
    /// What shares one breaker: `type`, `id` or `both`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker_scope: Option<String>,
    /// How many breakers are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker_cache_size: Option<i64>,
}

/// Policies of one component, by direction.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ComponentTarget {
    /// From the component to the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound: Option<PolicyNames>,
    /// From the app to the component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound: Option<PolicyNames>,
}

/// Names of the policies that apply.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyNames {
    /// Name of a timeout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Name of a retry policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// Name of a circuit breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<String>,
}
