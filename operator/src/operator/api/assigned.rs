//! Which Configuration an app was given, read from its pods: a sidecar is not
//! asked, as it could name any.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use security::AppIdentity;
use tokio::sync::Semaphore;

use super::super::cluster::{RequestError, request};
use super::super::service::{ANNOTATION_CONFIG, app_id_of_pod};

/// Look-ups at a time: each is a connection, and a thousand sidecars may ask
/// at once.
const READERS: usize = 8;
/// Longest value of a label.
const LONGEST_LABEL: usize = 63;
const PAGE: u32 = 500;

/// Looks at pods. Cheap to clone.
#[derive(Clone)]
pub(in super::super) struct Pods {
    client: kube::Client,
    permits: Arc<Semaphore>,
}

impl Pods {
    pub(in super::super) fn new(client: kube::Client) -> Self {
        Self {
            client,
            permits: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// The name of the app's Configuration; `None` when it was given none.
    pub(super) async fn configuration_of(
        &self,
        caller: &AppIdentity,
    ) -> Result<Option<String>, RequestError> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &caller.namespace);
        let app_id = caller.app_id.as_str();
        // The injector labels pods; the API server answers this from memory.
        if is_label(app_id) {
            let labelled = ListParams::default()
                .labels(&format!("dapr.io/app-id={app_id}"))
                .match_any();
            let pods = request(api.list_metadata(&labelled)).await?;
            match assigned(&pods.items, app_id) {
                Assigned::Unknown => {}
                known => return Ok(known.name()),
            }
        }
        // Sidecars that were added by hand.
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let pods = request(api.list_metadata(&page)).await?;
            match assigned(&pods.items, app_id) {
                Assigned::Unknown => {}
                known => return Ok(known.name()),
            }
            match pods.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(None),
            }
        }
    }
}

/// What the pods of an app say.
#[derive(Debug, PartialEq, Eq)]
enum Assigned {
    /// None of these pods belongs to the app.
    Unknown,
    Nothing,
    Configuration(String),
}

impl Assigned {
    fn name(self) -> Option<String> {
        match self {
            Self::Configuration(name) => Some(name),
            Self::Nothing | Self::Unknown => None,
        }
    }
}

fn assigned(pods: &[PartialObjectMeta<Pod>], app_id: &str) -> Assigned {
    let mut known = Assigned::Unknown;
    let none = BTreeMap::new();
    for pod in pods {
        let annotations = pod.metadata.annotations.as_ref().unwrap_or(&none);
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        if app_id_of_pod(annotations, name) != Some(app_id) {
            continue;
        }
        match annotations.get(ANNOTATION_CONFIG) {
            Some(config) if !config.is_empty() => return Assigned::Configuration(config.clone()),
            _ => known = Assigned::Nothing,
        }
    }
    known
}

/// Whether a text may stand in a label selector.
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= LONGEST_LABEL
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::ObjectMeta;

    fn pod(name: &str, annotations: &[(&str, &str)]) -> PartialObjectMeta<Pod> {
        let pairs = annotations.iter();
        PartialObjectMeta {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                annotations: Some(
                    pairs
                        .map(|(key, value)| (format!("dapr.io/{key}"), (*value).to_owned()))
                        .collect(),
                ),
                ..ObjectMeta::default()
            },
            ..PartialObjectMeta::default()
        }
    }

    #[test]
    fn the_first_pod_of_the_app_with_a_configuration_decides() {
        let pods = [
            pod("plain", &[("app-id", "cart"), ("config", "no-sidecar")]),
            pod("a", &[("enabled", "yes"), ("app-id", "cart")]),
            pod(
                "b",
                &[("enabled", "true"), ("app-id", "cart"), ("config", "")],
            ),
            pod(
                "c",
                &[("enabled", "true"), ("id", "cart"), ("config", "tracing")],
            ),
            pod(
                "d",
                &[("enabled", "true"), ("app-id", "cart"), ("config", "later")],
            ),
            pod("bare", &[("enabled", "1"), ("config", "mine")]),
        ];
        let named = |name: &str| Assigned::Configuration(name.to_owned());
        assert_eq!(assigned(&pods, "cart"), named("tracing"));
        assert_eq!(assigned(&pods[..3], "cart"), Assigned::Nothing);
        assert_eq!(assigned(&pods, "bare"), named("mine"));
        assert_eq!(assigned(&pods, "plain"), Assigned::Unknown);
    }

    #[test]
    fn what_is_no_label_is_looked_for_without_one() {
        assert!(is_label("cart-1.x_y"));
        for id in ["", "-a", "a-", "a,b", "a b", &"a".repeat(64)] {
            assert!(!is_label(id), "{id}");
        }
    }
}
