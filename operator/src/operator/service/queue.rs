//! What the reconciler has to look at: each item once however often it is
//! named, and none again too soon after it failed or had to be put right, so
//! that nobody who works against us makes us write for ever.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::super::cluster::Backoff;
use super::app::WorkloadRef;
use super::index::AppKey;

/// Pauses after a failure. Cluster-wide trouble touches all items at once, so
/// the longest is long.
const FAILURES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(5));
/// Pauses after a Service was put right that had been right before. The first
/// is short: an edit is to be undone within two seconds.
const DRIFTS: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_mins(5));
/// A Service that stays right for this long starts anew.
const CALM: Duration = Duration::from_mins(2);

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Item {
    /// The Service of an app.
    Service(AppKey),
    /// A workload whose app id cannot be used.
    Problem(WorkloadRef),
}

/// How an item went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As it should be, or made so for the first time.
    Settled,
    /// It had been changed by somebody else and was put right.
    PutRight,
    /// To be tried again.
    Failed,
}

/// Cheap to clone; holds nothing until [`Queue::open`].
#[derive(Clone, Default)]
pub(super) struct Queue {
    inner: Arc<Mutex<Inner>>,
    wake: Arc<Notify>,
}

#[derive(Default)]
struct Inner {
    open: bool,
    ready: VecDeque<Item>,
    /// What `ready` holds.
    queued: HashSet<Item>,
    /// What is being worked on.
    busy: HashSet<Item>,
    later: BTreeSet<(Instant, Item)>,
    holds: HashMap<Item, Hold>,
}

/// An item that must not come up before `until`.
struct Hold {
    until: Instant,
    pauses: Backoff,
    after: Outcome,
}

impl Queue {
    /// Forgets everything and takes items from now on.
    pub(super) fn open(&self) {
        *self.inner.lock() = Inner {
            open: true,
            ..Inner::default()
        };
    }

    /// Forgets everything and takes no items.
    pub(super) fn close(&self) {
        *self.inner.lock() = Inner::default();
    }

    /// A user changed something: earlier failures mean nothing now.
    pub(super) fn changed(&self, item: Item) {
        let mut inner = self.inner.lock();
        if inner.open {
            inner.holds.remove(&item);
            inner.push(item);
            self.wake.notify_one();
        }
    }

    /// Something of ours changed.
    pub(super) fn drifted(&self, item: Item) {
        let mut inner = self.inner.lock();
        if !inner.open {
            return;
        }
        match inner.holds.get(&item).map(|hold| hold.until) {
            Some(until) if until > Instant::now() => {
                inner.later.insert((until, item));
            }
            _ => inner.push(item),
        }
        self.wake.notify_one();
    }

    /// The caches are complete: whoever waits for that looks again.
    pub(super) fn synced(&self) {
        self.wake.notify_one();
    }

    /// Completes when there may be something new.
    pub(super) async fn wait(&self) {
        let next = self.inner.lock().later.first().map(|(at, _)| *at);
        match next {
            Some(at) => tokio::select! {
                () = self.wake.notified() => {}
                () = sleep_until(at) => {}
            },
            None => self.wake.notified().await,
        }
    }

    /// Something to work on, until [`Queue::done`].
    pub(super) fn take(&self) -> Option<Item> {
        let mut inner = self.inner.lock();
        let now = Instant::now();
        while let Some((at, _)) = inner.later.first()
            && *at <= now
            && let Some((_, item)) = inner.later.pop_first()
        {
            inner.push(item);
        }
        let free = inner
            .ready
            .iter()
            .position(|item| !inner.busy.contains(item))?;
        let item = inner.ready.remove(free)?;
        inner.queued.remove(&item);
        inner.busy.insert(item.clone());
        Some(item)
    }

    /// Says how an item went.
    pub(super) fn done(&self, item: Item, outcome: Outcome) {
        let mut inner = self.inner.lock();
        inner.busy.remove(&item);
        let pauses = match outcome {
            Outcome::Settled => {
                if inner
                    .holds
                    .get(&item)
                    .is_some_and(|hold| hold.after == Outcome::Failed)
                {
                    inner.holds.remove(&item);
                }
                return;
            }
            Outcome::PutRight => DRIFTS,
            Outcome::Failed => FAILURES,
        };
        let now = Instant::now();
        let mut hold = inner
            .holds
            .remove(&item)
            .filter(|hold| hold.after == outcome && hold.until + CALM > now)
            .unwrap_or(Hold {
                until: now,
                pauses,
                after: outcome,
            });
        hold.until = now + hold.pauses.pause();
        if outcome == Outcome::Failed || inner.queued.contains(&item) {
            // What was named meanwhile has to wait as well.
            inner.queued.remove(&item);
            inner.ready.retain(|other| *other != item);
            inner.later.insert((hold.until, item.clone()));
        }
        inner.holds.insert(item, hold);
    }
}

impl Inner {
    fn push(&mut self, item: Item) {
        if self.queued.insert(item.clone()) {
            self.ready.push_back(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(app_id: &str) -> Item {
        Item::Service(AppKey {
            namespace: "shop".to_owned(),
            app_id: app_id.to_owned(),
        })
    }

    fn open() -> Queue {
        let queue = Queue::default();
        queue.changed(item("early"));
        queue.open();
        queue
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_comes_up_once_and_never_twice_at_a_time() {
        let queue = open();
        queue.changed(item("a"));
        queue.drifted(item("a"));
        assert_eq!(queue.take(), Some(item("a")));
        queue.changed(item("a"));
        assert_eq!(queue.take(), None);
        queue.done(item("a"), Outcome::Settled);
        assert_eq!(queue.take(), Some(item("a")));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time_unless_a_user_changes_something() {
        let queue = open();
        queue.changed(item("a"));
        let mut last = Duration::ZERO;
        for _ in 0..4 {
            let item = queue.take().unwrap();
            queue.done(item.clone(), Outcome::Failed);
            queue.drifted(item);
            assert_eq!(queue.take(), None);
            let before = Instant::now();
            queue.wait().await;
            let waited = loop {
                if queue.inner.lock().later.first().unwrap().0 <= Instant::now() {
                    break before.elapsed();
                }
                queue.wait().await;
            };
            assert!(waited > last, "{waited:?}");
            last = waited;
        }
        let first = queue.take().unwrap();
        queue.done(first, Outcome::Failed);
        queue.changed(item("a"));
        assert_eq!(queue.take(), Some(item("a")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_tug_of_war_slows_down() {
        let queue = open();
        queue.changed(item("a"));
        let mut writes = 0;
        let begun = Instant::now();
        // Whoever works against us undoes every write at once.
        while begun.elapsed() < Duration::from_mins(1) {
            if let Some(item) = queue.take() {
                writes += 1;
                queue.done(item.clone(), Outcome::PutRight);
                queue.drifted(item);
            }
            queue.wait().await;
        }
        assert!((5..=12).contains(&writes), "{writes}");
    }
}
