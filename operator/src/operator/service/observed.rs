//! The Service an app has, and how it differs from the one it should have.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::MANAGER;
use super::super::cluster::{ObjectKey, Partial};
use super::app::{WorkloadKind, WorkloadRef};
use super::app_id::service_name;
use super::desired::{APP_ID, Desired, LABEL, Owner, Port, SCRAPE};

const HEADLESS: &str = "None";

type Texts = BTreeMap<String, String>;

/// The part of a Service that is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in super::super) struct ServiceSpec {
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    selector: Option<Texts>,
    ports: Option<Vec<Port>>,
    publish_not_ready_addresses: bool,
}

/// A Service as the API server sends it.
pub(in super::super) type Service = Partial<ServiceSpec>;

/// A Service, reduced to what is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) terminating: bool,
    labelled: bool,
    annotations: Texts,
    /// Keys of annotations that we wrote.
    ours: BTreeSet<String>,
    /// Sorted.
    pub(super) owners: Vec<Owner>,
    cluster_ip: String,
    selector: Texts,
    ports: Vec<Port>,
    publish_not_ready: bool,
}

/// How a Service differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Not at all.
    None,
    /// In this field, to begin with.
    Field(&'static str),
    /// It belongs to somebody else and cannot become headless.
    ClusterIp(String),
}

impl Observed {
    pub(super) fn of(service: Service) -> Self {
        let Partial { metadata, spec } = service;
        let ours = written_by_us(&metadata);
        let annotations = metadata.annotations.unwrap_or_default();
        let mut owners: Vec<Owner> = metadata
            .owner_references
            .unwrap_or_default()
            .into_iter()
            .map(|owner| Owner {
                uid: owner.uid,
                api_version: owner.api_version,
                kind: owner.kind,
                name: owner.name,
                controller: owner.controller.unwrap_or_default(),
                block_owner_deletion: owner.block_owner_deletion.unwrap_or_default(),
            })
            .collect();
        owners.sort();
        Self {
            uid: metadata.uid.unwrap_or_default(),
            resource_version: metadata.resource_version.unwrap_or_default(),
            terminating: metadata.deletion_timestamp.is_some(),
            labelled: metadata
                .labels
                .is_some_and(|labels| labels.get(LABEL.0).is_some_and(|value| value == LABEL.1)),
            ours,
            annotations,
            owners,
            cluster_ip: spec.cluster_ip,
            selector: spec.selector.unwrap_or_default(),
            ports: spec.ports.unwrap_or_default(),
            publish_not_ready: spec.publish_not_ready_addresses,
        }
    }

    /// Foreign labels and annotations are left alone, anything else that was
    /// changed behind our back is not.
    pub(super) fn difference(&self, want: &Desired) -> Difference {
        if self.cluster_ip != HEADLESS {
            return Difference::ClusterIp(self.cluster_ip.clone());
        }
        let annotated = want
            .annotations
            .iter()
            .all(|(key, value)| self.annotations.get(key) == Some(value));
        let fields = [
            (self.labelled, "metadata.labels"),
            (annotated, "metadata.annotations"),
            (self.stale(want).next().is_none(), "metadata.annotations"),
            (self.owners == want.owners, "metadata.ownerReferences"),
            (self.selector == want.selector, "spec.selector"),
            (self.ports == want.ports, "spec.ports"),
            (!self.publish_not_ready, "spec.publishNotReadyAddresses"),
        ];
        match fields.into_iter().find(|(same, _)| !same) {
            Some((_, field)) => Difference::Field(field),
            None => Difference::None,
        }
    }

    /// A merge patch that makes every field of ours what it should be, also
    /// where server-side apply leaves what others added: a second port, a
    /// second controller. Fails when the Service has changed meanwhile.
    pub(super) fn replacement(&self, want: &Desired) -> Value {
        let mut annotations: BTreeMap<&str, Value> = BTreeMap::new();
        annotations.extend(self.stale(want).map(|key| (key, Value::Null)));
        annotations.extend(
            want.annotations
                .iter()
                .map(|(key, value)| (key.as_str(), json!(value))),
        );
        let mut selector: BTreeMap<&str, Value> = BTreeMap::new();
        selector.extend(self.selector.keys().map(|key| (key.as_str(), Value::Null)));
        selector.extend(
            want.selector
                .iter()
                .map(|(key, value)| (key.as_str(), json!(value))),
        );
        json!({
            "metadata": {
                "resourceVersion": self.resource_version,
                "labels": { LABEL.0: LABEL.1 },
                "annotations": annotations,
                "ownerReferences": want.owners,
            },
            "spec": {
                "selector": selector,
                "ports": want.ports,
                "publishNotReadyAddresses": null,
            },
        })
    }

    /// The workloads that own it, with their uids, if it is a Service that an
    /// operator made for `app_id`.
    pub(super) fn made_for(&self, key: &ObjectKey, app_id: &str) -> Vec<(WorkloadRef, &str)> {
        let ours = self.labelled
            && self.cluster_ip == HEADLESS
            && key.name == service_name(app_id)
            && self.annotations.get(APP_ID).is_some_and(|id| id == app_id);
        if !ours {
            return Vec::new();
        }
        let owners = self
            .owners
            .iter()
            .filter(|owner| owner.api_version == "apps/v1");
        owners
            .filter_map(|owner| {
                let key = ObjectKey {
                    namespace: key.namespace.clone(),
                    name: owner.name.clone(),
                };
                let kind = WorkloadKind::of(&owner.kind)?;
                Some((WorkloadRef { kind, key }, owner.uid.as_str()))
            })
            .collect()
    }

    /// Annotations that were ours and should be no more.
    fn stale<'a>(&'a self, want: &'a Desired) -> impl Iterator<Item = &'a str> {
        self.annotations
            .keys()
            .map(String::as_str)
            .filter(|key| self.ours.contains(*key) || SCRAPE.contains(key))
            .filter(|key| !want.annotations.contains_key(*key))
    }
}

/// Annotations whose manager is us, whichever way they were written.
fn written_by_us(metadata: &ObjectMeta) -> BTreeSet<String> {
    let entries = metadata.managed_fields.iter().flatten();
    entries
        .filter(|entry| entry.manager.as_deref() == Some(MANAGER))
        .filter_map(|entry| {
            let fields = &entry.fields_v1.as_ref()?.0;
            fields.get("f:metadata")?.get("f:annotations")?.as_object()
        })
        .flat_map(|annotations| annotations.keys())
        .filter_map(|key| key.strip_prefix("f:"))
        .map(str::to_owned)
        .collect()
}
