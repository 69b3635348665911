//! The keys in use. A task keeps them up to date; they are replaced as a whole
//! by what the source says, and kept while it says nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lifecycle::health::Target;
use lifecycle::task::AbortOnDrop;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use super::key_set::KeySet;
use super::remote::Remote;
use super::source::{self, Source, SourceError};
use crate::sentry::SCOPE;
use crate::sentry::stamp::Stamp;

/// How long a caller waits for keys. Sidecars wait three seconds for an
/// answer; within them they are to learn what is wrong.
const PATIENCE: Duration = Duration::from_millis(2500);
/// A web server is asked this often even if no token needs it, so that keys
/// which were withdrawn are forgotten.
const REFRESH_INTERVAL: Duration = Duration::from_hours(1);
/// Pause after a failed download: from the first to the second value.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// One `stat` call per interval.
const FILE_INTERVAL: Duration = Duration::from_secs(2);
/// Callers beyond this many wait for their turn to ask; each asks for the
/// same, so their number does not matter to the source.
const QUEUE: usize = 16;

/// Gives keys to validators.
pub(super) struct Cache {
    keys: watch::Receiver<Option<Arc<KeySet>>>,
    questions: mpsc::Sender<Question>,
    _task: Option<AbortOnDrop>,
}

/// Held until the source has been asked, or will not be asked; its end is the
/// answer.
type Question = oneshot::Sender<()>;

/// Puts keys in use.
struct Publisher {
    keys: watch::Sender<Option<Arc<KeySet>>>,
    loaded: Target,
    /// What the log said last of a failure.
    told: String,
}

// === impl Cache ===

impl Cache {
    /// `loaded` becomes ready with the first keys.
    pub(super) fn start(source: Source, loaded: Target) -> Self {
        let (publishing, keys) = watch::channel(None);
        let (questions, asked) = mpsc::channel(QUEUE);
        let mut publisher = Publisher {
            keys: publishing,
            loaded,
            told: String::new(),
        };
        let task = match source {
            Source::Remote(remote) => {
                let follow = follow_remote(remote, publisher, asked);
                Some(lifecycle::spawn("jwks", follow).abort_on_drop())
            }
            Source::File(path) => {
                let follow = follow_file(path, publisher, asked);
                Some(lifecycle::spawn("jwks", follow).abort_on_drop())
            }
            Source::Inline(keys) => {
                publisher.publish(keys);
                None
            }
        };
        Self {
            keys,
            questions,
            _task: task,
        }
    }

    /// The keys, after a look at the source for one that is not among them;
    /// `None` when the source has not answered.
    pub(super) async fn keys_for(&self, id: &str) -> Option<Arc<KeySet>> {
        let looked = timeout(PATIENCE, self.look_for(id)).await.is_ok();
        let keys = self.keys.borrow().clone()?;
        (looked || keys.knows(id)).then_some(keys)
    }

    async fn look_for(&self, id: &str) {
        let mut keys = self.keys.clone();
        let known = match keys.wait_for(Option::is_some).await {
            Ok(keys) => keys.iter().any(|keys| keys.knows(id)),
            Err(_) => return,
        };
        if known {
            return;
        }
        let (question, answer) = oneshot::channel();
        if self.questions.send(question).await.is_ok() {
            let _ = answer.await;
        }
    }
}

// === impl Publisher ===

impl Publisher {
    fn take(&mut self, found: Result<KeySet, SourceError>) {
        match found {
            Ok(keys) => self.publish(keys),
            Err(error) => self.complain(&error),
        }
    }

    fn publish(&mut self, keys: KeySet) {
        if !self.told.is_empty() {
            tracing::info!(target: SCOPE, "token validator jwks: the source of the keys is back");
            self.told.clear();
        }
        let is_news = self
            .keys
            .borrow()
            .as_ref()
            .is_none_or(|old| !(old.ids().eq(keys.ids()) && old.skipped() == keys.skipped()));
        if is_news {
            let count = keys.ids().count();
            tracing::info!(target: SCOPE, "token validator jwks: keys in use: {count}");
            if !keys.skipped().is_empty() {
                let skipped = keys.skipped().join(", ");
                tracing::warn!(target: SCOPE, "token validator jwks: keys left out: {skipped}");
            }
            if keys.is_empty() {
                tracing::warn!(target: SCOPE, "token validator jwks: without a key no token is accepted");
            }
        }
        self.keys.send_replace(Some(Arc::new(keys)));
        self.loaded.ready();
    }

    /// Tells once per reason.
    fn complain(&mut self, error: &SourceError) {
        let error = error.to_string();
        if error == self.told {
            return;
        }
        let meanwhile = if self.keys.borrow().is_some() {
            "keeping the keys in use"
        } else {
            "no token is accepted until there are keys"
        };
        tracing::error!(target: SCOPE, "token validator jwks: {error}; trying again, {meanwhile}");
        self.told = error;
    }
}

/// Asks again after an hour, after a failure, and when a token names a key
/// that is not known.
async fn follow_remote(
    remote: Remote,
    mut publisher: Publisher,
    mut questions: mpsc::Receiver<Question>,
) {
    let mut retry = RETRY.0;
    let mut question = None;
    loop {
        let asked_at = Instant::now();
        let found = source::fetch(&remote).await;
        let pause = if found.is_ok() {
            retry = RETRY.0;
            REFRESH_INTERVAL.max(remote.min_refresh_interval)
        } else {
            let pause = retry.mul_f64(0.75 + 0.5 * fastrand::f64());
            retry = (retry * 2).min(RETRY.1);
            pause
        };
        publisher.take(found);
        drop(question);
        let allowed_at = asked_at + remote.min_refresh_interval;
        question = next_question(&mut questions, pause, allowed_at).await;
    }
}

/// Waits until the source is to be asked again. Whoever asks too early is
/// answered at once.
async fn next_question(
    questions: &mut mpsc::Receiver<Question>,
    pause: Duration,
    allowed_at: Instant,
) -> Option<Question> {
    let mut pause = std::pin::pin!(sleep(pause));
    loop {
        tokio::select! {
            () = &mut pause => return None,
            Some(question) = questions.recv() => {
                if Instant::now() >= allowed_at {
                    return Some(question);
                }
            }
        }
    }
}

/// Reads the file again when it changes; looking is cheap, so every question
/// makes it look.
async fn follow_file(
    path: PathBuf,
    mut publisher: Publisher,
    mut questions: mpsc::Receiver<Question>,
) {
    let (mut read, mut question) = (None, None);
    loop {
        let stamp = Stamp::of(&path);
        if read != Some(stamp) {
            read = Some(stamp);
            publisher.take(source::read(&path));
        }
        drop(question);
        question = next_question(&mut questions, FILE_INTERVAL, Instant::now()).await;
    }
}
