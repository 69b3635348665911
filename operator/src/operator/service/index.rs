//! What the watches know: apps by workload, workloads by app id, and Services.
//! Kept on every replica, so that a new leader can write at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use lifecycle::health::Target;
use parking_lot::Mutex;

use super::super::cluster::ObjectKey;
use super::super::mirror::Mirror;
use super::app::{App, Workload, WorkloadKind, WorkloadRef};
use super::desired::Desired;
use super::observed::{Observed, Service};
use super::queue::{Item, Queue};

/// An app id in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct AppKey {
    pub(super) namespace: String,
    pub(super) app_id: String,
}

/// Shared by the watches, which write it, and the reconciler, which reads it.
#[derive(Clone)]
pub(in super::super) struct Index {
    state: Arc<Mutex<State>>,
    pub(super) queue: Queue,
    mtls: bool,
}

#[derive(Default)]
struct State {
    apps: HashMap<WorkloadRef, App>,
    /// Only apps that can have a Service.
    by_app: HashMap<AppKey, BTreeSet<WorkloadRef>>,
    services: HashMap<ObjectKey, Observed>,
    /// Lists that have not been complete yet.
    unsynced: BTreeSet<Source>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Workloads(WorkloadKind),
    Services,
}

impl Index {
    /// `mtls` is whether sidecars speak TLS to each other.
    pub(in super::super) fn new(mtls: bool) -> Self {
        let kinds = super::KINDS.map(|(kind, _)| Source::Workloads(kind));
        let state = State {
            unsynced: kinds.into_iter().chain([Source::Services]).collect(),
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            queue: Queue::default(),
            mtls,
        }
    }

    /// True once every list was complete: from then on what is absent here
    /// does not exist.
    pub(super) fn is_synced(&self) -> bool {
        self.state.lock().unsynced.is_empty()
    }

    /// The Service that an app should have; `None` when no workload carries
    /// the id.
    pub(super) fn desired(&self, key: &AppKey) -> Option<Desired> {
        let state = self.state.lock();
        let apps: Vec<_> = state
            .by_app
            .get(key)?
            .iter()
            .filter_map(|at| state.apps.get_key_value(at))
            .collect();
        Desired::of(&apps, self.mtls)
    }

    /// The workloads that carry an app id, with their uids.
    pub(super) fn workloads(&self, key: &AppKey) -> Vec<(WorkloadRef, String)> {
        let state = self.state.lock();
        let apps = state.by_app.get(key).into_iter().flatten();
        apps.filter_map(|at| Some((at.clone(), state.apps.get(at)?.uid.clone())))
            .collect()
    }

    pub(super) fn observed(&self, key: &ObjectKey) -> Option<Observed> {
        self.state.lock().services.get(key).cloned()
    }

    /// Why a workload can have no Service, with its uid.
    pub(super) fn problem(&self, at: &WorkloadRef) -> Option<(String, String)> {
        let state = self.state.lock();
        let app = state.apps.get(at)?;
        Some((app.problem()?, app.uid.clone()))
    }

    /// Everything there is to look at.
    pub(super) fn everything(&self) -> Vec<Item> {
        let state = self.state.lock();
        let problems = state
            .apps
            .iter()
            .filter(|(_, app)| app.problem().is_some())
            .map(|(at, _)| Item::Problem(at.clone()));
        let apps = state.by_app.keys().cloned().map(Item::Service);
        let services = state.services.keys().filter_map(app_key).map(Item::Service);
        let items: BTreeSet<Item> = problems.chain(apps).chain(services).collect();
        items.into_iter().collect()
    }

    /// Takes a workload as it is now, `None` for gone or without sidecars.
    /// What does not concern its Service wakes nobody.
    fn set_app(&self, at: WorkloadRef, app: Option<App>) {
        let mut state = self.state.lock();
        let before = state.apps.get(&at);
        if before == app.as_ref() {
            return;
        }
        let keys = [before, app.as_ref()].map(|app| app_key_of(&at, app?));
        if let [Some(before), _] = &keys {
            state.leave(before, &at);
        }
        if let [_, Some(after)] = &keys {
            state
                .by_app
                .entry(after.clone())
                .or_default()
                .insert(at.clone());
        }
        let problem = app.as_ref().is_some_and(|app| app.problem().is_some());
        match app {
            Some(app) => state.apps.insert(at.clone(), app),
            None => state.apps.remove(&at),
        };
        drop(state);
        for key in keys.into_iter().flatten() {
            self.queue.changed(Item::Service(key));
        }
        if problem {
            self.queue.changed(Item::Problem(at));
        }
    }

    fn set_service(&self, key: ObjectKey, service: Option<Observed>) {
        let Some(app) = app_key(&key) else {
            return;
        };
        let mut state = self.state.lock();
        match service {
            Some(service) => state.services.insert(key, service),
            None => state.services.remove(&key),
        };
        drop(state);
        self.queue.drifted(Item::Service(app));
    }

    fn synced(&self, source: Source) {
        let mut state = self.state.lock();
        if state.unsynced.remove(&source) && state.unsynced.is_empty() {
            drop(state);
            self.queue.synced();
        }
    }
}

impl State {
    fn leave(&mut self, key: &AppKey, at: &WorkloadRef) {
        if let Some(workloads) = self.by_app.get_mut(key) {
            workloads.remove(at);
            if workloads.is_empty() {
                self.by_app.remove(key);
            }
        }
    }
}

/// `None` for an app that can have no Service.
fn app_key_of(at: &WorkloadRef, app: &App) -> Option<AppKey> {
    app.problem().is_none().then(|| AppKey {
        namespace: at.key.namespace.clone(),
        app_id: app.id.clone(),
    })
}

/// The app a Service of this name would belong to.
fn app_key(service: &ObjectKey) -> Option<AppKey> {
    Some(AppKey {
        namespace: service.namespace.clone(),
        app_id: service.name.strip_suffix("-dapr")?.to_owned(),
    })
}

/// Brings the workloads of one kind into the index.
pub(in super::super) struct WorkloadMirror {
    pub(in super::super) index: Index,
    pub(in super::super) kind: WorkloadKind,
    pub(in super::super) health: Target,
}

impl WorkloadMirror {
    fn at(&self, key: ObjectKey) -> WorkloadRef {
        let kind = self.kind;
        WorkloadRef { kind, key }
    }
}

impl Mirror<Workload> for WorkloadMirror {
    fn apply(&mut self, workload: Workload) -> bool {
        let Some(key) = ObjectKey::of(&workload.metadata) else {
            return false;
        };
        let app = App::of(workload);
        let kept = app.is_some();
        self.index.set_app(self.at(key), app);
        kept
    }

    fn delete(&mut self, key: &ObjectKey) {
        self.index.set_app(self.at(key.clone()), None);
    }

    fn synced(&mut self) {
        self.index.synced(Source::Workloads(self.kind));
        self.health.ready();
    }
}

/// Brings our Services into the index.
pub(in super::super) struct ServiceMirror {
    pub(in super::super) index: Index,
    pub(in super::super) health: Target,
}

impl Mirror<Service> for ServiceMirror {
    fn apply(&mut self, service: Service) -> bool {
        let Some(key) = ObjectKey::of(&service.metadata) else {
            return false;
        };
        if app_key(&key).is_none() {
            return false;
        }
        self.index.set_service(key, Some(Observed::of(service)));
        true
    }

    fn delete(&mut self, key: &ObjectKey) {
        self.index.set_service(key.clone(), None);
    }

    fn synced(&mut self) {
        self.index.synced(Source::Services);
        self.health.ready();
    }
}
