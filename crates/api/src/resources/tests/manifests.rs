//! Manifests as users write them, read and written again.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::resources::{
    Component, Configuration, HttpEndpoint, Resiliency, Subscription, SubscriptionV1,
};

/// Nothing is lost, added or changed on the way through `K`.
fn survives<K: DeserializeOwned + Serialize>(manifest: &str) -> K {
    let written: Value = serde_saphyr::from_str(manifest).unwrap();
    let read: K = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), written);
    read
}

#[test]
fn a_configuration_survives() {
    let read: Configuration = survives(include_str!("samples/configuration.yaml"));
    let spec = read.spec.unwrap();
    let policies = spec.access_control.unwrap().policies;
    assert_eq!(policies[0].operations[1].http_verb, ["POST", "GET"]);
    let headers = spec.tracing.unwrap().otel.unwrap().headers;
    let secret = headers[1].secret_key_ref.as_ref().unwrap();
    assert_eq!(secret.key.as_deref(), Some("token"));
}

#[test]
fn a_resiliency_survives() {
    let read: Resiliency = survives(include_str!("samples/resiliency.yaml"));
    let policies = read.spec.unwrap().policies;
    assert_eq!(policies.retries["forever"].max_retries, Some(-1));
    let matching = policies.retries["important"].matching.as_ref().unwrap();
    assert_eq!(matching.grpc_status_codes.as_deref(), Some("4,14"));
}

#[test]
fn an_http_endpoint_survives() {
    let read: HttpEndpoint = survives(include_str!("samples/httpendpoint.yaml"));
    assert_eq!(read.auth.unwrap().secret_store, "kubernetes");
    let headers = read.spec.unwrap().headers;
    assert_eq!(headers[1].value, Some(Value::from(5)));
}

#[test]
fn a_component_survives() {
    let read: Component = survives(include_str!("samples/component.yaml"));
    assert_eq!(read.scopes, ["nodeapp", "pythonapp"]);
}

#[test]
fn subscriptions_of_both_versions_survive() {
    let read: Subscription = survives(include_str!("samples/subscription-v2alpha1.yaml"));
    let routes = read.spec.unwrap().routes;
    assert_eq!(routes.rules[0].condition, r#"event.type == "widget""#);
    let read: SubscriptionV1 = survives(include_str!("samples/subscription-v1alpha1.yaml"));
    assert_eq!(read.spec.unwrap().route, "/orders");
}

#[test]
fn an_object_without_spec_or_type_is_read() {
    // Events of an update stream may lack `apiVersion` and `kind`.
    let read: Configuration = serde_json::from_str(r#"{"metadata":{"name":"a"}}"#).unwrap();
    assert_eq!(read.spec, None);
    assert_eq!(
        serde_json::to_string(&read).unwrap(),
        r#"{"metadata":{"name":"a"}}"#
    );
}

#[test]
fn a_missing_required_member_is_named() {
    let manifest = r#"{"spec":{"tracing":{"otel":{"protocol":"grpc","isSecure":true}}}}"#;
    let error = serde_json::from_str::<Configuration>(manifest).unwrap_err();
    assert!(error.to_string().contains("endpointAddress"), "{error}");
}

#[test]
fn a_number_is_no_string() {
    let manifest = r#"{"spec":{"tracing":{"samplingRate":1}}}"#;
    assert!(serde_json::from_str::<Configuration>(manifest).is_err());
}
