//! What `dapr annotate` writes is what the injector reads: a pod with every
//! annotation the command knows gets its sidecar without a warning, and each
//! value arrives.
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare must fail")]

use std::path::Path;

use injector::annotations::Annotations;
use injector::patch::{self, Current};
use injector::pod::Pod;
use injector::settings::Settings;
use serde_json::Value;

fn annotated() -> Value {
    let file = "../cli/tests/golden/annotate/every-flag.yaml";
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

#[test]
fn every_annotation_is_understood() {
    let mut pod = annotated();
    // Volumes that are mounted have to be there.
    pod["spec"] = serde_json::json!({
        "containers": [{"name": "app", "image": "app"}],
        "volumes": [{"name": "one", "emptyDir": {}}, {"name": "two", "emptyDir": {}}],
    });
    let lookup = |name: &str| (name == "SIDECAR_IMAGE").then(|| "daprd".to_owned());
    let settings = Settings::from_lookup(lookup, "dapr-system".to_owned(), false, true, "");
    let current = Current {
        anchors: "ROOT\n",
        mtls: true,
    };
    let view = Pod::new(&pod).unwrap();
    let injection = patch::inject(view, "shop", &settings.unwrap().sidecar, current).unwrap();
    assert_eq!(injection.warnings, <[String; 0]>::default());

    let operations = serde_json::to_value(&injection.operations).unwrap();
    let operations: json_patch::Patch = serde_json::from_value(operations).unwrap();
    json_patch::patch(&mut pod, &operations).unwrap();
    let spec = &pod["spec"];
    let mut all = ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| spec[list].as_array())
        .flatten();
    let sidecar = all.rfind(|one| one["name"] == "daprd").unwrap();
    let text = sidecar.to_string();
    for value in [
        "\"--app-id\",\"cart\"",
        "\"--app-port\",\"3000\"",
        "\"--config\",\"appconfig\"",
        "\"--app-protocol\",\"grpc\"",
        "\"--app-max-concurrency\",\"5\"",
        "\"--log-level\",\"debug\"",
        "\"--metrics-port\",\"9091\"",
        "\"--dapr-graceful-shutdown-seconds\",\"10\"",
        "\"--dapr-listen-addresses\",\"127.0.0.1,[::1]\"",
        "\"--unix-domain-socket\",",
        "\"16777216\"",
        "\"8192\"",
        "\"api-token\"",
        "\"app-token\"",
        "\"cpu\":\"500m\"",
        "\"memory\":\"16Mi\"",
        "registry.example/daprd:1.18.0",
        "\"name\":\"OTHER\",\"value\":\"x\"",
        "\"mountPath\":\"/two\"",
        "\"failureThreshold\":4",
        "\"failureThreshold\":8",
    ] {
        assert!(text.contains(value), "{value} is not in {text}");
    }
}

/// Old names are read for old manifests only.
#[test]
fn no_annotation_is_outdated() {
    let pod = annotated();
    let annotations = Annotations::new(pod["metadata"]["annotations"].as_object());
    assert!(annotations.adopted().is_empty());
}
