//! Follows all objects of a kind: lists them, watches from there, and starts
//! over when the API server has forgotten where we were. Never ends, whatever
//! the API server answers.

use std::collections::HashSet;
use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::Api;
use kube::runtime::watcher::{self, Event, watcher};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::SCOPE;
use super::cluster::{Backoff, ObjectKey, explain};

/// Life of one watch request: a connection that died silently goes unnoticed
/// for no longer than this.
const WATCH_SECONDS: u32 = 100;
/// Objects per page of a list; what a page holds is the peak of our memory.
const PAGE: u32 = 100;
/// Pauses after a failure. The first is short: an API server whose caches are
/// not warm yet refuses watches for a moment. So is the longest: sidecars wait
/// for what changed during an outage.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
/// Without a failure for this long a watch has worked, though nothing may have
/// happened on it.
const CALM: Duration = Duration::from_secs(30);
/// Pause before asking again for a kind that is not installed.
const MISSING_PAUSE: Duration = Duration::from_secs(30);

/// A copy of what the API server holds, in whatever form its owner needs.
pub(super) trait Mirror<K>: Send + 'static {
    /// An object was created or changed, or may have been while we did not
    /// look. `false` when it is of no interest, or no longer.
    fn apply(&mut self, object: K) -> bool;
    /// An object that was of interest is gone.
    fn delete(&mut self, key: &ObjectKey);
    /// Everything that exists has been applied. Called after each list.
    fn synced(&mut self);
}

/// Keeps `mirror` in step; `what` is for the log.
pub(super) async fn follow<K, M>(
    what: &'static str,
    api: Api<K>,
    labels: Option<&str>,
    mut mirror: M,
) where
    K: kube::Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    M: Mirror<K>,
{
    let mut config = watcher::Config::default()
        .timeout(WATCH_SECONDS)
        .page_size(PAGE);
    if let Some(labels) = labels {
        config = config.labels(labels);
    }
    let mut seen = Seen::default();
    let mut failing = Failing::new(what);
    loop {
        let mut events = pin!(watcher(api.clone(), config.clone()));
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    // `Init` comes before the first request of a list.
                    if !matches!(event, Event::Init) {
                        failing.over();
                    }
                    seen.take(event, &mut mirror);
                }
                Err(error) if is_missing(&error) => {
                    failing.missing();
                    // Nothing exists as far as anybody can tell.
                    mirror.synced();
                    sleep(MISSING_PAUSE).await;
                }
                Err(error) => {
                    sleep(failing.failed(&error)).await;
                    // The watcher would ask for the same lost place for ever.
                    if matches!(error, watcher::Error::WatchStartFailed(_)) && is_expired(&error) {
                        break;
                    }
                }
            }
        }
    }
}

/// Which objects the mirror holds, to know what vanished between two lists.
#[derive(Default)]
struct Seen {
    held: HashSet<ObjectKey>,
    /// Held objects that the list in progress has not named yet.
    unlisted: HashSet<ObjectKey>,
}

impl Seen {
    fn take<K: kube::Resource>(&mut self, event: Event<K>, mirror: &mut impl Mirror<K>) {
        match event {
            Event::Init => self.unlisted.clone_from(&self.held),
            Event::InitApply(object) | Event::Apply(object) => {
                let Some(key) = ObjectKey::of(object.meta()) else {
                    return;
                };
                self.unlisted.remove(&key);
                if mirror.apply(object) {
                    self.held.insert(key);
                } else {
                    self.held.remove(&key);
                }
            }
            Event::Delete(object) => {
                if let Some(key) = ObjectKey::of(object.meta())
                    && self.held.remove(&key)
                {
                    mirror.delete(&key);
                }
            }
            Event::InitDone => {
                for key in std::mem::take(&mut self.unlisted) {
                    self.held.remove(&key);
                    mirror.delete(&key);
                }
                mirror.synced();
            }
        }
    }
}

/// Says once that something fails, and once that it is over.
struct Failing {
    what: &'static str,
    pauses: Backoff,
    last: Instant,
    missing: bool,
}

impl Failing {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            pauses: PAUSES,
            last: Instant::now(),
            missing: false,
        }
    }

    fn failed(&mut self, error: &watcher::Error) -> Duration {
        let (what, reason) = (self.what, text(error));
        if self.last.elapsed() > CALM {
            self.pauses.reset();
        }
        self.last = Instant::now();
        if self.pauses.is_fresh() && !is_expired(error) {
            tracing::warn!(target: SCOPE, "cannot watch {what}, trying again: {reason}");
        } else {
            tracing::debug!(target: SCOPE, "cannot watch {what}: {reason}");
        }
        self.pauses.pause()
    }

    fn missing(&mut self) {
        if !std::mem::replace(&mut self.missing, true) {
            let (what, seconds) = (self.what, MISSING_PAUSE.as_secs());
            tracing::warn!(target: SCOPE, "{what} are not known to this cluster: install the custom resource definitions; looking again every {seconds} s");
        }
    }

    fn over(&mut self) {
        if !self.pauses.is_fresh() || self.missing {
            tracing::info!(target: SCOPE, "watching {} again", self.what);
            self.pauses.reset();
            self.missing = false;
        }
    }
}

fn is_missing(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404)
}

/// The place we wanted to watch from is too old: ordinary after a pause.
fn is_expired(error: &watcher::Error) -> bool {
    use watcher::Error::{WatchError, WatchStartFailed};
    matches!(
        error,
        WatchError(status) | WatchStartFailed(kube::Error::Api(status)) if status.code == 410
    )
}

fn text(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => explain(error),
        watcher::Error::WatchError(status) => status.message.clone(),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::DynamicObject;

    #[derive(Default)]
    struct Log(Vec<String>);

    impl Mirror<DynamicObject> for Log {
        fn apply(&mut self, object: DynamicObject) -> bool {
            let name = object.metadata.name.unwrap();
            self.0.push(format!("+{name}"));
            !name.starts_with("dull")
        }

        fn delete(&mut self, key: &ObjectKey) {
            self.0.push(format!("-{}", key.name));
        }

        fn synced(&mut self) {
            self.0.push("synced".to_owned());
        }
    }

    fn object(name: &str) -> DynamicObject {
        let resource = super::super::cluster::resource("dapr.io", "v1", "Thing", "things");
        DynamicObject::new(name, &resource).within("shop")
    }

    #[test]
    fn what_a_second_list_does_not_name_is_deleted_and_nothing_else() {
        let (mut seen, mut log) = (Seen::default(), Log::default());
        for event in [
            Event::Init,
            Event::InitApply(object("a")),
            Event::InitApply(object("dull")),
            Event::InitDone,
            Event::Apply(object("b")),
            Event::Delete(object("dull")),
            // The list is cut off, begun anew and then complete.
            Event::Init,
            Event::InitApply(object("b")),
            Event::Init,
            Event::InitApply(object("b")),
            Event::InitDone,
            Event::Delete(object("b")),
        ] {
            seen.take(event, &mut log);
        }
        assert_eq!(
            log.0,
            [
                "+a", "+dull", "synced", "+b", "+b", "+b", "-a", "synced", "-b"
            ]
        );
    }
}
