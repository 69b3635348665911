//! What a Service needs to know about a workload, read from the annotations of
//! its pod template. Mirrors Dapr 1.18 pkg/operator/meta/meta.go.

use std::collections::BTreeMap;

use api::flags::truthy;
use api::ports;
use jiff::Timestamp;
use kube::core::ApiResource;
use serde::Deserialize;

use super::super::cluster::{self, ObjectKey, Partial};
use super::app_id;

const ENABLED: &str = "dapr.io/enabled";
const APP_ID: &str = "dapr.io/app-id";
/// The name of `dapr.io/app-id` before Dapr 1.0; used where the new one is absent.
const LEGACY_APP_ID: &str = "dapr.io/id";
/// Names the app's Configuration.
pub(in super::super) const ANNOTATION_CONFIG: &str = "dapr.io/config";
const ENABLE_METRICS: &str = "dapr.io/enable-metrics";
const METRICS_PORT: (&str, u16) = ("dapr.io/metrics-port", ports::METRICS);
const GRPC_PORT: (&str, u16) = ("dapr.io/grpc-port", ports::DAPR_GRPC);
const INTERNAL_PORT: (&str, u16) = ("dapr.io/internal-grpc-port", ports::DAPR_INTERNAL_GRPC);
const SERVICE_ANNOTATIONS: &str = "dapr.io/sidecar-svc-annotations";

type Texts = BTreeMap<String, String>;

/// The kinds that get a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) enum WorkloadKind {
    Deployment,
    StatefulSet,
}

/// Which workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) struct WorkloadRef {
    pub(in super::super) kind: WorkloadKind,
    pub(in super::super) key: ObjectKey,
}

/// The part of a Deployment or StatefulSet that is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct WorkloadSpec {
    selector: Selector,
    template: Template,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Selector {
    match_labels: Option<Texts>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Template {
    metadata: Option<TemplateMetadata>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct TemplateMetadata {
    annotations: Option<Texts>,
}

/// A Deployment or StatefulSet.
pub(in super::super) type Workload = Partial<WorkloadSpec>;

/// An annotated workload, reduced to what its Service is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct App {
    pub(super) uid: String,
    pub(super) created: Option<Timestamp>,
    /// As written, valid or not.
    pub(super) id: String,
    pub(super) selector: Texts,
    pub(super) grpc_port: u16,
    pub(super) internal_port: u16,
    /// Off, scrapers do not find it; the port stays in the Service.
    pub(super) scrape: bool,
    pub(super) metrics_port: u16,
    /// `sidecar-svc-annotations` as written.
    pub(super) extra: String,
}

// === impl WorkloadKind ===

impl WorkloadKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        [Self::Deployment, Self::StatefulSet]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    pub(in super::super) fn resource(self) -> ApiResource {
        let plural = match self {
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
        };
        cluster::resource("apps", "v1", self.name(), plural)
    }
}

// === impl App ===

impl App {
    /// `None` for a workload without sidecars, or on its way out: its Service
    /// goes with it by garbage collection.
    pub(super) fn of(workload: Workload) -> Option<Self> {
        let Partial { metadata, spec } = workload;
        if metadata.deletion_timestamp.is_some() {
            return None;
        }
        let annotations = spec.template.metadata?.annotations?;
        let text = |name: &str| annotations.get(name).map(String::as_str);
        if !text(ENABLED).is_some_and(truthy) {
            return None;
        }
        let port = |(name, default): (&str, u16)| {
            text(name)
                .and_then(|text| text.parse().ok())
                .filter(|port| *port != 0)
                .unwrap_or(default)
        };
        Some(Self {
            uid: metadata.uid.unwrap_or_default(),
            created: metadata.creation_timestamp.map(|time| time.0),
            id: app_id_in(&annotations).unwrap_or_default().to_owned(),
            selector: spec.selector.match_labels.unwrap_or_default(),
            grpc_port: port(GRPC_PORT),
            internal_port: port(INTERNAL_PORT),
            scrape: text(ENABLE_METRICS).is_none_or(|text| text.is_empty() || truthy(text)),
            metrics_port: port(METRICS_PORT),
            extra: text(SERVICE_ANNOTATIONS).unwrap_or_default().to_owned(),
        })
    }

    /// Why it can have no Service.
    pub(super) fn problem(&self) -> Option<String> {
        app_id::validate(&self.id).err()
    }
}

/// The app id of a pod with a sidecar; `None` for other pods.
pub(in super::super) fn app_id_of_pod<'a>(
    annotations: &'a Texts,
    name: &'a str,
) -> Option<&'a str> {
    if !annotations.get(ENABLED).is_some_and(|text| truthy(text)) {
        return None;
    }
    Some(
        app_id_in(annotations)
            .filter(|id| !id.is_empty())
            .unwrap_or(name),
    )
}

fn app_id_in(annotations: &Texts) -> Option<&str> {
    annotations
        .get(APP_ID)
        .or_else(|| annotations.get(LEGACY_APP_ID))
        .map(String::as_str)
}
