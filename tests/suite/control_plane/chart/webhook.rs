//! Which pods the API server asks the injector about, and where.

use serde_json::{Value, json};

use super::{Chart, NAMESPACE, render};

#[track_caller]
fn entries(chart: &Chart) -> &Vec<Value> {
    let object = chart.get("MutatingWebhookConfiguration", "dapr-sidecar-injector");
    object["webhooks"].as_array().unwrap()
}

#[test]
fn three_entries_lead_to_the_injector() {
    let chart = render(&[]);
    let entries = entries(&chart);
    let to = |entry: &Value| {
        let service = &entry["clientConfig"]["service"];
        assert_eq!(service["namespace"], NAMESPACE);
        assert_eq!(service["path"], "/mutate");
        // The injector's field: whoever renders it takes it away again.
        assert_eq!(entry["clientConfig"].get("caBundle"), None);
        assert_eq!(entry["sideEffects"], "None");
        assert_eq!(entry["failurePolicy"], "Ignore");
        (entry["name"].clone(), service["name"].clone())
    };
    assert_eq!(
        entries.iter().map(to).collect::<Vec<_>>(),
        [
            ("sidecar-injector.dapr.io", "dapr-sidecar-injector"),
            (
                "sidecar-injector-fallback.dapr.io",
                "dapr-sidecar-injector-unready"
            ),
            ("self-test.dapr.io", "dapr-sidecar-injector-unready"),
        ]
        .map(|(entry, service)| (json!(entry), json!(service)))
    );
    for pods in &entries[..2] {
        assert_eq!(
            pods["rules"],
            json!([{ "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"] }])
        );
        assert_eq!(pods["reinvocationPolicy"], "IfNeeded");
        assert_eq!(pods["admissionReviewVersions"], json!(["v1", "v1beta1"]));
        assert_eq!(pods.get("namespaceSelector"), None);
        assert_eq!(pods.get("objectSelector"), None);
    }
    let own = json!({ "matchLabels": { "kubernetes.io/metadata.name": NAMESPACE } });
    assert_eq!(entries[2]["namespaceSelector"], own);
    assert_eq!(entries[2]["rules"][0]["resources"], json!(["leases"]));
    let service = chart.get("Service", "dapr-sidecar-injector-unready");
    assert_eq!(service["spec"]["publishNotReadyAddresses"], true);
    let ready = chart.get("Service", "dapr-sidecar-injector");
    assert_eq!(service["spec"]["selector"], ready["spec"]["selector"]);
}

#[test]
fn failing_closed_leaves_out_the_control_plane() {
    let excluded = json!({ "matchExpressions": [
        { "key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [NAMESPACE] },
    ] });
    for value in [
        "dapr_sidecar_injector.webhookFailurePolicy=\"Fail\"",
        "global.ha.enabled=true",
    ] {
        let chart = render(&[value]);
        for entry in &entries(&chart)[..2] {
            assert_eq!(entry["failurePolicy"], "Fail", "{value}");
            assert_eq!(entry["namespaceSelector"], excluded, "{value}");
        }
        // A question that is not answered must not be an error.
        assert_eq!(entries(&chart)[2]["failurePolicy"], "Ignore");
    }
    let open = render(&[
        "global.ha.enabled=true",
        "dapr_sidecar_injector.webhookFailurePolicy=\"Ignore\"",
    ]);
    assert_eq!(entries(&open)[0]["failurePolicy"], "Ignore");
}

#[test]
fn selectors_of_the_user_are_taken_as_they_are() {
    let selector = json!({ "matchLabels": { "team": "a" } });
    let chart = render(&[
        "dapr_sidecar_injector.webhookFailurePolicy=\"Fail\"",
        &format!("dapr_sidecar_injector.namespaceSelector={selector}"),
        &format!("dapr_sidecar_injector.objectSelector={selector}"),
    ]);
    for entry in &entries(&chart)[..2] {
        assert_eq!(entry["namespaceSelector"], selector);
        assert_eq!(entry["objectSelector"], selector);
    }
}

#[test]
fn without_injector_there_is_nothing_of_it() {
    let chart = render(&["dapr_sidecar_injector.enabled=false"]);
    assert_eq!(chart.of("MutatingWebhookConfiguration").count(), 0);
    assert_eq!(chart.find("Deployment", "dapr-sidecar-injector"), None);
    assert_eq!(chart.find("Service", "dapr-sidecar-injector"), None);
    assert!(chart.find("Deployment", "dapr-operator").is_some());
}
