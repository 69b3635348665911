//! Environment of the sidecar, and the grammar of the annotations that add to
//! it.

use serde_json::{Value, json};

use super::Context;
use crate::annotations::{self as names, Annotations};

/// Key of a token inside its secret.
const TOKEN_KEY: &str = "token";

/// The variables in their order.
pub(super) fn env(context: &Context<'_>, annotations: &Annotations<'_>) -> Vec<Value> {
    let settings = context.settings;
    let mut env = vec![
        literal("NAMESPACE", context.namespace),
        literal("DAPR_TRUST_ANCHORS", context.current.anchors),
        field("POD_NAME", "metadata.name"),
        literal("DAPR_CONTROLPLANE_NAMESPACE", &settings.namespace),
        literal("DAPR_CONTROLPLANE_TRUST_DOMAIN", &settings.trust_domain),
    ];
    if settings.downward_api {
        env.push(field("DAPR_HOST_IP", "status.podIP"));
    }
    env.extend(added(annotations));
    for (variable, annotation) in [
        ("DAPR_API_TOKEN", names::API_TOKEN_SECRET),
        ("APP_API_TOKEN", names::APP_TOKEN_SECRET),
    ] {
        if let Some(secret) = annotations.non_empty(annotation) {
            env.push(from_secret(variable, secret, TOKEN_KEY));
        }
    }
    env
}

/// What the user adds, and the variable that lists it.
fn added(annotations: &Annotations<'_>) -> Vec<Value> {
    let plain = annotations.text(names::ENV).map(parse).unwrap_or_default();
    let secret = annotations
        .text(names::ENV_FROM_SECRET)
        .map(parse)
        .unwrap_or_default();
    let keys: Vec<&str> = plain.iter().chain(&secret).map(|(name, _)| *name).collect();
    let mut env: Vec<Value> = plain
        .iter()
        .map(|(name, value)| literal(name, value))
        .collect();
    for (name, reference) in &secret {
        let mut parts = reference.split(':').map(str::trim);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(secret), None, _) => env.push(from_secret(name, secret, secret)),
            (Some(secret), Some(key), None) => env.push(from_secret(name, secret, key)),
            _ => {}
        }
    }
    if !keys.is_empty() {
        env.push(literal("DAPR_ENV_KEYS", &keys.join(" ")));
    }
    env
}

fn literal(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

fn field(name: &str, path: &str) -> Value {
    json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}})
}

fn from_secret(name: &str, secret: &str, key: &str) -> Value {
    json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
}

/// `NAME=value` pairs. A comma ends a value only when the next name follows,
/// so values may contain commas.
fn parse(text: &str) -> Vec<(&str, &str)> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (comma, _) in text.match_indices(',') {
        if starts_with_name(text[comma + 1..].trim_start()) {
            parts.push(&text[start..comma]);
            start = comma + 1;
        }
    }
    parts.push(&text[start..]);
    parts
        .into_iter()
        .filter_map(|part| part.trim().split_once('='))
        .collect()
}

/// `[A-Za-z_][A-Za-z0-9_]*=`
fn starts_with_name(text: &str) -> bool {
    let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let rest = text.trim_start_matches(is_part);
    rest.len() < text.len()
        && rest.starts_with('=')
        && !text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        for (text, pairs) in [
            ("", vec![]),
            ("A", vec![]),
            ("A=1", vec![("A", "1")]),
            ("A=1, B=2 ,\tC = 3", vec![("A", "1"), ("B", "2 ,\tC = 3")]),
            ("A=x,k8s.pod=y,B=z", vec![("A", "x,k8s.pod=y"), ("B", "z")]),
            ("A=x,1B=y", vec![("A", "x,1B=y")]),
            ("A=b=c,D=", vec![("A", "b=c"), ("D", "")]),
            ("A=\"q,r\",_B='s'", vec![("A", "\"q,r\""), ("_B", "'s'")]),
            ("skipped,A=1", vec![("A", "1")]),
            ("A=ä,ö=1,B=ü", vec![("A", "ä,ö=1"), ("B", "ü")]),
            (",,A=1,,", vec![("A", "1,,")]),
        ] {
            assert_eq!(parse(text), pairs, "{text}");
        }
    }

    #[test]
    fn secrets() {
        let given = json!({
            "dapr.io/env": "P=1",
            "dapr.io/env-from-secret": "A=one, B= two : key ,C=x:y:z",
        });
        assert_eq!(
            added(&Annotations::new(given.as_object())),
            [
                literal("P", "1"),
                from_secret("A", "one", "one"),
                from_secret("B", "two", "key"),
                literal("DAPR_ENV_KEYS", "P A B C"),
            ]
        );
    }
}
