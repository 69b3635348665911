//! Makes Services what they should be. Runs on the leader only; dropping the
//! future stops it at once.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use parking_lot::Mutex;
use serde_json::Value;

use super::super::cluster::{ObjectKey, RequestError, objects, optional, request};
use super::super::election::{Fence, NotLeader};
use super::super::event::{Recorder, Subject};
use super::super::metrics::Metrics;
use super::super::{MANAGER, SCOPE};
use super::app::{App, Workload, WorkloadRef};
use super::app_id::service_name;
use super::desired::Desired;
use super::index::{AppKey, Index};
use super::observed::{Difference, Observed, Service};
use super::queue::{Item, Outcome, Queue};

/// Items in work at a time; each has one request open.
const CONCURRENCY: usize = 8;

/// Reason of events about app ids that cannot be used.
const INVALID_APP_ID: &str = "InvalidAppId";
/// Reason of events about Services that cannot be written.
const SERVICE_FAILED: &str = "ServiceFailed";

/// Writes what [`Index`] asks for.
pub(in super::super) struct Reconciler {
    client: kube::Client,
    index: Index,
    metrics: Arc<Metrics>,
    recorder: Recorder,
    /// What the users of a workload were told last.
    told: Mutex<HashMap<WorkloadRef, String>>,
}

#[derive(Debug, thiserror::Error)]
enum ReconcileError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(
        "Service {name} exists with cluster IP {cluster_ip:?} and cannot become headless: remove it, then the app can be called by name"
    )]
    Taken { name: String, cluster_ip: String },
    #[error(transparent)]
    NotLeader(#[from] NotLeader),
}

impl ReconcileError {
    /// Whether the user has to do something.
    fn is_for_user(&self) -> bool {
        match self {
            Self::Request(error) => error.is_invalid(),
            Self::Taken { .. } => true,
            Self::NotLeader(_) => false,
        }
    }
}

/// Closes the queue when the reconciler stops.
struct Open<'a>(&'a Queue);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Reconciler {
    pub(in super::super) fn new(
        client: kube::Client,
        index: Index,
        metrics: Arc<Metrics>,
        recorder: Recorder,
    ) -> Self {
        Self {
            client,
            index,
            metrics,
            recorder,
            told: Mutex::default(),
        }
    }

    /// Never returns.
    pub(in super::super) async fn run(&self, fence: &Fence) {
        let queue = &self.index.queue;
        queue.open();
        let _open = Open(queue);
        while !self.index.is_synced() {
            queue.wait().await;
        }
        for item in self.index.everything() {
            queue.changed(item);
        }
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < CONCURRENCY
                && let Some(item) = queue.take()
            {
                running.push(self.handle(item, fence));
            }
            tokio::select! {
                Some((item, outcome)) = running.next(), if !running.is_empty() => {
                    queue.done(item, outcome);
                }
                () = queue.wait() => {}
            }
        }
    }

    async fn handle(&self, item: Item, fence: &Fence) -> (Item, Outcome) {
        let outcome = match &item {
            Item::Service(key) => self.service(key, fence).await,
            Item::Problem(at) => self.problem(at).await,
        };
        (item, outcome)
    }

    async fn problem(&self, at: &WorkloadRef) -> Outcome {
        match self.index.problem(at) {
            Some((problem, uid)) => self.tell(at, &uid, INVALID_APP_ID, &problem).await,
            None => Outcome::Settled,
        }
    }

    async fn service(&self, key: &AppKey, fence: &Fence) -> Outcome {
        let error = match self.reconcile(key, fence).await {
            Ok(outcome) => {
                self.forget(key);
                return outcome;
            }
            Err(error) => error,
        };
        let AppKey { namespace, app_id } = key;
        if matches!(&error, ReconcileError::Request(error) if error.is_namespace_ending()) {
            return Outcome::Settled;
        }
        if error.is_for_user() {
            let message = error.to_string();
            for (at, uid) in self.index.workloads(key) {
                self.tell(&at, &uid, SERVICE_FAILED, &message).await;
            }
        } else {
            tracing::warn!(target: SCOPE, namespace, app_id, "failed to reconcile the service: {error}");
        }
        Outcome::Failed
    }

    async fn reconcile(&self, key: &AppKey, fence: &Fence) -> Result<Outcome, ReconcileError> {
        let at = ObjectKey {
            namespace: key.namespace.clone(),
            name: service_name(&key.app_id),
        };
        let known = self.index.observed(&at);
        let Some(want) = self.index.desired(key) else {
            return match known {
                Some(service) => self.remove(key, &at, &service, fence).await,
                None => Ok(Outcome::Settled),
            };
        };
        if known
            .is_some_and(|known| known.terminating || known.difference(&want) == Difference::None)
        {
            return Ok(Outcome::Settled);
        }
        // The watch may lag behind what we wrote ourselves.
        let api = objects::<Service>(&self.client, &super::services(), Some(&at.namespace));
        let Some(service) = optional(api.get(&at.name)).await?.map(Observed::of) else {
            return self.create(&api, &want, fence).await;
        };
        match service.difference(&want) {
            Difference::None => Ok(Outcome::Settled),
            Difference::Field(field) => self.update(&api, &want, &service, field, fence).await,
            Difference::ClusterIp(cluster_ip) => Err(ReconcileError::Taken {
                name: at.name,
                cluster_ip,
            }),
        }
    }

    async fn create(
        &self,
        api: &Api<Service>,
        want: &Desired,
        fence: &Fence,
    ) -> Result<Outcome, ReconcileError> {
        apply(api, want, fence).await?;
        self.metrics.service_created(&want.app_id);
        let (namespace, name) = (&want.key.namespace, &want.key.name);
        tracing::info!(target: SCOPE, namespace, name, "created service");
        warn_of_refused(want);
        Ok(Outcome::Settled)
    }

    async fn update(
        &self,
        api: &Api<Service>,
        want: &Desired,
        found: &Observed,
        field: &'static str,
        fence: &Fence,
    ) -> Result<Outcome, ReconcileError> {
        let remaining = match apply(api, want, fence).await {
            Ok(applied) if applied.difference(want) == Difference::None => None,
            Ok(applied) => Some(applied),
            // What others added contradicts what we apply.
            Err(ReconcileError::Request(error)) if error.is_invalid() => Some(found.clone()),
            Err(error) => return Err(error),
        };
        if let Some(service) = remaining {
            patch(api, want, &Patch::Merge(service.replacement(want)), fence).await?;
        }
        self.metrics.service_updated(&want.app_id);
        let (namespace, name) = (&want.key.namespace, &want.key.name);
        tracing::info!(target: SCOPE, namespace, name, "updated service: {field} differed");
        warn_of_refused(want);
        Ok(Outcome::PutRight)
    }

    /// Deletes a Service that nobody asks for any more. What is deleted
    /// together with its workload is left to garbage collection, which knows
    /// whether dependents are to stay.
    async fn remove(
        &self,
        key: &AppKey,
        at: &ObjectKey,
        service: &Observed,
        fence: &Fence,
    ) -> Result<Outcome, ReconcileError> {
        if service.terminating {
            return Ok(Outcome::Settled);
        }
        let mut abandoned = false;
        for (owner, uid) in service.made_for(at, &key.app_id) {
            let kind = owner.kind.resource();
            let api = objects::<Workload>(&self.client, &kind, Some(&at.namespace));
            let Some(workload) = optional(api.get(&owner.key.name)).await? else {
                continue;
            };
            let metadata = &workload.metadata;
            if metadata.uid.as_deref() != Some(uid) || metadata.deletion_timestamp.is_some() {
                continue;
            }
            if App::of(workload).is_some_and(|app| app.id == key.app_id) {
                // The watch is about to say so.
                return Ok(Outcome::Settled);
            }
            abandoned = true;
        }
        if !abandoned {
            return Ok(Outcome::Settled);
        }
        fence.check()?;
        let api = objects::<Service>(&self.client, &super::services(), Some(&at.namespace));
        let unchanged = DeleteParams::default().preconditions(Preconditions {
            uid: Some(service.uid.clone()),
            resource_version: Some(service.resource_version.clone()),
        });
        match request(api.delete(&at.name, &unchanged)).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => return Ok(Outcome::Settled),
            Err(error) => return Err(error.into()),
        }
        self.metrics.service_deleted(&key.app_id);
        let (namespace, name) = (&at.namespace, &at.name);
        tracing::info!(target: SCOPE, namespace, name, "deleted service: its workload has another app id or no sidecar");
        Ok(Outcome::Settled)
    }

    /// Tells the users of a workload, unless they know.
    async fn tell(&self, at: &WorkloadRef, uid: &str, reason: &str, message: &str) -> Outcome {
        if self.told.lock().get(at).is_some_and(|told| told == message) {
            return Outcome::Settled;
        }
        let kind = at.kind.name();
        let ObjectKey { namespace, name } = &at.key;
        tracing::warn!(target: SCOPE, kind, namespace, name, "{message}");
        let subject = Subject {
            api_version: "apps/v1",
            kind,
            namespace,
            name,
            uid,
        };
        match self.recorder.warn(&subject, reason, message).await {
            Ok(()) => {
                self.told.lock().insert(at.clone(), message.to_owned());
                Outcome::Settled
            }
            Err(error) => {
                tracing::warn!(target: SCOPE, kind, namespace, name, "failed to create an event: {error}");
                Outcome::Failed
            }
        }
    }

    fn forget(&self, key: &AppKey) {
        let mut told = self.told.lock();
        if told.is_empty() {
            return;
        }
        for (at, _) in self.index.workloads(key) {
            told.remove(&at);
        }
    }
}

async fn apply(
    api: &Api<Service>,
    want: &Desired,
    fence: &Fence,
) -> Result<Observed, ReconcileError> {
    patch(api, want, &Patch::Apply(want.object()), fence).await
}

async fn patch(
    api: &Api<Service>,
    want: &Desired,
    patch: &Patch<Value>,
    fence: &Fence,
) -> Result<Observed, ReconcileError> {
    fence.check()?;
    let mut parameters = PatchParams::apply(MANAGER);
    // The fields are ours by contract, whoever wrote them last.
    parameters.force = matches!(patch, Patch::Apply(_));
    let written = request(api.patch(&want.key.name, &parameters, patch)).await?;
    Ok(Observed::of(written))
}

fn warn_of_refused(want: &Desired) {
    for key in &want.refused {
        let (namespace, name) = (&want.key.namespace, &want.key.name);
        tracing::warn!(target: SCOPE, namespace, name, "annotation {key} of the service is reserved, ignored in dapr.io/sidecar-svc-annotations");
    }
}
