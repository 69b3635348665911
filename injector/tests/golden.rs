//! Pods before and after, one scenario a file in `tests/golden`.
//!
//! `<name>.yaml` holds the environment of the injector and a pod,
//! `<name>.patched.yaml` the pod with its sidecar. `GOLDEN=write` writes the
//! latter anew, to be looked at before it is committed.
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare must fail")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use injector::patch::{self, Current};
use injector::pod::Pod;
use injector::settings::Settings;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Scenario {
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    scheduler: bool,
    #[serde(default)]
    warnings: Vec<String>,
    pod: Value,
}

fn patched(scenario: &Scenario) -> (Value, Vec<String>) {
    let lookup = |name: &str| scenario.env.get(name).cloned();
    let namespace = "dapr-system".to_owned();
    let settings = Settings::from_lookup(lookup, namespace, scenario.scheduler, true, "").unwrap();
    let current = Current {
        anchors: "ROOT\n",
        mtls: true,
    };
    let mut pod = scenario.pod.clone();
    let view = Pod::new(&scenario.pod).unwrap();
    let injection = patch::inject(view, "shop", &settings.sidecar, current).unwrap();
    let operations = serde_json::to_value(&injection.operations).unwrap();
    let operations: json_patch::Patch = serde_json::from_value(operations).unwrap();
    json_patch::patch(&mut pod, &operations).unwrap();
    assert!(Pod::new(&pod).unwrap().has_sidecar());
    (pod, injection.warnings)
}

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_string_lossy().ends_with(".patched.yaml"))
        .collect();
    files.sort();
    files
}

#[test]
fn pods_before_and_after() {
    let files = scenarios();
    assert_eq!(files.len(), 8, "{files:?}");
    for file in files {
        let scenario: Scenario =
            serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let (pod, warnings) = patched(&scenario);
        assert_eq!(warnings, scenario.warnings, "{}", file.display());
        let expected = file.with_extension("patched.yaml");
        if std::env::var("GOLDEN").is_ok_and(|value| value == "write") {
            fs::write(&expected, serde_saphyr::to_string(&pod).unwrap()).unwrap();
        }
        let expected: Value =
            serde_saphyr::from_str(&fs::read_to_string(&expected).unwrap()).unwrap();
        assert_eq!(pod, expected, "{}", file.display());
    }
}
