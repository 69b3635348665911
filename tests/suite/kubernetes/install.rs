//! Installing, uninstalling and installing again.

use std::time::Instant;

use serde_json::json;
use tests::within;

use super::home::{Home, app, to};
use super::stage::{self, SLOW, SYSTEM, is_injected, name, times};

/// The whole point of a webhook that is ready only when it is called.
#[test]
fn an_app_applied_the_moment_the_install_ends_is_injected() {
    let stage = stage::alone();
    let fresh = times("E2E_INSTALL_RACE", 2);
    let mut lost = Vec::new();
    for round in 1..=fresh {
        let home = Home::new(&stage, "race");
        stage.wipe();
        let took = stage.install().unwrap();
        home.apply(&app("early").deployment(home.name()));
        let pod = stage.pod_where(home.name(), "app=early", "exists", |_| true);
        println!("install {round} of {fresh}: {:.1} s", took.as_secs_f64());
        if !is_injected(&pod) {
            lost.push(format!("install {round}: {}", name(&pod)));
        }
    }
    assert_eq!(lost, [] as [String; 0], "without sidecar, of {fresh}");
}

#[test]
fn apps_outlive_a_release_and_trust_the_next() {
    let stage = stage::alone();
    let home = Home::new(&stage, "again");
    home.run(&[app("callee"), app("caller")]);
    let call = |from: &str, target: &str| {
        let verdict = home.ask(from, &["load", target, "again-", "100", "1"]);
        assert_eq!(verdict["failed"], json!(0), "{from} to {target}: {verdict}");
    };
    let authority = || {
        let path = format!("/api/v1/namespaces/{SYSTEM}/secrets/dapr-trust-bundle");
        stage.api().get(&path).unwrap()["data"]["ca.crt"].clone()
    };
    let before = authority();
    call("caller", "callee");

    stage.uninstall();
    call("caller", "callee");
    assert_eq!(authority(), before, "the authority stays");

    let took = stage.install().unwrap();
    println!("installed again after {:.1} s", took.as_secs_f64());
    assert_eq!(authority(), before, "the authority is adopted");
    call("caller", "callee");
    // Old and new pods, both ways, and all new.
    home.run(&[app("late")]);
    call("late", "callee");
    let begun = Instant::now();
    within(SLOW, "the new app has a name", || {
        let path = to("late", "x");
        (home.call("caller", &["GET", &path])["status"] == 200).then_some(())
    });
    println!(
        "its name resolved after {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    call("caller", "late");
    home.restart("callee");
    call("caller", "callee");
    call("late", "callee");
}

#[test]
fn each_component_does_with_the_grants_of_the_chart() {
    let stage = stage::shared();
    for (component, account) in [
        ("dapr-operator", "dapr-operator"),
        ("dapr-sentry", "dapr-sentry"),
        ("dapr-sidecar-injector", "dapr-injector"),
    ] {
        let pod = stage.pod(SYSTEM, &format!("app={component}"));
        assert_eq!(pod["spec"]["serviceAccountName"], json!(account));
        let log = stage.api().must(&["logs", "-n", SYSTEM, name(&pod)]);
        let refused: Vec<_> = log
            .lines()
            // Not to be confused with a namespace that is going away.
            .filter(|line| line.contains("forbidden: User"))
            .collect();
        assert_eq!(refused, [] as [&str; 0], "{component}");
        // What a chart in a hurry would have given.
        for (verb, resource) in [
            ("create", "pods"),
            ("create", "deployments"),
            ("create", "clusterrolebindings"),
            ("update", "nodes"),
        ] {
            let user = format!("--as=system:serviceaccount:{SYSTEM}:{account}");
            let answer = stage
                .api()
                .run(&["auth", "can-i", verb, resource, &user, "-A"]);
            // `no` comes with a failure.
            assert!(answer.is_err(), "{account} may {verb} {resource}");
        }
    }
}

/// Namespaces that keep to the strictest standard take the sidecar as it is.
#[test]
fn a_restricted_namespace_takes_the_sidecar() {
    let stage = stage::shared();
    let home = Home::new(&stage, "strict");
    stage.api().patch(
        &format!("/api/v1/namespaces/{}", home.name()),
        &json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "restricted" } } }),
    );
    let mut deployment = app("strict").deployment(home.name());
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"] = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "runAsNonRoot": true,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    home.apply(&deployment);
    stage.rolled_out(home.name(), "deployment/strict");
    let answer = home.call("strict", &["GET", &to("strict", "x")]);
    assert_eq!(answer["status"], json!(200), "{answer}");
    within(SLOW, "the pod is injected", || {
        is_injected(&home.pod("strict")).then_some(())
    });
}
