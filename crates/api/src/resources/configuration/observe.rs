//! Traces, metrics, logs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::resources::common::NameValue;

/// Which calls are traced, and where the spans go.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracing {
    /// Share of calls that start a recorded trace, from `0` to `1`.
    pub sampling_rate: String,
    /// Whether spans are written to standard output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<bool>,
    /// Send spans to a Zipkin server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zipkin: Option<Zipkin>,
    /// Send spans to an OpenTelemetry collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otel: Option<Otel>,
}

/// A Zipkin server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Zipkin {
    /// URL that takes the spans.
    pub endpoint_address: String,
}

/// An OpenTelemetry collector.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Otel {
    /// `grpc` or `http`.
    pub protocol: String,
    /// Host and port of the collector.
    pub endpoint_address: String,
    /// Whether to use TLS.
    pub is_secure: bool,
    /// Headers of every export.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<NameValue>,
    /// Longest time of one export, as a duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

/// What is counted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Whether anything is counted.
    pub enabled: bool,
    /// Whether errors are counted by their code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_error_codes: Option<bool>,
    /// Metrics of HTTP calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<MetricHttp>,
    /// Rewrites of label values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<MetricRule>,
    /// Bounds of latency histograms, milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency_distribution_buckets: Vec<i64>,
    /// Metrics of workflows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<MetricWorkflow>,
}

/// Metrics of HTTP calls.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricHttp {
    /// Whether paths are labels, at the price of many series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub increased_cardinality: Option<bool>,
    /// Paths to tell apart, with `{parameters}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path_matching: Vec<String>,
    /// Whether verbs are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_verbs: Option<bool>,
}

/// Rewrites of one metric's labels.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct MetricRule {
    /// Name of the metric.
    pub name: String,
    /// Its labels.
    pub labels: Vec<MetricLabel>,
}

/// Rewrites of one label.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct MetricLabel {
    /// Name of the label.
    pub name: String,
    /// New values, each with the pattern of what it replaces.
    pub regex: BTreeMap<String, String>,
}

/// Metrics of workflows.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricWorkflow {
    /// Bounds of the histograms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency_distribution_buckets: Vec<i64>,
    /// Unit of the bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_distribution_units: Option<String>,
}

/// What is logged.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Logging {
    /// Calls of the sidecar's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_logging: Option<ApiLogging>,
}

/// Log lines about calls of the sidecar's API.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiLogging {
    /// Whether calls are logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether the pattern of a path is logged instead of the path.
    #[serde(rename = "obfuscateURLs", skip_serializing_if = "Option::is_none")]
    pub obfuscate_urls: Option<bool>,
    /// Whether health checks are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omit_health_checks: Option<bool>,
}
