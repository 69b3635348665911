//! What the API server is told about each kind.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::Resource;
use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::resources::{
    Component, Configuration, HttpEndpoint, Resiliency, Subscription, SubscriptionV1, definitions,
    schema,
};

const FREE: &str = "x-kubernetes-preserve-unknown-fields";

/// Every node of a schema by its path: `.` into members, `[]` into items, `.*`
/// into the values of a map.
fn nodes(schema: &Value) -> BTreeMap<String, Value> {
    fn walk(node: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
        found.insert(path.to_owned(), node.clone());
        let members = node.get("properties").and_then(Value::as_object);
        for (name, member) in members.into_iter().flatten() {
            let path = if path.is_empty() {
                name
            } else {
                &format!("{path}.{name}")
            };
            walk(member, path, found);
        }
        if let Some(items) = node.get("items") {
            walk(items, &format!("{path}[]"), found);
        }
        if let Some(values) = node.get("additionalProperties") {
            walk(values, &format!("{path}.*"), found);
        }
    }
    let mut found = BTreeMap::new();
    walk(schema, "", &mut found);
    found
}

fn of<K: JsonSchema>() -> BTreeMap<String, Value> {
    nodes(&serde_json::to_value(schema::of::<K>()).unwrap())
}

/// `path: value` of every node that has the keyword.
fn with(nodes: &BTreeMap<String, Value>, keyword: &str) -> Vec<String> {
    nodes
        .iter()
        .filter_map(|(path, node)| {
            let value = node.get(keyword)?;
            let mut value = value.clone();
            if let (true, Value::Array(names)) = (keyword == "required", &mut value) {
                names.sort_by_key(Value::to_string);
            }
            Some(format!("{path}: {value}").replace('"', ""))
        })
        .collect()
}

fn all() -> Vec<(&'static str, BTreeMap<String, Value>)> {
    vec![
        ("Component", of::<Component>()),
        ("Configuration", of::<Configuration>()),
        ("HTTPEndpoint", of::<HttpEndpoint>()),
        ("Resiliency", of::<Resiliency>()),
        ("Subscription v2alpha1", of::<Subscription>()),
        ("Subscription v1alpha1", of::<SubscriptionV1>()),
    ]
}

#[test]
fn only_structural_keywords_are_used_and_none_is_lost() {
    let known = BTreeSet::from([
        "additionalProperties",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "properties",
        "required",
        "type",
        FREE,
    ]);
    for (kind, nodes) in all() {
        for (path, node) in nodes {
            let keywords = node.as_object().unwrap().keys();
            let odd: Vec<_> = keywords
                .filter(|key| !known.contains(key.as_str()))
                .collect();
            assert!(odd.is_empty(), "{kind} {path}: {odd:?}");
            assert!(
                node.get("type").is_some_and(Value::is_string) || node.get(FREE).is_some(),
                "{kind} {path}: {node}"
            );
        }
    }
    let typed = serde_json::to_value(schema::of::<Configuration>()).unwrap();
    assert_eq!(typed, schema::structural::<Configuration>());
}

#[test]
fn spec_scopes_and_auth_are_siblings_and_none_is_required() {
    let members = |nodes: &BTreeMap<String, Value>| -> Vec<String> {
        let members = nodes[""]["properties"].as_object().unwrap();
        members.keys().cloned().collect()
    };
    for (kind, nodes) in all() {
        assert_eq!(nodes[""].get("required"), None, "{kind}");
        let expected: &[&str] = match kind {
            "Configuration" => &["spec"],
            "Component" | "HTTPEndpoint" => &["auth", "scopes", "spec"],
            _ => &["scopes", "spec"],
        };
        assert_eq!(members(&nodes), expected, "{kind}");
    }
}

#[test]
fn configuration_requires_what_upstream_requires() {
    assert_eq!(
        with(&of::<Configuration>(), "required"),
        [
            "spec.accessControl.policies[]: [appId]",
            "spec.accessControl.policies[].operations[]: [action,name]",
            "spec.api.allowed[]: [name,version]",
            "spec.api.denied[]: [name,version]",
            "spec.appHttpPipeline: [handlers]",
            "spec.appHttpPipeline.handlers[]: [name,type]",
            "spec.appHttpPipeline.handlers[].selector: [fields]",
            "spec.appHttpPipeline.handlers[].selector.fields[]: [field,value]",
            "spec.features[]: [enabled,name]",
            "spec.httpPipeline: [handlers]",
            "spec.httpPipeline.handlers[]: [name,type]",
            "spec.httpPipeline.handlers[].selector: [fields]",
            "spec.httpPipeline.handlers[].selector.fields[]: [field,value]",
            "spec.metric: [enabled]",
            "spec.metric.rules[]: [labels,name]",
            "spec.metric.rules[].labels[]: [name,regex]",
            "spec.metrics: [enabled]",
            "spec.metrics.rules[]: [labels,name]",
            "spec.metrics.rules[].labels[]: [name,regex]",
            "spec.mtls: [controlPlaneTrustDomain,enabled,sentryAddress]",
            "spec.mtls.tokenValidators[]: [name]",
            "spec.nameResolution: [component,configuration,version]",
            "spec.secrets: [scopes]",
            "spec.secrets.scopes[]: [storeName]",
            "spec.tracing: [samplingRate]",
            "spec.tracing.otel: [endpointAddress,isSecure,protocol]",
            "spec.tracing.otel.headers[]: [name]",
            "spec.tracing.otel.headers[].secretKeyRef: [name]",
            "spec.tracing.zipkin: [endpointAddress]",
        ]
    );
}

#[test]
fn the_other_kinds_require_what_upstream_requires() {
    assert_eq!(
        with(&of::<Resiliency>(), "required"),
        ["spec: [policies,targets]"]
    );
    assert_eq!(
        with(&of::<HttpEndpoint>(), "required"),
        [
            "auth: [secretStore]",
            "spec: [baseUrl]",
            "spec.clientTLS.certificate.secretKeyRef: [name]",
            "spec.clientTLS.privateKey.secretKeyRef: [name]",
            "spec.clientTLS.rootCA.secretKeyRef: [name]",
            "spec.headers[]: [name]",
            "spec.headers[].secretKeyRef: [name]",
        ]
    );
    assert_eq!(
        with(&of::<Component>(), "required"),
        [
            "auth: [secretStore]",
            "spec: [metadata,type,version]",
            "spec.metadata[]: [name]",
            "spec.metadata[].secretKeyRef: [name]",
        ]
    );
    assert_eq!(
        with(&of::<Subscription>(), "required"),
        [
            "spec: [pubsubname,routes,topic]",
            "spec.bulkSubscribe: [enabled]",
            "spec.routes.rules[]: [match,path]",
        ]
    );
    assert_eq!(
        with(&of::<SubscriptionV1>(), "required"),
        [
            "spec: [pubsubname,route,topic]",
            "spec.bulkSubscribe: [enabled]",
        ]
    );
}

#[test]
fn free_form_members_are_the_only_ones_not_pruned() {
    let mut found = Vec::new();
    for (kind, nodes) in all() {
        for (path, node) in &nodes {
            if node.get(FREE).is_some() {
                let shape = if node.get("type").is_some() {
                    "object"
                } else {
                    "any"
                };
                found.push(format!("{kind} {path} {shape}"));
            }
        }
    }
    assert_eq!(
        found,
        [
            "Component spec.metadata[].value any",
            "Configuration spec.mtls.tokenValidators[].options object",
            "Configuration spec.nameResolution.configuration object",
            "Configuration spec.tracing.otel.headers[].value any",
            "HTTPEndpoint spec.clientTLS.certificate.value any",
            "HTTPEndpoint spec.clientTLS.privateKey.value any",
            "HTTPEndpoint spec.clientTLS.rootCA.value any",
            "HTTPEndpoint spec.headers[].value any",
        ]
    );
}

#[test]
fn two_defaults_two_enums_and_no_default_for_metrics() {
    let gather = |keyword| -> Vec<String> {
        let found = all().into_iter();
        found.flat_map(|(_, nodes)| with(&nodes, keyword)).collect()
    };
    assert_eq!(
        gather("default"),
        [
            "spec.metric: {enabled:true}",
            "spec.clientTLS.renegotiation: Never"
        ]
    );
    assert_eq!(
        gather("enum"),
        [
            "spec.mtls.tokenValidators[].name: [jwks]",
            "spec.clientTLS.renegotiation: [Never,OnceAsClient,FreelyAsClient]"
        ]
    );
}

#[test]
fn only_workflow_and_bulk_limits_are_32_bits_wide() {
    for (kind, nodes) in all() {
        for (path, node) in nodes.iter().filter(|(_, node)| node["type"] == "integer") {
            let narrow = path.starts_with("spec.workflow.") || path.starts_with("spec.bulk");
            let expected = narrow.then(|| json!("int32"));
            assert_eq!(node.get("format"), expected.as_ref(), "{kind} {path}");
        }
    }
}

#[test]
fn names_versions_and_label_are_upstreams() {
    let found: Vec<Value> = definitions()
        .iter()
        .map(|definition| {
            let mut plain = serde_json::to_value(definition).unwrap();
            for version in plain["spec"]["versions"].as_array_mut().unwrap() {
                version.as_object_mut().unwrap().remove("schema");
            }
            plain
        })
        .collect();
    let expected = |kind: &str, plural: &str| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": format!("{plural}.dapr.io"),
                "labels": { "app.kubernetes.io/part-of": "dapr" },
            },
            "spec": {
                "group": "dapr.io",
                "names": {
                    "kind": kind,
                    "listKind": format!("{kind}List"),
                    "plural": plural,
                    "singular": kind.to_lowercase(),
                },
                "scope": "Namespaced",
                "versions": [{ "name": "v1alpha1", "served": true, "storage": true }],
            },
        })
    };
    let mut subscription = expected("Subscription", "subscriptions");
    subscription["spec"]["conversion"] = json!({ "strategy": "None" });
    subscription["spec"]["versions"] = json!([
        { "name": "v1alpha1", "served": true, "storage": false },
        { "name": "v2alpha1", "served": true, "storage": true },
    ]);
    assert_eq!(
        found,
        [
            expected("Component", "components"),
            expected("Configuration", "configurations"),
            expected("HTTPEndpoint", "httpendpoints"),
            expected("Resiliency", "resiliencies"),
            subscription,
        ]
    );
}

#[test]
fn typed_clients_find_the_right_address() {
    assert_eq!(Resiliency::URL_PATH_SEGMENT, "resiliencies");
    assert_eq!(HttpEndpoint::API_VERSION, "dapr.io/v1alpha1");
    assert_eq!(Subscription::API_VERSION, "dapr.io/v2alpha1");
    assert_eq!(SubscriptionV1::VERSION, "v1alpha1");
}
