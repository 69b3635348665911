//! Answers kept ready for the data workers.
//!
//! Workers read a snapshot and never wait for a look-up that has an answer.
//! One task on the control thread owns the resolver: it makes the first
//! look-up of a name once for all who ask, repeats it in the background
//! while the name is in use, keeps the last answer when the resolver fails,
//! and forgets names nobody calls any more.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{debug, warn};

use super::{ResolveError, Resolver};

/// Look-ups waiting to be noticed by the control thread. Each is a call that
/// waits, and calls are bounded by the connections of the app.
const ASKS: usize = 256;
/// An address that failed starts a look-up at most this often per name.
const SETTLE: Duration = Duration::from_millis(100);

/// How answers age.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Age at which an answer is renewed.
    fresh: Duration,
    /// Pause after a failed renewal.
    retry: Duration,
    /// A name not asked for during this time is forgotten.
    forget: Duration,
    /// Answers may be this far behind; zero for lists that are exact.
    lag: Duration,
}

impl Pace {
    /// New pods of a rollout are called within the shortest time cluster DNS
    /// keeps an answer itself. Differs from Dapr, which asks every 20 s.
    pub(super) const DNS: Self = Self {
        fresh: Duration::from_secs(5),
        retry: Duration::from_secs(2),
        forget: Duration::from_mins(2),
        // What cluster DNS keeps itself, twice over.
        lag: Duration::from_secs(10),
    };
    /// Files on this machine: cheap to ask, and apps come and go.
    pub(super) const LOCAL: Self = Self {
        fresh: Duration::from_secs(1),
        retry: Duration::from_secs(1),
        forget: Duration::from_secs(30),
        lag: Duration::ZERO,
    };
    /// The same beside other machines, which say when an app comes and rarely
    /// when it is gone: whoever took its place answers within this time.
    pub(super) const NETWORK: Self = Self {
        lag: Duration::from_secs(1),
        ..Self::LOCAL
    };
}

/// App id to the entries of its namespaces, which are almost always one.
type Entries = HashMap<Arc<str>, Vec<Arc<Entry>>>;

/// The handle of the data workers; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    entries: Arc<ArcSwap<Entries>>,
    asks: Option<mpsc::Sender<Ask>>,
    lag: Duration,
}

/// The answer for one name.
#[derive(Debug)]
struct Entry {
    app_id: Arc<str>,
    namespace: Arc<str>,
    addresses: ArcSwap<Arc<[SocketAddr]>>,
    /// Asked for since the last renewal.
    used: AtomicBool,
    /// Wakes the renewal before its time.
    renew: Notify,
    /// Addresses that failed since the last look-up; the resolver is told.
    failed: Mutex<Vec<SocketAddr>>,
}

type Answer = Result<Arc<[SocketAddr]>, ResolveError>;

#[derive(Debug)]
struct Ask {
    app_id: Arc<str>,
    namespace: Arc<str>,
    reply: oneshot::Sender<Answer>,
}

impl Names {
    /// Starts the look-up task on the current runtime. `own` is our own
    /// address, which is never an answer.
    pub(super) fn start(resolver: Resolver, own: Option<SocketAddr>) -> Self {
        let pace = resolver.pace();
        Self::with_pace(resolver, own, pace)
    }

    pub(super) fn with_pace(mut resolver: Resolver, own: Option<SocketAddr>, pace: Pace) -> Self {
        let changes = resolver.changes();
        let entries = Arc::new(ArcSwap::default());
        let (sender, asks) = mpsc::channel(ASKS);
        let directory = Directory {
            resolver: Arc::new(resolver),
            entries: Arc::clone(&entries),
            tracked: HashMap::new(),
            own,
            own_reported: false,
            pace,
        };
        lifecycle::spawn("name resolution", directory.run(asks, changes)).detach();
        Self {
            entries,
            asks: Some(sender),
            lag: pace.lag,
        }
    }

    /// Without a resolver: every look-up fails.
    pub(super) fn unavailable() -> Self {
        Self {
            entries: Arc::default(),
            asks: None,
            lag: Duration::ZERO,
        }
    }

    /// How long an address may be listed that nobody is at any more, while
    /// the one that took its place is not.
    pub(crate) fn lag(&self) -> Duration {
        self.lag
    }

    /// The known addresses, never an empty list.
    pub(crate) fn get(&self, app_id: &str, namespace: &str) -> Option<Arc<[SocketAddr]>> {
        let entries = self.entries.load();
        let entry = find(&entries, app_id, namespace)?;
        // Written once per renewal, not once per call.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        let addresses = entry.known();
        (!addresses.is_empty()).then_some(addresses)
    }

    /// The known addresses, or those of a look-up.
    pub(crate) async fn resolve(&self, app_id: &str, namespace: &str) -> Answer {
        if let Some(addresses) = self.get(app_id, namespace) {
            return Ok(addresses);
        }
        let asks = self.asks.as_ref().ok_or(ResolveError::NotInitialized)?;
        let (reply, answer) = oneshot::channel();
        let ask = Ask {
            app_id: app_id.into(),
            namespace: namespace.into(),
            reply,
        };
        // Both fail only when the control thread is gone.
        asks.send(ask)
            .await
            .map_err(|_| ResolveError::NotInitialized)?;
        answer.await.map_err(|_| ResolveError::NotInitialized)?
    }

    /// Leaves an address out after a failed connection and looks again. It
    /// comes back with the next answer that still lists it.
    pub(crate) fn evict(&self, app_id: &str, namespace: &str, address: SocketAddr) {
        let entries = self.entries.load();
        let Some(entry) = find(&entries, app_id, namespace) else {
            return;
        };
        if entry.leave_out(&[address]).contains(&address) {
            debug!(target: "dapr.runtime", app_id, %address, "address left out until the next look-up");
            entry.failed.lock().push(address);
            entry.renew.notify_one();
        }
    }
}

fn find<'a>(entries: &'a Entries, app_id: &str, namespace: &str) -> Option<&'a Arc<Entry>> {
    let entries = entries.get(app_id)?;
    entries.iter().find(|entry| *entry.namespace == *namespace)
}

impl Entry {
    fn known(&self) -> Arc<[SocketAddr]> {
        Arc::clone(&**self.addresses.load())
    }

    /// Returns those known before.
    fn leave_out(&self, left_out: &[SocketAddr]) -> Arc<[SocketAddr]> {
        let before = self.addresses.rcu(|addresses| -> Arc<[SocketAddr]> {
            let others = addresses.iter().filter(|known| !left_out.contains(known));
            others.copied().collect()
        });
        Arc::clone(&before)
    }

    /// Waits until the answer is due for renewal.
    async fn due(&self, pause: Duration) {
        tokio::time::sleep(pause.min(SETTLE)).await;
        let rest = pause.saturating_sub(SETTLE);
        // Either way it is time.
        let _ = tokio::time::timeout(rest, self.renew.notified()).await;
    }
}

/// The control thread's side.
struct Directory {
    resolver: Arc<Resolver>,
    entries: Arc<ArcSwap<Entries>>,
    tracked: HashMap<(Arc<str>, Arc<str>), Tracked>,
    own: Option<SocketAddr>,
    own_reported: bool,
    pace: Pace,
}

/// What a resolver learned by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) app_id: Arc<str>,
    /// Addresses that are no longer good.
    pub(super) gone: Vec<SocketAddr>,
}

pub(super) type Changes = mpsc::Receiver<Change>;

async fn next(changes: &mut Option<Changes>) -> Change {
    if let Some(receiver) = changes {
        if let Some(change) = receiver.recv().await {
            return change;
        }
        *changes = None;
    }
    std::future::pending().await
}

/// A name with a look-up running or planned.
struct Tracked {
    entry: Arc<Entry>,
    /// Callers without any answer so far.
    waiting: Vec<oneshot::Sender<Answer>>,
    /// The last full answer, before addresses were left out.
    known: Arc<[SocketAddr]>,
    used_at: Instant,
    failing: bool,
}

type Outcome = Result<Vec<SocketAddr>, ResolveError>;

async fn cycle(
    resolver: Arc<Resolver>,
    entry: Arc<Entry>,
    pause: Duration,
) -> (Arc<Entry>, Outcome) {
    if !pause.is_zero() {
        entry.due(pause).await;
    }
    for address in std::mem::take(&mut *entry.failed.lock()) {
        resolver.refused(&entry.app_id, address);
    }
    let outcome = resolver.lookup(&entry.app_id, &entry.namespace).await;
    (entry, outcome)
}

impl Directory {
    /// Ends when the last [`Names`] is gone.
    async fn run(mut self, mut asks: mpsc::Receiver<Ask>, mut changes: Option<Changes>) {
        let mut cycles = FuturesUnordered::new();
        loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    None => return,
                    Some(ask) => {
                        if let Some(entry) = self.asked(ask) {
                            cycles.push(cycle(Arc::clone(&self.resolver), entry, Duration::ZERO));
                        }
                    }
                },
                Some((entry, outcome)) = cycles.next(), if !cycles.is_empty() => {
                    if let Some(pause) = self.looked_up(&entry, outcome) {
                        cycles.push(cycle(Arc::clone(&self.resolver), entry, pause));
                    }
                }
                change = next(&mut changes) => self.take_note(&change),
            }
        }
    }

    /// Looks again for an app that the resolver has news of; callers do not
    /// try meanwhile what is gone.
    fn take_note(&self, change: &Change) {
        let entries = self.tracked.values().map(|tracked| &tracked.entry);
        for entry in entries.filter(|entry| entry.app_id == change.app_id) {
            entry.leave_out(&change.gone);
            entry.renew.notify_one();
        }
    }

    /// Answers or queues; returns the entry of a name that is new.
    fn asked(&mut self, ask: Ask) -> Option<Arc<Entry>> {
        let Ask {
            app_id,
            namespace,
            reply,
        } = ask;
        let key = (app_id, namespace);
        if let Some(tracked) = self.tracked.get_mut(&key) {
            let addresses = tracked.entry.known();
            if addresses.is_empty() {
                tracked.waiting.push(reply);
                tracked.entry.renew.notify_one();
            } else {
                // A caller that gave up needs no answer.
                let _ = reply.send(Ok(addresses));
            }
            return None;
        }
        let entry = Arc::new(Entry {
            app_id: Arc::clone(&key.0),
            namespace: Arc::clone(&key.1),
            addresses: ArcSwap::from_pointee(Arc::default()),
            used: AtomicBool::new(true),
            renew: Notify::new(),
            failed: Mutex::default(),
        });
        let tracked = Tracked {
            entry: Arc::clone(&entry),
            waiting: vec![reply],
            known: Arc::default(),
            used_at: Instant::now(),
            failing: false,
        };
        self.tracked.insert(key, tracked);
        Some(entry)
    }

    /// Takes an answer in; returns when to look again, `None` for never.
    fn looked_up(&mut self, entry: &Arc<Entry>, outcome: Outcome) -> Option<Duration> {
        let outcome = outcome.and_then(|addresses| self.without_own(entry, addresses));
        let pace = self.pace;
        let key = (Arc::clone(&entry.app_id), Arc::clone(&entry.namespace));
        let tracked = self.tracked.get_mut(&key)?;
        let is_first = tracked.known.is_empty();
        if entry.used.swap(false, Ordering::Relaxed) || !tracked.waiting.is_empty() {
            tracked.used_at = Instant::now();
        }
        let (answer, pause) = tracked.take_in(outcome, pace);
        let unused = tracked.used_at.elapsed() >= pace.forget;
        for reply in tracked.waiting.drain(..) {
            let _ = reply.send(answer.clone());
        }
        if answer.is_err() || unused {
            self.forget(&key);
            return None;
        }
        if is_first {
            self.publish(entry);
        }
        Some(pause)
    }

    /// A peer's name that leads to ourselves would make calls go round.
    fn without_own(&mut self, entry: &Entry, mut addresses: Vec<SocketAddr>) -> Outcome {
        let count = addresses.len();
        addresses.retain(|address| Some(*address) != self.own);
        if addresses.len() < count && !self.own_reported {
            self.own_reported = true;
            warn!(
                target: "dapr.runtime",
                "app id {} resolves to the address of this sidecar, which is left out", entry.app_id
            );
        }
        if addresses.is_empty() {
            return Err(self.resolver.none(&entry.app_id));
        }
        Ok(addresses)
    }

    fn publish(&self, entry: &Arc<Entry>) {
        let mut entries = Entries::clone(&self.entries.load());
        let list = entries.entry(Arc::clone(&entry.app_id)).or_default();
        list.push(Arc::clone(entry));
        self.entries.store(Arc::new(entries));
    }

    fn forget(&mut self, key: &(Arc<str>, Arc<str>)) {
        self.tracked.remove(key);
        let mut entries = Entries::clone(&self.entries.load());
        if let Some(list) = entries.get_mut(&key.0) {
            list.retain(|entry| entry.namespace != key.1);
            if list.is_empty() {
                entries.remove(&key.0);
            }
            self.entries.store(Arc::new(entries));
        }
    }
}

impl Tracked {
    /// What callers are told now, and when to look again.
    fn take_in(&mut self, outcome: Outcome, pace: Pace) -> (Answer, Duration) {
        match outcome {
            Ok(addresses) => {
                if *self.known != *addresses {
                    self.known = addresses.into();
                }
                self.entry
                    .addresses
                    .store(Arc::new(Arc::clone(&self.known)));
                self.failing = false;
                (Ok(Arc::clone(&self.known)), pace.fresh)
            }
            // The old answer, with what was left out of it, beats none.
            Err(error) if !error.is_answer() && !self.known.is_empty() => {
                if !self.failing {
                    self.failing = true;
                    let app_id = &self.entry.app_id;
                    warn!(target: "dapr.runtime", "serving the last known addresses of {app_id}: {error}");
                }
                self.entry
                    .addresses
                    .store(Arc::new(Arc::clone(&self.known)));
                (Ok(Arc::clone(&self.known)), pace.retry)
            }
            Err(error) => (Err(error), Duration::ZERO),
        }
    }
}
