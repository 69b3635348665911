//! Volumes of the pod and mounts of the sidecar.

use serde_json::{Value, json};

use super::args::SOCKETS;
use super::{Context, Operation};
use crate::annotations::{self as names, Annotations};
use crate::pod::contains_name;

/// Memory shared between app and sidecar, for their sockets.
pub(super) const SOCKET_VOLUME: &str = "dapr-unix-domain-socket";
const TOKEN_VOLUME: &str = "dapr-identity-token";
/// Where daprd looks for its token.
const TOKEN_MOUNT: &str = "/var/run/secrets/dapr.io/sentrytoken";
/// Life of a token; the kubelet renews it well before.
const TOKEN_SECONDS: u32 = 7200;
/// Readable by everybody in the pod, which is what a token needs whose reader
/// may run as any user.
const TOKEN_MODE: u32 = 0o644;

/// The directory in which the app wants to find the sockets, if it does.
pub(super) fn socket_directory<'a>(annotations: &Annotations<'a>) -> Option<&'a str> {
    annotations.non_empty(names::of_flag("unix-domain-socket"))
}

/// Adds what the pod lacks.
pub(super) fn operations(context: &Context<'_>, annotations: &Annotations<'_>) -> Vec<Operation> {
    let mut volumes = Vec::new();
    if socket_directory(annotations).is_some() {
        volumes.push(json!({"name": SOCKET_VOLUME, "emptyDir": {"medium": "Memory"}}));
    }
    if context.settings.token_volume {
        volumes.push(token_volume(context));
    }
    let present = context.pod.volumes;
    volumes.retain(|volume| !contains_name(present, crate::pod::item_text(volume, "name")));
    if volumes.is_empty() {
        return Vec::new();
    }
    if present.is_none_or(<[Value]>::is_empty) {
        return vec![Operation::add(["spec", "volumes"], Value::Array(volumes))];
    }
    volumes
        .into_iter()
        .map(|volume| Operation::add(["spec", "volumes", "-"], volume))
        .collect()
}

fn token_volume(context: &Context<'_>) -> Value {
    let settings = context.settings;
    let audience = format!(
        "spiffe://{}/ns/{}/dapr-sentry",
        settings.trust_domain, settings.namespace
    );
    json!({
        "name": TOKEN_VOLUME,
        "projected": {
            "defaultMode": TOKEN_MODE,
            "sources": [{"serviceAccountToken": {
                "audience": audience,
                "expirationSeconds": TOKEN_SECONDS,
                "path": "token",
            }}],
        },
    })
}

/// Where the sidecar sees which volume.
pub(super) fn mounts(context: &Context<'_>, annotations: &mut Annotations<'_>) -> Vec<Value> {
    let mut mounts = Vec::new();
    for (annotation, read_only) in [
        (names::VOLUME_MOUNTS, true),
        (names::VOLUME_MOUNTS_RW, false),
    ] {
        for (name, path) in annotations.text(annotation).map(parse).unwrap_or_default() {
            if !contains_name(context.pod.volumes, name) {
                annotations.warn(format!(
                    "annotation {annotation}: the pod has no volume {name:?}"
                ));
            } else if read_only {
                mounts.push(json!({"name": name, "mountPath": path, "readOnly": true}));
            } else {
                mounts.push(json!({"name": name, "mountPath": path}));
            }
        }
    }
    if socket_directory(annotations).is_some() {
        mounts.push(json!({"name": SOCKET_VOLUME, "mountPath": SOCKETS}));
    }
    if context.settings.token_volume {
        mounts.push(json!({"name": TOKEN_VOLUME, "mountPath": TOKEN_MOUNT, "readOnly": true}));
    }
    mounts
}

/// `name:path` pairs between commas; what has another form is left out.
fn parse(text: &str) -> Vec<(&str, &str)> {
    text.split(',')
        .filter_map(|entry| {
            let (name, path) = entry.trim().split_once(':')?;
            (!path.contains(':')).then_some((name.trim(), path.trim()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_pairs() {
        assert_eq!(
            parse(" a : /x ,b:/y, c ,d:/z:ro,,e:"),
            [("a", "/x"), ("b", "/y"), ("e", "")]
        );
    }
}
