use std::sync::Arc;

use api::operator::v1::ResourceEventType::{self, Created, Deleted, Updated};
use kube::core::DynamicObject;
use lifecycle::health::Health;
use serde_json::{Value, json};

use super::super::cluster::ObjectKey;
use super::super::mirror::Mirror as _;
use super::change::Change;
use super::secrets::put;
use super::*;

fn resiliency(name: &str, version: u32, scopes: &[&str]) -> DynamicObject {
    serde_json::from_value(json!({
        "metadata": {
            "name": name, "namespace": "shop", "resourceVersion": version.to_string(),
            "managedFields": [{"manager": "kubectl", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": {"policies": {"timeouts": {"fast": "1s"}}},
        "scopes": scopes,
    }))
    .unwrap()
}

fn object(version: u32, scopes: &[&str]) -> Arc<Object> {
    let (_, object) = Object::new(Kind::Resiliency, resiliency("r", version, scopes)).unwrap();
    Arc::new(object)
}

#[test]
fn objects_are_sent_as_stored_without_bookkeeping() {
    let (key, object) = Object::new(Kind::Resiliency, resiliency("r", 7, &["a"])).unwrap();
    assert_eq!((key.namespace.as_str(), key.name.as_str()), ("shop", "r"));
    let sent: Value = serde_json::from_slice(&object.json).unwrap();
    assert_eq!(
        sent,
        json!({
            "apiVersion": "dapr.io/v1alpha1", "kind": "Resiliency",
            "metadata": {"name": "r", "namespace": "shop", "resourceVersion": "7"},
            "spec": {"policies": {"timeouts": {"fast": "1s"}}},
            "scopes": ["a"],
        })
    );
}

/// (before, after) as version and scopes, and what app `a` is told: the event
/// and the version of the object in it.
#[test]
fn scopes_decide_what_a_change_is_to_an_app() {
    type Row<'a> = (
        Option<(u32, &'a [&'a str])>,
        Option<(u32, &'a [&'a str])>,
        Option<(ResourceEventType, &'a str)>,
    );
    let rows: [Row<'_>; 11] = [
        (None, Some((1, &[])), Some((Created, "1"))),
        (None, Some((1, &["b", "a"])), Some((Created, "1"))),
        (None, Some((1, &["b"])), None),
        (Some((1, &[])), None, Some((Deleted, "1"))),
        (Some((1, &["b"])), None, None),
        (Some((1, &["a"])), Some((2, &["a"])), Some((Updated, "2"))),
        (Some((1, &["a"])), Some((2, &["b"])), Some((Deleted, "1"))),
        (
            Some((1, &["b"])),
            Some((2, &["a", "b"])),
            Some((Created, "2")),
        ),
        (Some((1, &["b"])), Some((2, &["A"])), None),
        (Some((1, &[])), Some((1, &[])), None),
        (None, None, None),
    ];
    for (before, after, told) in rows {
        let make = |given: Option<(u32, &[&str])>| given.map(|(v, scopes)| object(v, scopes));
        let change = Change {
            before: make(before),
            after: make(after),
        };
        let event = change.event("a");
        let event = event.map(|(event, object)| (event, object.resource_version.as_str()));
        assert_eq!(event, told, "{before:?} -> {after:?}");
    }
}

fn hub() -> (Hub, HubMirror) {
    let hub = Hub::new(Kind::Resiliency);
    let mirror = HubMirror {
        hub: hub.clone(),
        health: Health::default().target("operator-cache"),
    };
    (hub, mirror)
}

async fn told(subscription: &Subscription) -> Vec<(ResourceEventType, String, String)> {
    let mut events = Vec::new();
    loop {
        tokio::select! {
            biased;
            change = subscription.next() => {
                if let Some((event, object)) = change.event("a") {
                    events.push((event, object.name.clone(), object.resource_version.clone()));
                }
            }
            () = std::future::ready(()) => return events,
        }
    }
}

#[tokio::test]
async fn the_first_list_is_no_news_and_a_later_one_tells_the_difference() {
    let (hub, mut mirror) = hub();
    let subscription = hub.subscribe("shop");
    let elsewhere = hub.subscribe("other");
    mirror.apply(resiliency("old", 1, &[]));
    mirror.apply(resiliency("gone", 2, &[]));
    mirror.synced();
    assert_eq!(told(&subscription).await, []);
    // Listed anew: one unchanged, one changed, one not there any more.
    mirror.apply(resiliency("old", 1, &[]));
    mirror.apply(resiliency("new", 3, &[]));
    mirror.delete(&ObjectKey {
        namespace: "shop".to_owned(),
        name: "gone".to_owned(),
    });
    mirror.synced();
    assert_eq!(
        told(&subscription).await,
        [
            (Created, "new".to_owned(), "3".to_owned()),
            (Deleted, "gone".to_owned(), "2".to_owned()),
        ]
    );
    assert_eq!(told(&elsewhere).await, []);
    let names: Vec<_> = hub.list("shop").iter().map(|o| o.name.clone()).collect();
    assert_eq!(names, ["new", "old"]);
}

#[tokio::test]
async fn a_slow_listener_gets_the_sum_of_what_it_missed() {
    let (hub, mut mirror) = hub();
    mirror.apply(resiliency("kept", 1, &[]));
    mirror.synced();
    let subscription = hub.subscribe("shop");
    let key = |name: &str| ObjectKey {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
    };
    for version in 2..100 {
        mirror.apply(resiliency("kept", version, &[]));
        mirror.apply(resiliency("brief", version, &[]));
    }
    mirror.delete(&key("brief"));
    mirror.delete(&key("kept"));
    mirror.apply(resiliency("kept", 200, &[]));
    assert_eq!(
        told(&subscription).await,
        [(Updated, "kept".to_owned(), "200".to_owned())]
    );
    drop(subscription);
    mirror.delete(&key("kept"));
    assert!(hub.list("shop").is_empty());
}

fn secrets() -> std::collections::BTreeMap<String, std::collections::BTreeMap<String, Vec<u8>>> {
    let data = [("token", "s3cret"), ("tls", "PEM")];
    let data = data.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    [("tls".to_owned(), data.into())].into()
}

#[test]
fn secrets_of_endpoints_and_components_are_base64() {
    let mut endpoint = json!({"spec": {
        "headers": [
            {"name": "plain", "value": "x"},
            {"name": "auth", "secretKeyRef": {"name": "tls", "key": "token"}},
            {"name": "none", "secretKeyRef": {"name": "tls", "key": "nope"}},
        ],
        "clientTLS": {"rootCA": {"secretKeyRef": {"name": "tls"}}, "renegotiation": "Never"},
    }});
    put(Kind::HttpEndpoint, &mut endpoint, &secrets()).unwrap();
    assert_eq!(
        endpoint["spec"]["headers"][0],
        json!({"name": "plain", "value": "x"})
    );
    assert_eq!(endpoint["spec"]["headers"][1]["value"], "czNjcmV0");
    assert_eq!(
        endpoint["spec"]["headers"][1]["secretKeyRef"]["key"],
        "token"
    );
    assert_eq!(endpoint["spec"]["headers"][2]["value"], "");
    assert_eq!(endpoint["spec"]["clientTLS"]["rootCA"]["value"], "UEVN");

    let mut component = json!({"auth": {"secretStore": "kubernetes"}, "spec": {"metadata": [
        {"name": "password", "secretKeyRef": {"name": "tls", "key": "token"}},
        {"name": "kept", "value": "as is", "secretKeyRef": {"name": "tls", "key": "nope"}},
    ]}});
    put(Kind::Component, &mut component, &secrets()).unwrap();
    assert_eq!(component["spec"]["metadata"][0]["value"], "czNjcmV0");
    assert_eq!(component["spec"]["metadata"][1]["value"], "as is");

    let mut vault = json!({"auth": {"secretStore": "vault"}, "spec": {"metadata": [
        {"name": "password", "secretKeyRef": {"name": "tls", "key": "token"}},
    ]}});
    let before = vault.clone();
    put(Kind::Component, &mut vault, &secrets()).unwrap();
    assert_eq!(vault, before);
}

#[test]
fn secrets_of_configurations_are_plain_and_must_exist() {
    let configuration = |key: &str| {
        json!({"spec": {"tracing": {"otel": {"headers": [
            {"name": "auth", "secretKeyRef": {"name": "tls", "key": key}},
        ]}}}})
    };
    let mut given = configuration("token");
    put(Kind::Configuration, &mut given, &secrets()).unwrap();
    assert_eq!(
        given["spec"]["tracing"]["otel"]["headers"][0]["value"],
        "s3cret"
    );
    for (key, reason) in [
        ("", "secretKeyRef of secret tls names no key"),
        ("nope", "secret tls has no key nope"),
    ] {
        let error = put(Kind::Configuration, &mut configuration(key), &secrets()).unwrap_err();
        assert_eq!(error.to_string(), reason);
    }
}
