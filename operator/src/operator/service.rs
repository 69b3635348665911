//! The Service `<app-id>-dapr` of each app that runs in a Deployment or a
//! StatefulSet: names resolve to it. Written by the leader only, and only when
//! something differs.
//!
//! Several workloads may carry one app id (blue and green, a canary): they
//! share one Service, which then selects the label `dapr.io/app-id` that the
//! injector gives every pod, so that callers reach all of them.

mod app;
mod app_id;
mod desired;
mod index;
mod observed;
mod queue;
mod reconcile;

#[cfg(test)]
mod tests;

pub(super) use app::{ANNOTATION_CONFIG, app_id_of_pod};
pub(super) use index::{Index, ServiceMirror, WorkloadMirror};
pub(super) use reconcile::Reconciler;

use app::WorkloadKind;
use kube::core::ApiResource;

use super::cluster;

/// Label of every Service of ours, and what we watch Services by.
pub(super) const SELECTOR: &str = "dapr.io/enabled=true";

/// The kinds that get a Service, with their names for the log.
pub(super) const KINDS: [(WorkloadKind, &str); 2] = [
    (WorkloadKind::Deployment, "deployments"),
    (WorkloadKind::StatefulSet, "statefulsets"),
];

/// The kind Service.
pub(super) fn services() -> ApiResource {
    cluster::resource("", "v1", "Service", "services")
}
