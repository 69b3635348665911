//! Releases on a real API server, and the files that follow from the chart.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::Bare;
use tests::binaries::checkout;

use super::{NAMESPACE, helm};

const BUNDLE: [&str; 2] = ["secrets", "configmaps"];

/// Runs Helm on this API server.
#[track_caller]
fn release(bare: &Bare, arguments: &[&str]) {
    let output = helm()
        .args(arguments)
        .args(["--namespace", NAMESPACE])
        .arg("--kubeconfig")
        .arg(bare.api().kubeconfig())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "helm {arguments:?}: {error}");
}

fn bundle(bare: &Bare, resource: &str) -> Value {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/{resource}/dapr-trust-bundle");
    bare.api().get(&path).unwrap()
}

#[test]
fn the_authority_outlives_releases_and_is_adopted() {
    let bare = Bare::start();
    let install = ["install", "dapr", "charts/dapr", "--create-namespace"];
    release(&bare, &install);
    let configuration =
        format!("/apis/dapr.io/v1alpha1/namespaces/{NAMESPACE}/configurations/daprsystem");
    assert!(bare.api().get(&configuration).is_some());

    // As sentry does.
    for resource in BUNDLE {
        let kept = [
            "patch",
            resource,
            "dapr-trust-bundle",
            "--namespace",
            NAMESPACE,
            "--type=merge",
            "--patch",
            r#"{"data":{"ca.crt":"QQ=="}}"#,
        ];
        bare.api().must(&kept);
    }
    // As the injector does.
    let webhooks =
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/dapr-sidecar-injector";
    let entries = bare.api().get(webhooks).unwrap()["webhooks"].clone();
    let trust: Value = (0..entries.as_array().unwrap().len())
        .map(|index| {
            let path = format!("/webhooks/{index}/clientConfig/caBundle");
            json!({ "op": "add", "path": path, "value": "QQ==" })
        })
        .collect();
    bare.api().must(&[
        "patch",
        "mutatingwebhookconfiguration",
        "dapr-sidecar-injector",
        "--type=json",
        "--patch",
        &trust.to_string(),
    ]);

    release(
        &bare,
        &[
            "upgrade",
            "dapr",
            "charts/dapr",
            "--set",
            "global.ha.enabled=true",
        ],
    );
    for entry in bare.api().get(webhooks).unwrap()["webhooks"]
        .as_array()
        .unwrap()
    {
        assert_eq!(entry["clientConfig"]["caBundle"], "QQ==");
    }
    release(&bare, &["uninstall", "dapr"]);
    assert_eq!(bare.api().get(webhooks), None);
    for resource in BUNDLE {
        assert_eq!(bundle(&bare, resource)["data"]["ca.crt"], "QQ==");
    }
    release(&bare, &install);
    for resource in BUNDLE {
        assert_eq!(bundle(&bare, resource)["data"]["ca.crt"], "QQ==");
    }
}

#[test]
fn examples_are_accepted() {
    let bare = Bare::shared();
    // The folder they share a namespace with.
    bare.api().namespace("production");
    let folder = checkout().join("examples/kubernetes");
    let folder = folder.display().to_string();
    bare.api()
        .must(&["apply", "--server-side", "--dry-run=server", "-f", &folder]);
}

#[test]
fn the_chart_has_the_definitions_of_the_types() {
    let read = |folder: &Path| {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let text = fs::read_to_string(&path).unwrap();
                (path.file_name().unwrap().to_owned(), text)
            })
            .collect();
        files.sort();
        files
    };
    let types = read(&checkout().join("crds"));
    assert_eq!(read(&checkout().join("charts/dapr/crds")), types);
    let names: Vec<_> = types
        .iter()
        .map(|(_, text)| serde_saphyr::from_str::<Value>(text).unwrap()["metadata"]["name"].clone())
        .collect();
    for name in [
        "components.dapr.io",
        "configurations.dapr.io",
        "httpendpoints.dapr.io",
        "resiliencies.dapr.io",
        "subscriptions.dapr.io",
    ] {
        let count = names.iter().filter(|it| *it == name).count();
        assert_eq!(count, 1, "{name}");
    }
}

#[test]
fn the_rendered_manifest_is_current() {
    let output = helm()
        .args(["template", "dapr", "charts/dapr", "--namespace", NAMESPACE])
        .output()
        .unwrap();
    let committed = fs::read_to_string(checkout().join("manifests/dapr.yaml")).unwrap();
    let (_, committed) = committed.split_at(committed.find("---\n").unwrap());
    let rendered = String::from_utf8(output.stdout).unwrap();
    assert!(
        committed == rendered,
        "run `cargo xtask manifests` and commit the result"
    );
}

#[test]
fn the_chart_has_no_lint() {
    let output = helm()
        .args(["lint", "--strict", "charts/dapr"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}
