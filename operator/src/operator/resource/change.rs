//! What a change means to one app, and the queue of changes of one listener.

use std::collections::VecDeque;
use std::sync::Arc;

use api::operator::v1::ResourceEventType;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::kind::Object;

/// An object before and after; `None` where it does not exist.
#[derive(Clone, Debug)]
pub(in super::super) struct Change {
    pub(super) before: Option<Arc<Object>>,
    pub(super) after: Option<Arc<Object>>,
}

impl Change {
    pub(in super::super) fn name(&self) -> &str {
        let either = self.after.as_ref().or(self.before.as_ref());
        either.map_or("", |object| object.name.as_str())
    }

    /// What an app is told: leaving its scope is a deletion of the object as
    /// it was, entering it a creation.
    pub(in super::super) fn event(&self, app_id: &str) -> Option<(ResourceEventType, &Object)> {
        let in_scope = |object: &&Arc<Object>| object.is_in_scope(app_id);
        let before = self.before.as_ref().filter(in_scope);
        let after = self.after.as_ref().filter(in_scope);
        match (before, after) {
            (None, Some(new)) => Some((ResourceEventType::Created, new)),
            (Some(old), None) => Some((ResourceEventType::Deleted, old)),
            (Some(old), Some(new)) if old.resource_version != new.resource_version => {
                Some((ResourceEventType::Updated, new))
            }
            _ => None,
        }
    }
}

/// Changes on their way to one listener. A slow one holds at most one change
/// per object, from what it saw last to what is there now, and holds up nobody.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pending: Mutex<VecDeque<Change>>,
    arrived: Notify,
}

impl Inbox {
    pub(super) fn push(&self, change: &Change) {
        let mut pending = self.pending.lock();
        let earlier = pending
            .iter_mut()
            .find(|earlier| earlier.name() == change.name());
        match earlier {
            Some(earlier) => earlier.after.clone_from(&change.after),
            None => pending.push_back(change.clone()),
        }
        drop(pending);
        self.arrived.notify_one();
    }

    /// Waits for a change. One listener per inbox.
    pub(super) async fn next(&self) -> Change {
        loop {
            // The guard must not live across the wait.
            let change = self.pending.lock().pop_front();
            match change {
                Some(change) => return change,
                None => self.arrived.notified().await,
            }
        }
    }
}
