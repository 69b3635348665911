//! One watch per kind feeds everyone who asks about it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kube::core::DynamicObject;
use lifecycle::health::Target;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::super::SCOPE;
use super::super::cluster::ObjectKey;
use super::super::mirror::Mirror;
use super::change::{Change, Inbox};
use super::kind::{Kind, Object};

/// All objects of a kind. Cheap to clone.
#[derive(Clone)]
pub(in super::super) struct Hub {
    kind: Kind,
    state: Arc<Mutex<State>>,
    synced: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// By namespace, then by name.
    objects: HashMap<String, BTreeMap<String, Arc<Object>>>,
    /// By namespace.
    inboxes: HashMap<String, Vec<Arc<Inbox>>>,
}

/// Changes in one namespace since the subscription began.
pub(in super::super) struct Subscription {
    hub: Hub,
    namespace: String,
    inbox: Arc<Inbox>,
}

// === impl Hub ===

impl Hub {
    pub(in super::super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            state: Arc::default(),
            synced: watch::Sender::new(false),
        }
    }

    pub(in super::super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Waits until absence means that an object does not exist.
    pub(in super::super) async fn synced(&self) {
        // The sender lives as long as this value.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    pub(in super::super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Object>> {
        let state = self.state.lock();
        state.objects.get(namespace)?.get(name).cloned()
    }

    /// Sorted by name.
    pub(in super::super) fn list(&self, namespace: &str) -> Vec<Arc<Object>> {
        let state = self.state.lock();
        let objects = state.objects.get(namespace);
        objects.map_or_else(Vec::new, |objects| objects.values().cloned().collect())
    }

    pub(in super::super) fn subscribe(&self, namespace: &str) -> Subscription {
        let inbox = Arc::new(Inbox::default());
        let mut state = self.state.lock();
        let inboxes = state.inboxes.entry(namespace.to_owned()).or_default();
        inboxes.push(Arc::clone(&inbox));
        drop(state);
        Subscription {
            hub: self.clone(),
            namespace: namespace.to_owned(),
            inbox,
        }
    }

    /// Takes an object as it is now, `None` for gone, and tells everyone. The
    /// first list tells nobody anything new.
    pub(super) fn set(&self, key: &ObjectKey, after: Option<Object>) {
        let after = after.map(Arc::new);
        let mut state = self.state.lock();
        let objects = state.objects.entry(key.namespace.clone()).or_default();
        let before = match &after {
            Some(after) => objects.insert(key.name.clone(), Arc::clone(after)),
            None => objects.remove(&key.name),
        };
        if objects.is_empty() {
            state.objects.remove(&key.namespace);
        }
        if !*self.synced.borrow() {
            return;
        }
        let version = |object: &Option<Arc<Object>>| {
            object
                .as_ref()
                .map(|object| object.resource_version.clone())
        };
        if version(&before) == version(&after) {
            return;
        }
        let change = Change { before, after };
        for inbox in state.inboxes.get(&key.namespace).into_iter().flatten() {
            inbox.push(&change);
        }
    }
}

// === impl Subscription ===

impl Subscription {
    pub(in super::super) async fn next(&self) -> Change {
        self.inbox.next().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.hub.state.lock();
        if let Some(inboxes) = state.inboxes.get_mut(&self.namespace) {
            inboxes.retain(|inbox| !Arc::ptr_eq(inbox, &self.inbox));
            if inboxes.is_empty() {
                state.inboxes.remove(&self.namespace);
            }
        }
    }
}

/// Brings the objects of a kind into its hub.
pub(in super::super) struct HubMirror {
    pub(in super::super) hub: Hub,
    pub(in super::super) health: Target,
}

impl Mirror<DynamicObject> for HubMirror {
    fn apply(&mut self, object: DynamicObject) -> bool {
        let Some((key, object)) = Object::new(self.hub.kind, object) else {
            return false;
        };
        self.hub.set(&key, Some(object));
        true
    }

    fn delete(&mut self, key: &ObjectKey) {
        self.hub.set(key, None);
    }

    fn synced(&mut self) {
        if !self.hub.synced.send_replace(true) {
            tracing::debug!(target: SCOPE, "cache of {} is complete", self.hub.kind.plural());
        }
        self.health.ready();
    }
}
