//! Who may do what: access control, certificates, API rules, secrets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::resources::schema;

/// Which callers may call what.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessControl {
    /// `allow` or `deny`, for callers without a policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_action: Option<String>,
    /// Trust domain of the app that uses this configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// One policy per caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<AppPolicy>,
}

/// What one caller may call.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppPolicy {
    /// App id of the caller.
    pub app_id: String,
    /// `allow` or `deny`, for operations that are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_action: Option<String>,
    /// Trust domain of the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// Namespace of the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Operations with an action of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
}

/// What happens to calls of one path.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Path or gRPC method; may contain `*`.
    pub name: String,
    /// Verbs meant, `*` for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http_verb: Vec<String>,
    /// `allow` or `deny`.
    pub action: String,
}

/// Certificates; read by the control plane.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mtls {
    /// Whether sidecars talk to each other over mTLS.
    pub enabled: bool,
    /// Host and port of the certificate authority.
    pub sentry_address: String,
    /// Trust domain of the control plane.
    pub control_plane_trust_domain: String,
    /// Lifetime of a sidecar's certificate, as a duration.
    #[serde(rename = "workloadCertTTL", skip_serializing_if = "Option::is_none")]
    pub workload_cert_ttl: Option<String>,
    /// How far clocks may be apart, as a duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_clock_skew: Option<String>,
    /// Further ways to prove who asks for a certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_validators: Vec<TokenValidator>,
}

/// A way to prove who asks for a certificate.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TokenValidator {
    /// Name of the validator.
    #[schemars(extend("enum" = ["jwks"]))]
    pub name: String,
    /// Settings of the validator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub options: Option<Value>,
}

/// Which parts of the sidecar's API the app may use.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Api {
    /// Allowed parts; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<ApiRule>,
    /// Refused parts, also when allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<ApiRule>,
}

/// A part of the sidecar's API.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ApiRule {
    /// Name of the part, for example `invoke`.
    pub name: String,
    /// Version of the part, for example `v1.0` over HTTP or `v1` over gRPC.
    pub version: String,
    /// `http` or `grpc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// Which secrets the app may read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Secrets {
    /// One entry per secret store.
    pub scopes: Vec<SecretScope>,
}

/// Which secrets of one store the app may read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretScope {
    /// Name of the store.
    pub store_name: String,
    /// `allow` or `deny`, for secrets that are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_access: Option<String>,
    /// Secrets the app may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_secrets: Vec<String>,
    /// Secrets the app may not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_secrets: Vec<String>,
}
