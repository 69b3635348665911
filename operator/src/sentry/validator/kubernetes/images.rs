//! The images a pod runs, for a certificate extension: a verifier can see
//! which code holds the key. Mirrors Dapr 1.18 pkg/sentry/server/images.

use serde::Serialize;

use crate::sentry::cluster::{Container, ContainerStatus, Pod};

const SIDECAR: &str = "daprd";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    role: &'static str,
    container_name: &'a str,
    image: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
}

/// JSON with the native sidecars first, then the containers; `None` for a pod
/// without any.
pub(super) fn of(pod: &Pod) -> Option<Vec<u8>> {
    let sidecars = pod
        .spec
        .init_containers
        .iter()
        .filter(|container| container.restart_policy.as_deref() == Some("Always"))
        .map(|container| entry(container, &pod.status.init_container_statuses));
    let containers = pod
        .spec
        .containers
        .iter()
        .map(|container| entry(container, &pod.status.container_statuses));
    let entries: Vec<_> = sidecars.chain(containers).collect();
    if entries.is_empty() {
        return None;
    }
    serde_json::to_vec(&entries).ok()
}

fn entry<'a>(container: &'a Container, statuses: &'a [ContainerStatus]) -> Entry<'a> {
    let status = statuses.iter().find(|status| status.name == container.name);
    Entry {
        role: if container.name == SIDECAR {
            "daprd"
        } else {
            "app"
        },
        container_name: &container.name,
        image: &container.image,
        digest: status.and_then(|status| digest(&status.image_id)),
    }
}

/// The digest in `registry/x@sha256:…` or in a bare `sha256:…`.
fn digest(image_id: &str) -> Option<&str> {
    match image_id.rsplit_once('@') {
        Some((_, digest)) => Some(digest).filter(|digest| !digest.is_empty()),
        None => image_id.starts_with("sha256:").then_some(image_id),
    }
}
