use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::load::ConfigurationError;
use super::model::ApiLogging;
use super::*;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn load(&self, texts: &[&str]) -> Result<Configuration, ConfigurationError> {
        let write = |(at, text): (usize, &&str)| self.write(&format!("{at}.yaml"), text);
        let paths: Vec<String> = texts.iter().enumerate().map(write).collect();
        Configuration::load(&paths, |name| {
            (name == "DB").then(|| "/tmp/names.db".to_owned())
        })
    }
}

fn loaded(texts: &[&str]) -> Configuration {
    Files::new().load(texts).unwrap()
}

#[test]
fn defaults_without_any_file() {
    let configuration = Configuration::default();
    assert_eq!(configuration, loaded(&[]));
    for text in [
        "",
        "# nothing\n",
        "---\n",
        "spec:\n",
        "kind: Configuration\nspec: {}\n",
    ] {
        assert_eq!(configuration, loaded(&[text]), "{text:?}");
    }
    let access = configuration.access_control.as_ref().unwrap();
    assert_eq!(
        (access.default_action.as_str(), access.trust_domain.as_str()),
        ("allow", "public")
    );
    assert_eq!(configuration.metric.as_ref().unwrap().enabled, Some(true));
    assert_eq!(
        configuration.enabled_features(),
        ["HotReload", "WorkflowsRemoteActivityReminder"]
    );
    assert_eq!(configuration.api_logging(), ApiLogging::default());
}

#[test]
fn a_whole_file() {
    let configuration = loaded(&[r"
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {name: any, labels: {on: yes}}
spec:
  tracing:
    samplingRate: 1.0
    stdout: true
    zipkin: {endpointAddress: 'http://localhost:9411/api/v2/spans'}
    otel: {protocol: grpc, endpointAddress: 'localhost:4317', isSecure: false, headers: [a=b]}
  metrics:
    enabled: false
    http: {increasedCardinality: false, pathMatching: ['/a/{id}']}
    latencyDistributionBuckets: [5, 50]
    rules: [{name: m, labels: [{name: path, regex: {orders/: 'orders/\d+$'}}]}]
  nameResolution:
    component: sqlite
    version: v1
    configuration: {connectionString: $DB, updateInterval: 5s, n: 3}
  accessControl:
    policies: [{appId: 007, namespace: ns, operations: [{name: /a, httpVerb: [GET], action: deny}]}]
  httpPipeline: {handlers: [{name: o, type: middleware.http.oauth2}]}
  logging: {apiLogging: {enabled: true, omitHealthChecks: true}}
  api: {allowed: [{name: invoke, version: v1.0, protocol: http}]}
  mtls: {enabled: true, workloadCertTTL: 24h}
  workflow: {anything: goes}
---
this: is [not read
"]);
    let tracing = configuration.tracing.clone().unwrap();
    assert_eq!(
        (tracing.sampling_rate.as_str(), tracing.stdout),
        ("1.0", true)
    );
    assert_eq!(
        tracing.zipkin_address(),
        "http://localhost:9411/api/v2/spans"
    );
    assert_eq!(tracing.otel.unwrap().headers, [serde_json::json!("a=b")]);
    let metric = configuration.metric.clone().unwrap();
    assert_eq!(metric.enabled, Some(false));
    assert_eq!(metric.latency_distribution_buckets, [5, 50]);
    assert_eq!(metric.http.unwrap().path_matching, ["/a/{id}"]);
    assert_eq!(metric.rules[0].labels[0].regex["orders/"], r"orders/\d+$");
    let names = configuration.name_resolution.clone().unwrap();
    assert_eq!(
        (names.component.as_str(), names.version.as_str()),
        ("sqlite", "v1")
    );
    assert_eq!(
        names.configuration,
        json!({"connectionString": "/tmp/names.db", "updateInterval": "5s", "n": 3})
    );
    let access = configuration.access_control.clone().unwrap();
    assert_eq!(access.default_action, "allow");
    let policies = access.policies.unwrap();
    assert_eq!(policies[0].app_id, "007");
    assert_eq!(policies[0].operations[0].http_verb, ["GET"]);
    assert_eq!(
        configuration.http_pipeline.clone().unwrap().handlers[0].kind,
        "middleware.http.oauth2"
    );
    assert!(configuration.api_logging().enabled && configuration.api_logging().omit_health_checks);
    assert_eq!(configuration.api.clone().unwrap().allowed[0].name, "invoke");
    assert_eq!(configuration.mtls.unwrap().enabled, Some(true));
}

#[test]
fn later_files_win_member_by_member() {
    let first = "spec:
  tracing: {samplingRate: '1', otel: {protocol: grpc, endpointAddress: a:1}}
  features: [{name: A, enabled: true}, {name: HotReload, enabled: false}]
  metric: {enabled: false, rules: [{name: m, labels: [{name: l, regex: {a: x, b: y}}]}]}
  accessControl: {defaultAction: deny}
  nameResolution: {component: kubernetes, configuration: {clusterDomain: x, template: y}}
  httpPipeline: {handlers: [{name: one}, {name: two}]}
";
    let second = "spec:
  tracing: {stdout: true, otel: {endpointAddress: b:2}}
  features: [{name: B, enabled: true}]
  metrics: {recordErrorCodes: true}
  accessControl: {trustDomain: ''}
  nameResolution: {configuration: {clusterDomain: z}}
  httpPipeline: {handlers: [{name: three}]}
";
    let configuration = loaded(&[first, second]);
    let tracing = configuration.tracing.clone().unwrap();
    assert_eq!(
        (tracing.sampling_rate.as_str(), tracing.stdout),
        ("1", true)
    );
    let otel = tracing.otel.unwrap();
    assert_eq!(
        (otel.protocol.as_str(), otel.endpoint_address.as_str()),
        ("grpc", "b:2")
    );
    assert!(configuration.feature("B") && configuration.feature("HotReload"));
    assert!(!configuration.feature("A"));
    let metric = configuration.metric.clone().unwrap();
    assert_eq!(
        (metric.enabled, metric.record_error_codes),
        (Some(false), Some(true))
    );
    assert_eq!(metric.rules.len(), 1);
    let access = configuration.access_control.clone().unwrap();
    assert_eq!(
        (access.default_action.as_str(), access.trust_domain.as_str()),
        ("deny", "")
    );
    let names = configuration.name_resolution.clone().unwrap();
    assert_eq!(names.component, "kubernetes");
    assert_eq!(names.configuration, json!({"clusterDomain": "z"}));
    assert_eq!(configuration.http_pipeline.unwrap().handlers.len(), 1);

    let nulls =
        "spec: {tracing: null, features: null, metric: null, accessControl: {defaultAction: null}}";
    let configuration = loaded(&[first, nulls]);
    assert_eq!(
        (configuration.tracing.clone(), configuration.metric.clone()),
        (None, None)
    );
    assert!(configuration.feature("HotReload"));
    assert_eq!(configuration.access_control.unwrap().default_action, "deny");
}

#[test]
fn keys_are_case_sensitive_and_features_are_read_in_order() {
    let configuration = loaded(&["spec: {Features: [{name: A, enabled: true}], TRACING: x}"]);
    assert!(!configuration.feature("A") && configuration.tracing.is_none());
    let switched = "spec: {features: [{name: A, enabled: true}, {name: '', enabled: true},
      {name: HotReload, enabled: true}, {name: HotReload, enabled: false}]}";
    assert_eq!(
        loaded(&[switched]).enabled_features(),
        ["A", "WorkflowsRemoteActivityReminder"]
    );
}

#[test]
fn unusable_files_are_named_in_one_line() {
    let files = Files::new();
    let path = files.path("0.yaml").to_str().unwrap().to_owned();
    for (text, expected) in [
        ("spec: [", "0.yaml: "),
        ("spec: 5", "0.yaml: "),
        ("a: b\n c: d", "0.yaml: "),
        ("{{ not yaml", "0.yaml: "),
        ("spec: {tracing: {stdout: maybe}}", "0.yaml: "),
        ("spec: {features: {name: A}}", "0.yaml: "),
        (
            "spec: {metric: {latencyDistributionBuckets: [a]}}",
            "0.yaml: ",
        ),
        ("spec: {api: {}, api: {}}", "0.yaml: "),
        ("kind: A\nkind: B", "0.yaml: "),
        ("spec: &a [*a]", "0.yaml: "),
        (
            "spec: {secrets: {scopes: [{storeName: s}, {storeName: s}]}}",
            "s storeName is repeated in secrets configuration",
        ),
        (
            "spec: {secrets: {scopes: [{storeName: s, defaultAccess: maybe}]}}",
            "defaultAccess maybe can be either allow or deny",
        ),
    ] {
        let message = files.load(&[text]).unwrap_err().to_string();
        assert!(
            message.starts_with("error loading configuration: "),
            "{message}"
        );
        assert!(
            message.contains(expected) && !message.contains('\n'),
            "{message}"
        );
    }
    let load = |path: &str| {
        Configuration::load(&[path.to_owned()], |_| None)
            .unwrap_err()
            .to_string()
    };
    let missing = files.path("missing.yaml");
    let missing = missing.to_str().unwrap();
    assert_eq!(
        load(missing),
        format!("error loading configuration: stat {missing}: no such file or directory")
    );
    let directory = files.0.path().to_str().unwrap();
    assert_eq!(
        load(directory),
        format!("error loading configuration: read {directory}: is a directory")
    );
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert_eq!(
        load(&path),
        format!("error loading configuration: read {path}: not valid UTF-8")
    );
}

#[test]
fn directories_must_exist() {
    let files = Files::new();
    files.write(
        "component.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Component\n---\n# none\n--- \nkind: X\n",
    );
    files.write("broken.yml", "a: [\n---\nkind: Fine\n");
    files.write("notes.txt", "{{");
    fs::create_dir(files.path("inner.yaml")).unwrap();
    let there = files.0.path().to_str().unwrap().to_owned();
    assert_eq!(scan(std::slice::from_ref(&there), true, ""), Ok(Vec::new()));

    let missing = files.path("missing").to_str().unwrap().to_owned();
    let message = |hot_reload| {
        scan(&[there.clone(), missing.clone()], hot_reload, "")
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(true),
        format!(
            "failed to create watcher: failed to add target {missing}: no such file or directory"
        )
    );
    assert_eq!(
        message(false),
        format!("failed to load components: open {missing}: no such file or directory")
    );
}
