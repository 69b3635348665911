//! The Configuration as the sidecar sees it: `spec` with its defaults.
//!
//! Members keep the meaning of the file: `None` is "not said", so that the
//! module that uses a setting applies its own default.

#![allow(
    dead_code,
    reason = "the whole schema is decoded and checked; each consumer reads its own part"
)]

use std::collections::BTreeMap;

use super::decode::object;

/// Features that are on unless a file names them.
const DEFAULT_FEATURES: [&str; 2] = ["HotReload", "WorkflowsRemoteActivityReminder"];

/// `spec` of the Configuration after all files are merged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Configuration {
    pub(crate) tracing: Option<Tracing>,
    /// `metric` with what `metrics` overrides.
    pub(crate) metric: Option<Metrics>,
    /// As written; use [`Self::metric`].
    metrics: Option<Metrics>,
    pub(crate) http_pipeline: Option<Pipeline>,
    pub(crate) app_http_pipeline: Option<Pipeline>,
    pub(crate) mtls: Option<Mtls>,
    pub(crate) access_control: Option<AccessControl>,
    pub(crate) name_resolution: Option<NameResolution>,
    pub(crate) features: Vec<Feature>,
    pub(crate) api: Option<Api>,
    logging: Option<Logging>,
    pub(super) secrets: Option<Secrets>,
}

object!(Configuration {
    "tracing" => tracing,
    "metric" => metric,
    "metrics" => metrics,
    "httpPipeline" => http_pipeline,
    "appHttpPipeline" => app_http_pipeline,
    "mtls" => mtls,
    "accessControl" => access_control,
    "nameResolution" => name_resolution,
    "features" => features,
    "api" => api,
    "logging" => logging,
    "secrets" => secrets,
});

impl Default for Configuration {
    /// What holds without any file.
    fn default() -> Self {
        let mut configuration = Self::unfinished();
        configuration.finish();
        configuration
    }
}

impl Configuration {
    /// The object files are decoded on top of; [`Self::finish`] completes it.
    pub(super) fn unfinished() -> Self {
        Self {
            tracing: None,
            metric: Some(Metrics {
                enabled: Some(true),
                ..Metrics::default()
            }),
            metrics: None,
            http_pipeline: None,
            app_http_pipeline: None,
            mtls: None,
            access_control: Some(AccessControl {
                default_action: "allow".to_owned(),
                trust_domain: "public".to_owned(),
                policies: None,
            }),
            name_resolution: None,
            features: Vec::new(),
            api: None,
            logging: None,
            secrets: None,
        }
    }

    /// Folds `metrics` into `metric` and appends the default features.
    pub(super) fn finish(&mut self) {
        if let Some(newer) = self.metrics.clone() {
            self.metric.get_or_insert_default().fold(newer);
        }
        for name in DEFAULT_FEATURES {
            if !self.features.iter().any(|feature| feature.name == name) {
                self.features.push(Feature {
                    name: name.to_owned(),
                    enabled: true,
                });
            }
        }
    }

    /// Names of the enabled features, in the order they were first enabled.
    pub(crate) fn enabled_features(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for Feature { name, enabled } in self.features.iter().filter(|f| !f.name.is_empty()) {
            names.retain(|known| *enabled || known != name);
            if *enabled && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// Whether the feature is enabled.
    pub(crate) fn feature(&self, name: &str) -> bool {
        self.enabled_features().contains(&name)
    }

    /// `logging.apiLogging`, with everything off when absent.
    pub(crate) fn api_logging(&self) -> ApiLogging {
        let logging = self.logging.as_ref();
        logging
            .and_then(|logging| logging.api_logging.clone())
            .unwrap_or_default()
    }
}

/// Where spans go and how many.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tracing {
    /// A number as text; empty for the default rate.
    pub(crate) sampling_rate: String,
    pub(crate) stdout: bool,
    zipkin: Option<Zipkin>,
    pub(crate) otel: Option<Otel>,
}
object!(Tracing {
    "samplingRate" => sampling_rate,
    "stdout" => stdout,
    "zipkin" => zipkin,
    "otel" => otel,
});

impl Tracing {
    /// URL spans are posted to; empty for none.
    pub(crate) fn zipkin_address(&self) -> &str {
        self.zipkin
            .as_ref()
            .map_or("", |zipkin| &zipkin.endpoint_address)
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Zipkin {
    endpoint_address: String,
}
object!(Zipkin { "endpointAddress" => endpoint_address });

/// An OpenTelemetry collector.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Otel {
    /// `grpc` or `http`.
    pub(crate) protocol: String,
    /// `host:port`.
    pub(crate) endpoint_address: String,
    /// TLS; unset means yes.
    pub(crate) is_secure: Option<bool>,
    /// Objects with `name` and `value`, or text of the form `name=value`.
    pub(crate) headers: Vec<serde_json::Value>,
    /// A Go duration; empty for the exporter's default.
    pub(crate) timeout: String,
}
object!(Otel {
    "protocol" => protocol,
    "endpointAddress" => endpoint_address,
    "isSecure" => is_secure,
    "headers" => headers,
    "timeout" => timeout,
});

/// What is measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) enabled: Option<bool>,
    pub(crate) record_error_codes: Option<bool>,
    pub(crate) http: Option<HttpMetrics>,
    pub(crate) rules: Vec<MetricsRule>,
    /// Milliseconds; empty for the default buckets.
    pub(crate) latency_distribution_buckets: Vec<i64>,
}
object!(Metrics {
    "enabled" => enabled,
    "recordErrorCodes" => record_error_codes,
    "http" => http,
    "rules" => rules,
    "latencyDistributionBuckets" => latency_distribution_buckets,
});

impl Metrics {
    /// Every member that `newer` sets replaces ours; `http` as one block.
    fn fold(&mut self, newer: Self) {
        let Self {
            enabled,
            record_error_codes,
            http,
            rules,
            latency_distribution_buckets,
        } = newer;
        self.enabled = enabled.or(self.enabled);
        self.record_error_codes = record_error_codes.or(self.record_error_codes);
        self.http = http.or_else(|| self.http.take());
        if !rules.is_empty() {
            self.rules = rules;
        }
        if !latency_distribution_buckets.is_empty() {
            self.latency_distribution_buckets = latency_distribution_buckets;
        }
    }
}

/// Labels of the HTTP metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct HttpMetrics {
    /// Unset means yes.
    pub(crate) increased_cardinality: Option<bool>,
    pub(crate) path_matching: Vec<String>,
    pub(crate) exclude_verbs: Option<bool>,
}
object!(HttpMetrics {
    "increasedCardinality" => increased_cardinality,
    "pathMatching" => path_matching,
    "excludeVerbs" => exclude_verbs,
});

/// Label values rewritten for one metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct MetricsRule {
    pub(crate) name: String,
    pub(crate) labels: Vec<MetricsLabel>,
}
object!(MetricsRule { "name" => name, "labels" => labels });

/// Replacement to pattern, for one label.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct MetricsLabel {
    pub(crate) name: String,
    pub(crate) regex: BTreeMap<String, String>,
}
object!(MetricsLabel { "name" => name, "regex" => regex });

/// Middleware handlers, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pipeline {
    pub(crate) handlers: Vec<Handler>,
}
object!(Pipeline { "handlers" => handlers });

/// One middleware of a pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Handler {
    pub(crate) name: String,
    /// For example `middleware.http.bearer`.
    pub(crate) kind: String,
    pub(crate) version: String,
}
object!(Handler { "name" => name, "type" => kind, "version" => version });

/// Read by `dapr run`; a sidecar goes by its flags.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Mtls {
    pub(crate) enabled: Option<bool>,
}
object!(Mtls { "enabled" => enabled });

/// Who may call what; parsed further where it is enforced.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AccessControl {
    pub(crate) default_action: String,
    pub(crate) trust_domain: String,
    /// An empty list differs from none where there is no default action.
    pub(crate) policies: Option<Vec<AppPolicy>>,
}
object!(AccessControl {
    "defaultAction" => default_action,
    "trustDomain" => trust_domain,
    "policies" => policies,
});

/// The rules for one caller.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AppPolicy {
    pub(crate) app_id: String,
    pub(crate) default_action: String,
    pub(crate) trust_domain: String,
    pub(crate) namespace: String,
    pub(crate) operations: Vec<AppOperation>,
}
object!(AppPolicy {
    "appId" => app_id,
    "defaultAction" => default_action,
    "trustDomain" => trust_domain,
    "namespace" => namespace,
    "operations" => operations,
});

/// One rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AppOperation {
    pub(crate) name: String,
    pub(crate) http_verb: Vec<String>,
    pub(crate) action: String,
}
object!(AppOperation { "name" => name, "httpVerb" => http_verb, "action" => action });

/// Which resolver finds other apps.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct NameResolution {
    /// Compared without case.
    pub(crate) component: String,
    /// Empty means `v1`.
    pub(crate) version: String,
    /// Whatever the component understands.
    pub(crate) configuration: serde_json::Value,
}
object!(NameResolution {
    "component" => component,
    "version" => version,
    "configuration" => configuration,
});

/// A switch for something not settled.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Feature {
    pub(crate) name: String,
    pub(crate) enabled: bool,
}
object!(Feature { "name" => name, "enabled" => enabled });

/// Which APIs the app may use.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Api {
    pub(crate) allowed: Vec<ApiRule>,
    pub(crate) denied: Vec<ApiRule>,
}
object!(Api { "allowed" => allowed, "denied" => denied });

/// One API by name, version and protocol.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ApiRule {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) protocol: String,
}
object!(ApiRule { "name" => name, "version" => version, "protocol" => protocol });

#[derive(Debug, Clone, Default, PartialEq)]
struct Logging {
    api_logging: Option<ApiLogging>,
}
object!(Logging { "apiLogging" => api_logging });

/// What is written about API calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ApiLogging {
    pub(crate) enabled: bool,
    pub(crate) obfuscate_urls: bool,
    pub(crate) omit_health_checks: bool,
}
object!(ApiLogging {
    "enabled" => enabled,
    "obfuscateURLs" => obfuscate_urls,
    "omitHealthChecks" => omit_health_checks,
});

/// Only checked: secret stores are not served.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Secrets {
    pub(super) scopes: Vec<SecretsScope>,
}
object!(Secrets { "scopes" => scopes });

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SecretsScope {
    pub(super) store_name: String,
    pub(super) default_access: String,
}
object!(SecretsScope { "storeName" => store_name, "defaultAccess" => default_access });
