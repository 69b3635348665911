//! What each program may do.

use serde_json::{Value, json};

use super::{Chart, NAMESPACE, render, texts};

/// Kinds that exist once per cluster.
const CLUSTER_WIDE: [&str; 2] = ["mutatingwebhookconfigurations", "tokenreviews"];

/// Each rule of all roles of a kind: role, rule, resource.
fn rules<'a>(chart: &'a Chart, kind: &'static str) -> Vec<(&'a str, &'a Value, &'a str)> {
    let mut found = Vec::new();
    for role in chart.of(kind) {
        let name = role["metadata"]["name"].as_str().unwrap();
        for rule in role["rules"].as_array().unwrap() {
            found.extend(
                texts(&rule["resources"])
                    .into_iter()
                    .map(|resource| (name, rule, resource)),
            );
        }
    }
    found
}

#[test]
fn nothing_is_granted_wholesale() {
    let chart = render(&[]);
    for kind in ["Role", "ClusterRole"] {
        for (role, rule, resource) in rules(&chart, kind) {
            assert!(!rule.to_string().contains('*'), "{role}: {rule}");
            // Secrets are read one by one, never listed.
            if resource == "secrets" {
                let verbs = texts(&rule["verbs"]);
                assert!(
                    !verbs.contains(&"list") && !verbs.contains(&"watch"),
                    "{role}"
                );
            }
            // Pods are looked at only.
            if resource == "pods" {
                let verbs = texts(&rule["verbs"]);
                assert!(
                    verbs.iter().all(|verb| matches!(*verb, "get" | "list")),
                    "{role}"
                );
            }
        }
    }
}

#[test]
fn only_the_authority_writes_the_trust_bundle() {
    let chart = render(&[]);
    for (role, rule, resource) in rules(&chart, "Role") {
        if matches!(resource, "secrets" | "configmaps") {
            assert_eq!(role, "dapr-sentry");
            assert_eq!(rule["resourceNames"], json!(["dapr-trust-bundle"]));
        }
    }
}

#[test]
fn every_role_is_bound_to_the_account_of_its_program() {
    let chart = render(&[]);
    for (roles, bindings) in [
        ("Role", "RoleBinding"),
        ("ClusterRole", "ClusterRoleBinding"),
    ] {
        for role in chart.of(roles) {
            let name = role["metadata"]["name"].as_str().unwrap();
            let binding = chart.get(bindings, name);
            let subject = &binding["subjects"][0];
            assert_eq!(binding["roleRef"]["name"], name);
            assert_eq!(subject["namespace"], NAMESPACE);
            let account = subject["name"].as_str().unwrap();
            assert!(name.starts_with(account), "{name}: {account}");
            assert!(chart.find("ServiceAccount", account).is_some());
        }
    }
    for (deployment, account) in [
        ("dapr-operator", "dapr-operator"),
        ("dapr-sentry", "dapr-sentry"),
        ("dapr-sidecar-injector", "dapr-injector"),
    ] {
        assert_eq!(chart.pod(deployment)["spec"]["serviceAccountName"], account);
    }
}

#[test]
fn one_namespace_is_enough_when_asked_for() {
    let chart = render(&["global.rbac.namespaced=true"]);
    for (role, _, resource) in rules(&chart, "ClusterRole") {
        assert!(CLUSTER_WIDE.contains(&resource), "{role}: {resource}");
    }
    assert_eq!(chart.find("ClusterRole", "dapr-operator-admin"), None);
    let here = rules(&chart, "Role");
    for (role, resource) in [
        ("dapr-operator", "deployments"),
        ("dapr-operator", "services"),
        ("dapr-sentry", "pods"),
    ] {
        let granted = here
            .iter()
            .any(|(name, _, it)| (*name, *it) == (role, resource));
        assert!(granted, "{role}: {resource}");
    }
}

#[test]
fn apps_read_no_secrets_unless_asked_for() {
    assert_eq!(render(&[]).find("Role", "secret-reader"), None);
    let chart = render(&["dapr_rbac.secretReader={\"enabled\":true,\"namespace\":\"apps\"}"]);
    assert_eq!(
        chart.get("Role", "secret-reader")["metadata"]["namespace"],
        "apps"
    );
    let binding = chart.get("RoleBinding", "dapr-secret-reader");
    assert_eq!(binding["subjects"][0]["name"], "default");
}
