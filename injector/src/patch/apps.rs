//! What the app's own containers get: variables that tell where the sidecar
//! is, and its sockets.

use api::ports;
use serde_json::{Value, json};

use super::volumes::{SOCKET_VOLUME, socket_directory};
use super::{Context, Operation};
use crate::annotations::{self as names, Annotations};
use crate::pod::{item_list, item_text};

/// Variables first, then sockets; containers of pluggable components get
/// neither.
pub(super) fn operations(
    context: &Context<'_>,
    annotations: &mut Annotations<'_>,
) -> Vec<Operation> {
    let variables = variables(annotations);
    let directory = socket_directory(annotations);
    let components: Vec<&str> = annotations
        .text(names::PLUGGABLE_COMPONENTS)
        .map(|list| list.split(',').map(str::trim).collect())
        .unwrap_or_default();
    let containers = context.pod.containers.unwrap_or_default();
    let apps = containers
        .iter()
        .enumerate()
        .filter(|(_, container)| !components.contains(&item_text(container, "name")));
    let mut operations = Vec::new();
    for (index, container) in apps.clone() {
        let missing = variables
            .iter()
            .filter(|(name, _)| !has(container, "env", "name", name))
            .map(|(name, value)| json!({"name": name, "value": value}));
        operations.extend(append(index, container, "env", missing.collect()));
    }
    if let Some(directory) = directory {
        for (index, container) in apps {
            let mounted = has(container, "volumeMounts", "mountPath", directory)
                || has(container, "volumeMounts", "name", SOCKET_VOLUME);
            if !mounted {
                let mount = json!({"name": SOCKET_VOLUME, "mountPath": directory});
                operations.extend(append(index, container, "volumeMounts", vec![mount]));
            }
        }
    }
    operations
}

fn variables(annotations: &mut Annotations<'_>) -> Vec<(&'static str, String)> {
    let port = annotations
        .int(names::of_flag("dapr-grpc-port"))
        .unwrap_or_else(|| ports::DAPR_GRPC.into());
    let mut variables = vec![
        ("DAPR_HTTP_PORT", ports::DAPR_HTTP.to_string()),
        ("DAPR_GRPC_PORT", port.to_string()),
    ];
    let given = annotations
        .text(names::of_flag("app-protocol"))
        .unwrap_or_default();
    let tls = annotations.on(names::of_flag("app-ssl"), false);
    if let Some(protocol) = protocol(given, tls) {
        variables.push(("APP_PROTOCOL", protocol.to_owned()));
    }
    variables
}

/// What the app speaks in the words SDKs know; `None` when nobody knows it.
fn protocol(given: &str, tls: bool) -> Option<&'static str> {
    Some(match (given.to_ascii_lowercase().as_str(), tls) {
        ("" | "http", false) => "http",
        ("" | "http", true) | ("https", _) => "https",
        ("grpc", false) => "grpc",
        ("grpc", true) | ("grpcs", _) => "grpcs",
        ("h2c", _) => "h2c",
        _ => return None,
    })
}

fn has(container: &Value, list: &str, key: &str, value: &str) -> bool {
    item_list(container, list)
        .iter()
        .any(|item| item_text(item, key) == value)
}

/// One operation with the whole list where there is none, else one an item.
fn append(index: usize, container: &Value, list: &str, items: Vec<Value>) -> Vec<Operation> {
    let index = index.to_string();
    if items.is_empty() {
        return Vec::new();
    }
    if item_list(container, list).is_empty() {
        let path = ["spec", "containers", &index, list];
        return vec![Operation::add(path, Value::Array(items))];
    }
    items
        .into_iter()
        .map(|item| Operation::add(["spec", "containers", &index, list, "-"], item))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols() {
        for (given, tls, protocol) in [
            ("", false, Some("http")),
            ("http", true, Some("https")),
            ("HTTPS", false, Some("https")),
            ("GRPC", true, Some("grpcs")),
            ("grpc", false, Some("grpc")),
            ("grpcs", false, Some("grpcs")),
            ("h2c", true, Some("h2c")),
            ("tcp", false, None),
        ] {
            assert_eq!(super::protocol(given, tls), protocol, "{given}");
        }
    }

    #[test]
    fn only_what_is_missing_is_added() {
        let values = |operations: Vec<Operation>| serde_json::to_value(operations).unwrap();
        let item = || json!({"name": "B", "value": "2"});
        assert_eq!(
            values(append(1, &json!({}), "env", vec![item()])),
            json!([{"op": "add", "path": "/spec/containers/1/env", "value": [item()]}])
        );
        assert_eq!(
            values(append(
                0,
                &json!({"env": [{"name": "A"}]}),
                "env",
                vec![item()]
            )),
            json!([{"op": "add", "path": "/spec/containers/0/env/-", "value": item()}])
        );
        assert_eq!(values(append(0, &json!({}), "env", vec![])), json!([]));
    }
}
