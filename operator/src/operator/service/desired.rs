//! The Service an app should have: names, ports and annotations are what other
//! sidecars, scrapers and users of Dapr 1.18 expect. Mirrors
//! pkg/operator/handlers/dapr_handler.go.

use std::collections::BTreeMap;

use api::ports;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::cluster::ObjectKey;
use super::app::{App, WorkloadRef};
use super::app_id::service_name;

/// Every Service of ours has this label.
pub(super) const LABEL: (&str, &str) = ("dapr.io/enabled", "true");
/// Annotation of the Service, and label of every injected pod.
pub(super) const APP_ID: &str = "dapr.io/app-id";
/// What makes scrapers find the sidecars. Nobody else sets these on our
/// Services, so they also go when metrics are switched off.
pub(super) const SCRAPE: [&str; 4] = [
    "prometheus.io/probe",
    "prometheus.io/scrape",
    "prometheus.io/port",
    "prometheus.io/path",
];

type Texts = BTreeMap<String, String>;

/// A port, as it is written and as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Port {
    #[serde(default)]
    pub(super) name: String,
    pub(super) protocol: Option<String>,
    #[serde(rename = "port")]
    pub(super) number: i32,
    /// A number, or the name of a container's port.
    #[serde(rename = "targetPort")]
    pub(super) target: Value,
    pub(super) app_protocol: Option<String>,
}

/// An owner, as it is written and as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owner {
    pub(super) uid: String,
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) controller: bool,
    pub(super) block_owner_deletion: bool,
}

/// The fields of a Service that are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Desired {
    /// Where the Service is.
    pub(super) key: ObjectKey,
    pub(super) app_id: String,
    pub(super) annotations: Texts,
    /// Sorted.
    pub(super) owners: Vec<Owner>,
    pub(super) selector: Texts,
    pub(super) ports: Vec<Port>,
    /// Keys of `sidecar-svc-annotations` that are ours already.
    pub(super) refused: Vec<String>,
}

impl Desired {
    /// From all workloads with one app id in one namespace; `None` without
    /// any. `mtls` is whether sidecars speak TLS to each other.
    ///
    /// The oldest workload controls the Service and names its ports, so that a
    /// canary that comes and goes changes the selector and nothing else.
    pub(super) fn of(apps: &[(&WorkloadRef, &App)], mtls: bool) -> Option<Self> {
        let (first, app) = *apps.iter().min_by_key(|(at, app)| (app.created, *at))?;
        let (annotations, refused) = annotations(app);
        let mut owners: Vec<Owner> = apps
            .iter()
            .map(|(at, app)| Owner {
                uid: app.uid.clone(),
                api_version: "apps/v1".to_owned(),
                kind: at.kind.name().to_owned(),
                name: at.key.name.clone(),
                controller: *at == first,
                block_owner_deletion: true,
            })
            .collect();
        owners.sort();
        Some(Self {
            key: ObjectKey {
                namespace: first.key.namespace.clone(),
                name: service_name(&app.id),
            },
            app_id: app.id.clone(),
            annotations,
            owners,
            selector: selector(apps, app),
            ports: ports(app, mtls),
            refused,
        })
    }

    /// The object to apply.
    pub(super) fn object(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": self.key.name,
                "namespace": self.key.namespace,
                "labels": { LABEL.0: LABEL.1 },
                "annotations": self.annotations,
                "ownerReferences": self.owners,
            },
            "spec": {
                "clusterIP": "None",
                "selector": self.selector,
                "ports": self.ports,
            },
        })
    }
}

/// What all the apps' pods have in common and nobody else's.
fn selector(apps: &[(&WorkloadRef, &App)], first: &App) -> Texts {
    if apps.iter().all(|(_, app)| app.selector == first.selector) {
        return first.selector.clone();
    }
    Texts::from([(APP_ID.to_owned(), first.id.clone())])
}

/// Reachable from other pods is `dapr-internal` only: the others listen on
/// loopback and are there for compatibility.
fn ports(app: &App, mtls: bool) -> Vec<Port> {
    let internal = if mtls { "tls" } else { "grpc" };
    [
        ("dapr-http", 80, ports::DAPR_HTTP, "http"),
        ("dapr-grpc", app.grpc_port, app.grpc_port, "grpc"),
        (
            "dapr-internal",
            app.internal_port,
            app.internal_port,
            internal,
        ),
        ("dapr-metrics", app.metrics_port, app.metrics_port, "http"),
    ]
    .into_iter()
    .map(|(name, port, target, protocol)| Port {
        name: name.to_owned(),
        protocol: Some("TCP".to_owned()),
        number: port.into(),
        target: target.into(),
        app_protocol: Some(protocol.to_owned()),
    })
    .collect()
}

fn annotations(app: &App) -> (Texts, Vec<String>) {
    let mut annotations = Texts::from([(APP_ID.to_owned(), app.id.clone())]);
    if app.scrape {
        let port = app.metrics_port.to_string();
        let values = ["true", "true", port.as_str(), "/"];
        let pairs = SCRAPE.iter().zip(values);
        annotations.extend(pairs.map(|(key, value)| ((*key).to_owned(), value.to_owned())));
    }
    let mut refused = Vec::new();
    for (key, value) in pairs(&app.extra) {
        if annotations.contains_key(key) {
            refused.push(key.to_owned());
        } else {
            annotations.insert(key.to_owned(), value.to_owned());
        }
    }
    (annotations, refused)
}

/// `a=b, c=d=e`: what is no pair is skipped.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
        .filter(|(key, _)| !key.is_empty())
}
