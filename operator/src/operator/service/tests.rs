use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::app::{App, Workload, WorkloadKind, WorkloadRef, app_id_of_pod};
use super::desired::Desired;
use super::observed::{Difference, Observed, Service};
use crate::operator::cluster::ObjectKey;

fn workload(name: &str, annotations: &[(&str, &str)]) -> Workload {
    let pairs = annotations.iter();
    let annotations: BTreeMap<String, &str> = pairs
        .map(|(key, value)| (format!("dapr.io/{key}"), *value))
        .collect();
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"),
            "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": name}, "matchExpressions": []},
            "template": {"metadata": {"annotations": annotations}, "spec": {"containers": []}},
        },
        "status": {"replicas": 3},
    }))
    .unwrap()
}

fn app(annotations: &[(&str, &str)]) -> App {
    let mut all = vec![("enabled", "true"), ("app-id", "cart")];
    all.extend_from_slice(annotations);
    App::of(workload("cart", &all)).unwrap()
}

fn at(name: &str) -> WorkloadRef {
    WorkloadRef {
        kind: WorkloadKind::Deployment,
        key: ObjectKey {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        },
    }
}

fn desired(annotations: &[(&str, &str)]) -> Desired {
    Desired::of(&[(&at("cart"), &app(annotations))], true).unwrap()
}

#[test]
fn the_service_is_the_one_users_of_dapr_know() {
    assert_eq!(
        desired(&[]).object(),
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "cart-dapr", "namespace": "shop",
                "labels": {"dapr.io/enabled": "true"},
                "annotations": {
                    "dapr.io/app-id": "cart",
                    "prometheus.io/probe": "true", "prometheus.io/scrape": "true",
                    "prometheus.io/port": "9090", "prometheus.io/path": "/",
                },
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "uid": "uid-cart",
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "spec": {
                "clusterIP": "None",
                "selector": {"app": "cart"},
                "ports": [
                    {"name": "dapr-http", "protocol": "TCP", "port": 80, "targetPort": 3500, "appProtocol": "http"},
                    {"name": "dapr-grpc", "protocol": "TCP", "port": 50001, "targetPort": 50001, "appProtocol": "grpc"},
                    {"name": "dapr-internal", "protocol": "TCP", "port": 50002, "targetPort": 50002, "appProtocol": "tls"},
                    {"name": "dapr-metrics", "protocol": "TCP", "port": 9090, "targetPort": 9090, "appProtocol": "http"},
                ],
            },
        })
    );
}

#[test]
fn annotations_change_ports_and_what_is_invalid_does_not() {
    let rows = [
        (
            &[
                ("grpc-port", "6000"),
                ("internal-grpc-port", "6001"),
                ("metrics-port", "6002"),
            ][..],
            [80, 6000, 6001, 6002],
        ),
        (
            &[
                ("grpc-port", "no"),
                ("internal-grpc-port", ""),
                ("metrics-port", " 1"),
            ],
            [80, 50001, 50002, 9090],
        ),
        (
            &[
                ("grpc-port", "70000"),
                ("internal-grpc-port", "0"),
                ("metrics-port", "-1"),
            ],
            [80, 50001, 50002, 9090],
        ),
    ];
    for (annotations, ports) in rows {
        let desired = desired(annotations);
        let found: Vec<i32> = desired.ports.iter().map(|port| port.number).collect();
        assert_eq!(found, ports, "{annotations:?}");
        assert_eq!(
            desired.annotations["prometheus.io/port"],
            ports[3].to_string()
        );
    }
    let plain = Desired::of(&[(&at("cart"), &app(&[]))], false).unwrap();
    assert_eq!(plain.ports[2].app_protocol.as_deref(), Some("grpc"));
}

#[test]
fn metrics_are_scraped_unless_switched_off() {
    for (value, scraped) in [
        ("", true),
        ("true", true),
        ("on", true),
        ("false", false),
        ("nope", false),
    ] {
        let desired = desired(&[("enable-metrics", value)]);
        assert_eq!(
            desired.annotations.contains_key("prometheus.io/scrape"),
            scraped,
            "{value:?}"
        );
        assert_eq!(desired.ports.len(), 4);
    }
}

#[test]
fn further_annotations_are_taken_unless_they_are_ours() {
    let desired = desired(&[(
        "sidecar-svc-annotations",
        " a = b ,c=d=e,,=x,noise,dapr.io/app-id=evil,dapr.io/other=ok, prometheus.io/port=1,empty=",
    )]);
    let mut extra = desired.annotations.clone();
    extra.retain(|key, _| !key.starts_with("prometheus.io/"));
    let expected = [
        ("a", "b"),
        ("c", "d=e"),
        ("dapr.io/app-id", "cart"),
        ("dapr.io/other", "ok"),
        ("empty", ""),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(extra, BTreeMap::from(expected));
    assert_eq!(desired.annotations["prometheus.io/port"], "9090");
    assert_eq!(desired.refused, ["dapr.io/app-id", "prometheus.io/port"]);
}

#[test]
fn who_counts_as_an_app() {
    let of = |annotations: &[(&str, &str)]| App::of(workload("w", annotations));
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[("enabled", "false"), ("app-id", "a")]), None);
    assert_eq!(of(&[("app-id", "a")]), None);
    for yes in ["true", "YES", "1", " on ", "t", "y"] {
        assert_eq!(of(&[("enabled", yes), ("app-id", "a")]).unwrap().id, "a");
    }
    // The old name counts where the new one is absent.
    assert_eq!(of(&[("enabled", "1"), ("id", "old")]).unwrap().id, "old");
    let both = of(&[("enabled", "1"), ("id", "old"), ("app-id", "new")]).unwrap();
    assert_eq!(both.id, "new");
    // No fallback to a name.
    assert!(of(&[("enabled", "1")]).unwrap().problem().is_some());
    assert!(
        of(&[("enabled", "1"), ("app-id", "myapp@")])
            .unwrap()
            .problem()
            .is_some()
    );

    let mut leaving = workload("w", &[("enabled", "1"), ("app-id", "a")]);
    leaving.metadata.deletion_timestamp = leaving.metadata.creation_timestamp.clone();
    assert_eq!(App::of(leaving), None);

    let pod = BTreeMap::from([("dapr.io/enabled".to_owned(), "on".to_owned())]);
    assert_eq!(app_id_of_pod(&pod, "named"), Some("named"));
    assert_eq!(app_id_of_pod(&BTreeMap::new(), "named"), None);
}

#[test]
fn workloads_with_one_app_id_share_a_service() {
    let mut green = App::of(workload(
        "green",
        &[
            ("enabled", "1"),
            ("app-id", "cart"),
            ("metrics-port", "1234"),
        ],
    ))
    .unwrap();
    green.created = Some("2026-02-01T00:00:00Z".parse().unwrap());
    let blue = app(&[]);
    let both = [(&at("green"), &green), (&at("cart"), &blue)];
    let shared = Desired::of(&both, true).unwrap();
    assert_eq!(
        shared.selector,
        BTreeMap::from([("dapr.io/app-id".to_owned(), "cart".to_owned())])
    );
    let owners: Vec<_> = shared
        .owners
        .iter()
        .map(|owner| (owner.name.as_str(), owner.controller))
        .collect();
    assert_eq!(owners, [("cart", true), ("green", false)]);
    assert_eq!(shared.ports[3].number, 9090);
    // The order in which they are known changes nothing.
    assert_eq!(Desired::of(&[both[1], both[0]], true).unwrap(), shared);
    assert_eq!(Desired::of(&[], true), None);
}

/// A Service as the API server returns it after `desired` was applied.
fn service(change: impl FnOnce(&mut Value)) -> Observed {
    let mut object = desired(&[("sidecar-svc-annotations", "mine=1")]).object();
    object["metadata"]["uid"] = json!("u");
    object["metadata"]["resourceVersion"] = json!("5");
    object["metadata"]["managedFields"] = json!([{
        "manager": "dapr-operator", "operation": "Apply", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:annotations": {"f:dapr.io/app-id": {}, "f:mine": {}}}},
    }]);
    object["spec"]["clusterIPs"] = json!(["None"]);
    object["spec"]["type"] = json!("ClusterIP");
    change(&mut object);
    let service: Service = serde_json::from_value(object).unwrap();
    Observed::of(service)
}

#[test]
fn a_write_happens_only_for_what_is_ours() {
    let want = desired(&[("sidecar-svc-annotations", "mine=1")]);
    type Edit = fn(&mut Value);
    let rows: [(Edit, Difference); 12] = [
        (|_| {}, Difference::None),
        (
            |s| s["metadata"]["labels"]["team"] = json!("x"),
            Difference::None,
        ),
        (
            |s| s["metadata"]["annotations"]["theirs"] = json!("x"),
            Difference::None,
        ),
        (
            |s| s["metadata"]["labels"] = json!({}),
            Difference::Field("metadata.labels"),
        ),
        (
            |s| s["metadata"]["annotations"]["mine"] = json!("2"),
            Difference::Field("metadata.annotations"),
        ),
        (
            |s| s["metadata"]["ownerReferences"] = json!([]),
            Difference::Field("metadata.ownerReferences"),
        ),
        (
            |s| s["spec"]["selector"]["more"] = json!("x"),
            Difference::Field("spec.selector"),
        ),
        (
            |s| s["spec"]["ports"][2]["port"] = json!(1),
            Difference::Field("spec.ports"),
        ),
        (
            |s| {
                s["spec"]["ports"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"port": 1, "targetPort": "web"}));
            },
            Difference::Field("spec.ports"),
        ),
        (
            |s| {
                s["spec"]["ports"][0]
                    .as_object_mut()
                    .unwrap()
                    .remove("appProtocol")
                    .unwrap();
            },
            Difference::Field("spec.ports"),
        ),
        (
            |s| s["spec"]["publishNotReadyAddresses"] = json!(true),
            Difference::Field("spec.publishNotReadyAddresses"),
        ),
        (
            |s| s["spec"]["clusterIP"] = json!("10.0.0.1"),
            Difference::ClusterIp("10.0.0.1".to_owned()),
        ),
    ];
    for (row, (edit, difference)) in rows.into_iter().enumerate() {
        assert_eq!(service(edit).difference(&want), difference, "row {row}");
    }
}

#[test]
fn annotations_of_ours_that_are_not_wanted_any_more_go() {
    let want = desired(&[("enable-metrics", "false")]);
    let found = service(|s| s["metadata"]["annotations"]["theirs"] = json!("x"));
    assert_eq!(
        found.difference(&want),
        Difference::Field("metadata.annotations")
    );
    let patch = found.replacement(&want);
    assert_eq!(patch["metadata"]["resourceVersion"], "5");
    assert_eq!(
        patch["metadata"]["annotations"],
        json!({
            "dapr.io/app-id": "cart", "mine": null, "prometheus.io/path": null,
            "prometheus.io/port": null, "prometheus.io/probe": null, "prometheus.io/scrape": null,
        })
    );
    assert_eq!(patch["spec"]["ports"].as_array().unwrap().len(), 4);
}

#[test]
fn only_services_an_operator_made_are_ever_deleted() {
    let key = ObjectKey {
        namespace: "shop".to_owned(),
        name: "cart-dapr".to_owned(),
    };
    let made = |service: &Observed| service.made_for(&key, "cart").len();
    assert_eq!(made(&service(|_| {})), 1);
    assert_eq!(made(&service(|s| s["metadata"]["labels"] = json!({}))), 0);
    assert_eq!(
        made(&service(|s| s["metadata"]["ownerReferences"] = json!([]))),
        0
    );
    assert_eq!(
        made(&service(
            |s| s["metadata"]["annotations"]["dapr.io/app-id"] = json!("x")
        )),
        0
    );
    assert_eq!(
        made(&service(|s| s["spec"]["clusterIP"] = json!("10.0.0.1"))),
        0
    );
    assert_eq!(service(|_| {}).made_for(&key, "other").len(), 0);
}
