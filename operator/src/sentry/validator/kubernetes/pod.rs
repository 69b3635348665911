//! Who a pod is, by its annotations.

use super::Refusal;
use crate::sentry::cluster::Metadata;
use crate::sentry::validator::is_control_plane;

/// The identity a pod may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// A control-plane service, as `dapr-operator`.
    ControlPlane(String),
    /// An app by its id.
    App(String),
}

impl Expected {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::ControlPlane(id) | Self::App(id) => id,
        }
    }

    /// Names under which the API server, or a peer, calls a control-plane
    /// service. Differs from Dapr: the injector has a second Service, and an
    /// app that is merely called like a service gets no such name.
    pub(super) fn dns_names(&self, namespace: &str) -> Vec<String> {
        let Self::ControlPlane(id) = self else {
            return Vec::new();
        };
        match id.as_str() {
            "dapr-injector" => vec![
                format!("dapr-sidecar-injector.{namespace}.svc"),
                format!("dapr-sidecar-injector-unready.{namespace}.svc"),
            ],
            "dapr-operator" => vec![format!("dapr-webhook.{namespace}.svc")],
            // The domain is fixed in Dapr too.
            "dapr-scheduler" => (0..3)
                .map(|index| {
                    format!(
                        "dapr-scheduler-server-{index}.dapr-scheduler-server.{namespace}.svc.cluster.local"
                    )
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// `control_plane` is the namespace of the control plane.
pub(super) fn expected(pod: &Metadata, control_plane: &str) -> Result<Expected, Refusal> {
    let annotations = pod.annotations.clone().unwrap_or_default();
    let Some(service) = annotations.control_plane else {
        return Ok(Expected::App(
            annotations
                .app_id
                .or(annotations.id)
                .unwrap_or_else(|| pod.name.clone()),
        ));
    };
    if pod.namespace != control_plane {
        return Err(Refusal::ControlPlaneNamespace(pod.namespace.clone()));
    }
    let id = format!("dapr-{service}");
    if !is_control_plane(&id) {
        return Err(Refusal::UnknownControlPlane(pod.name.clone()));
    }
    if annotations.app_id.is_some() {
        return Err(Refusal::ControlPlaneApp(pod.name.clone()));
    }
    Ok(Expected::ControlPlane(id))
}
