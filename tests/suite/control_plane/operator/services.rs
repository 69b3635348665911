//! The Service of an app: made once, put right when somebody changes it, and
//! gone when nobody asks for it.

use serde_json::{Value, json};
use tests::{eventually, holds};

use super::Home;

fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"].to_string()
}

#[test]
fn an_annotated_workload_gets_its_service() {
    let home = Home::new("service");
    let operator = home.operator();
    home.deployment("plain", &json!({}));
    home.workload(
        "StatefulSet",
        "web",
        &json!({
            "dapr.io/enabled": "yes", "dapr.io/id": "shop", "dapr.io/internal-grpc-port": "6000",
            "dapr.io/sidecar-svc-annotations": "team=a, dapr.io/app-id=evil",
        }),
    );
    let service = home.wait_for_service("shop-dapr");
    let workload = home.bare.api().get(&home.path("statefulsets", "web"));
    let metadata = &service["metadata"];
    assert_eq!(metadata["labels"], json!({ "dapr.io/enabled": "true" }));
    assert_eq!(
        metadata["annotations"],
        json!({
            "dapr.io/app-id": "shop", "team": "a",
            "prometheus.io/probe": "true", "prometheus.io/scrape": "true",
            "prometheus.io/port": "9090", "prometheus.io/path": "/",
        })
    );
    assert_eq!(
        metadata["ownerReferences"],
        json!([{
            "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web",
            "uid": workload.unwrap()["metadata"]["uid"],
            "controller": true, "blockOwnerDeletion": true,
        }])
    );
    let spec = &service["spec"];
    assert_eq!(spec["clusterIP"], "None");
    assert_eq!(spec["type"], "ClusterIP");
    assert_eq!(spec["selector"], json!({ "app": "web" }));
    let port = |name: &str, port: u16, target: u16, protocol: &str| json!({ "name": name, "protocol": "TCP", "port": port, "targetPort": target, "appProtocol": protocol });
    assert_eq!(
        spec["ports"],
        json!([
            port("dapr-http", 80, 3500, "http"),
            port("dapr-grpc", 50001, 50001, "grpc"),
            port("dapr-internal", 6000, 6000, "tls"),
            port("dapr-metrics", 9090, 9090, "http"),
        ])
    );
    assert_eq!(operator.count("created", "shop"), 1);
    assert_eq!(home.service("plain-dapr"), None);
}

#[test]
fn what_others_do_to_a_service_is_undone() {
    let home = Home::new("undone");
    let operator = home.operator();
    let annotations = json!({ "dapr.io/enabled": "true", "dapr.io/app-id": "cart" });
    home.deployment("cart", &annotations);
    let made = home.wait_for_service("cart-dapr");
    let path = home.path("services", "cart-dapr");
    let api = home.bare.api();

    api.delete(&path);
    holds("the deleted Service is back", || {
        home.service("cart-dapr")
            .is_some_and(|service| service["metadata"]["uid"] != made["metadata"]["uid"])
    });
    assert_eq!(operator.count("created", "cart"), 2);

    // What a patch alone cannot undo: others own the port, the annotation and
    // the label's absence. What is not ours stays.
    api.patch(
        &path,
        &json!({
            "metadata": {
                "labels": { "dapr.io/enabled": null, "team": "theirs" },
                "annotations": { "theirs": "yes", "prometheus.io/port": "1" },
            },
            "spec": {
                "selector": { "app": null, "other": "pods" },
                "ports": [{ "name": "dapr-internal", "port": 50003 }],
                "publishNotReadyAddresses": true,
            },
        }),
    );
    let service = eventually("the edit is undone", || {
        let service = home.service("cart-dapr")?;
        (service["spec"]["ports"] == made["spec"]["ports"]).then_some(service)
    });
    assert_eq!(service["spec"]["selector"], json!({ "app": "cart" }));
    assert_eq!(service["spec"].get("publishNotReadyAddresses"), None);
    assert_eq!(
        service["metadata"]["labels"],
        json!({ "dapr.io/enabled": "true", "team": "theirs" })
    );
    assert_eq!(service["metadata"]["annotations"]["theirs"], "yes");
    assert_eq!(
        service["metadata"]["annotations"]["prometheus.io/port"],
        "9090"
    );
}

#[test]
fn nothing_is_written_twice() {
    let home = Home::new("twice");
    let first = home.operator();
    let annotate = |id: &str| json!({ "dapr.io/enabled": "true", "dapr.io/app-id": id });
    let names: Vec<String> = (0..12).map(|n| format!("app-{n}")).collect();
    for name in &names {
        home.deployment(name, &annotate(name));
    }
    let services = || -> Vec<Value> {
        names
            .iter()
            .filter_map(|name| home.service(&format!("{name}-dapr")))
            .collect()
    };
    holds("all Services exist", || services().len() == names.len());
    let before: Vec<String> = services().iter().map(version).collect();
    first.process.signal(nix::sys::signal::Signal::SIGTERM);
    first.process.wait_for_code(0);

    let second = home.operator();
    // Whatever was to be written at the start is written before this one is.
    home.deployment("last", &annotate("last"));
    home.wait_for_service("last-dapr");
    let after: Vec<String> = services().iter().map(version).collect();
    assert_eq!(before, after);
    // A change that does not concern the Service.
    home.bare.api().patch(
        &home.path("deployments", "app-0"),
        &json!({ "spec": { "replicas": 3 } }),
    );
    // One that does.
    let metrics = json!({ "dapr.io/metrics-port": "9191" });
    home.bare.api().patch(
        &home.path("deployments", "last"),
        &json!({ "spec": { "template": { "metadata": { "annotations": metrics } } } }),
    );
    holds("the changed port is in the Service", || {
        home.wait_for_service("last-dapr")["spec"]["ports"][3]["port"] == 9191
    });
    let after: Vec<String> = services().iter().map(version).collect();
    assert_eq!(before, after);
    for name in &names {
        assert_eq!(second.count("created", name), 0);
        assert_eq!(second.count("updated", name), 0);
    }
    holds("the update is counted", || {
        second.count("updated", "last") == 1
    });
}

#[test]
fn users_are_told_once_why_there_is_no_service() {
    let home = Home::new("events");
    let operator = home.operator();
    let events = |workload: &str| -> Vec<Value> {
        let mut events = home.bare.api().list(&home.path("events", ""));
        events.retain(|event| event["involvedObject"]["name"] == *workload);
        events
    };
    home.deployment(
        "bad",
        &json!({ "dapr.io/enabled": "true", "dapr.io/app-id": "myapp@" }),
    );
    let event = eventually("the workload has an event", || events("bad").pop());
    assert_eq!(event["reason"], "InvalidAppId");
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["source"]["component"], "dapr-operator");
    assert_eq!(event["involvedObject"]["kind"], "Deployment");
    let message = event["message"].as_str().unwrap();
    assert!(
        message.starts_with("invalid app id (input: 'myapp@', service: 'myapp@-dapr'): a lowercase RFC 1123 label must consist"),
        "{message}"
    );

    // A Service of somebody else is in the way.
    let taken = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "taken-dapr", "namespace": home.apps },
        "spec": { "ports": [{ "port": 80 }] },
    });
    home.apply(&taken);
    let kept = version(&home.wait_for_service("taken-dapr"));
    home.deployment(
        "taken",
        &json!({ "dapr.io/enabled": "true", "dapr.io/app-id": "taken" }),
    );
    let event = eventually("the workload has an event", || events("taken").pop());
    assert_eq!(event["reason"], "ServiceFailed");
    assert_eq!(version(&home.wait_for_service("taken-dapr")), kept);
    // The way is free: nobody else tells the operator.
    home.bare.api().delete(&home.path("services", "taken-dapr"));
    holds("the Service is made", || {
        home.service("taken-dapr")
            .is_some_and(|service| service["spec"]["clusterIP"] == "None")
    });

    // Another change of the same workload is no news, a good id ends it.
    home.bare.api().patch(
        &home.path("deployments", "bad"),
        &json!({ "spec": { "template": { "metadata": { "annotations": { "dapr.io/grpc-port": "1" } } } } }),
    );
    home.bare.api().patch(
        &home.path("deployments", "bad"),
        &json!({ "spec": { "template": { "metadata": { "annotations": { "dapr.io/app-id": "good" } } } } }),
    );
    home.wait_for_service("good-dapr");
    assert_eq!(events("bad").len(), 1);
    assert_eq!(events("taken").len(), 1);
    assert_eq!(operator.count("created", "taken"), 1);
}

#[test]
fn two_workloads_with_one_app_id_share_a_service() {
    let home = Home::new("shared");
    let operator = home.operator();
    let annotations = json!({ "dapr.io/enabled": "true", "dapr.io/app-id": "cart" });
    home.deployment("blue", &annotations);
    let alone = home.wait_for_service("cart-dapr");
    assert_eq!(alone["spec"]["selector"], json!({ "app": "blue" }));
    home.deployment("green", &annotations);
    let both = eventually("the Service selects both", || {
        let service = home.service("cart-dapr")?;
        (service["spec"]["selector"] == json!({ "dapr.io/app-id": "cart" })).then_some(service)
    });
    let controllers = |service: &Value| -> Vec<(String, bool)> {
        let owners = service["metadata"]["ownerReferences"].as_array().unwrap();
        let mut owners: Vec<_> = owners
            .iter()
            .map(|owner| {
                (
                    owner["name"].as_str().unwrap().to_owned(),
                    owner["controller"] == true,
                )
            })
            .collect();
        owners.sort();
        owners
    };
    let expected = [("blue".to_owned(), true), ("green".to_owned(), false)];
    assert_eq!(controllers(&both), expected);

    // Both are touched again and again: nobody takes the Service away.
    for replicas in 2..6 {
        for name in ["blue", "green"] {
            home.bare.api().patch(
                &home.path("deployments", name),
                &json!({ "spec": { "replicas": replicas } }),
            );
        }
    }
    home.deployment(
        "marker",
        &json!({ "dapr.io/enabled": "true", "dapr.io/app-id": "marker" }),
    );
    home.wait_for_service("marker-dapr");
    assert_eq!(version(&home.wait_for_service("cart-dapr")), version(&both));
    assert_eq!(operator.count("updated", "cart"), 1);

    home.bare.api().delete(&home.path("deployments", "blue"));
    holds("the Service selects the one that is left", || {
        let service = home.wait_for_service("cart-dapr");
        service["spec"]["selector"] == json!({ "app": "green" })
            && controllers(&service) == [("green".to_owned(), true)]
    });
}

#[test]
fn a_service_nobody_asks_for_any_more_goes() {
    let home = Home::new("gone");
    let operator = home.operator();
    let annotate = |id: &str| json!({ "dapr.io/enabled": "true", "dapr.io/app-id": id });
    home.deployment("renamed", &annotate("old"));
    home.deployment("plain", &annotate("plain"));
    home.deployment("kept", &annotate("kept"));
    for name in ["old-dapr", "plain-dapr", "kept-dapr"] {
        home.wait_for_service(name);
    }
    // Made by hand, as for workloads that get no Service.
    home.apply(&json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "hand-dapr", "namespace": home.apps,
            "labels": { "dapr.io/enabled": "true" }, "annotations": { "dapr.io/app-id": "hand" },
        },
        "spec": { "clusterIP": "None", "selector": { "app": "hand" }, "ports": [{ "port": 50002 }] },
    }));
    let change = |annotations: Value| json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } });
    let api = home.bare.api();
    api.patch(
        &home.path("deployments", "renamed"),
        &change(json!({ "dapr.io/app-id": "new" })),
    );
    api.patch(
        &home.path("deployments", "plain"),
        &change(json!({ "dapr.io/enabled": null })),
    );
    home.wait_for_service("new-dapr");
    for name in ["old-dapr", "plain-dapr"] {
        holds("the Service is gone", || home.service(name).is_none());
    }
    assert_eq!(operator.count("deleted", "old"), 1);
    // Garbage collection, which nobody runs here, decides about this one.
    api.delete(&home.path("deployments", "kept"));
    home.deployment("marker", &annotate("marker"));
    home.wait_for_service("marker-dapr");
    assert!(home.service("kept-dapr").is_some());
    assert!(home.service("hand-dapr").is_some());
}
