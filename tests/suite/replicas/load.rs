//! An open-loop load with a unique id per call, and the verdict by ids:
//! what failed, what an app saw twice, what was answered but never seen.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tests::{RawApp, RawClient, Request, holds, invoke_path};

const RATE: u64 = 200;
/// Enough that calls stuck on a dead replica do not slow the rest.
const WORKERS: usize = 64;

/// One call as its client saw it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    id: String,
    post: bool,
    failure: Option<String>,
    took: Duration,
}

/// A running load.
pub(super) struct Load {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    port: u16,
    app_id: String,
    total: u64,
    start: Instant,
    next: AtomicU64,
    outcomes: Mutex<Vec<Outcome>>,
}

/// What the ids say.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) calls: usize,
    pub(super) failed_gets: Vec<String>,
    pub(super) failed_posts: Vec<String>,
    pub(super) duplicated: usize,
    pub(super) lost: usize,
    slowest: Duration,
}

impl Load {
    pub(super) fn start(port: u16, app_id: &str, seconds: u64) -> Self {
        let shared = Arc::new(Shared {
            port,
            app_id: app_id.to_owned(),
            total: seconds * RATE,
            start: Instant::now(),
            next: AtomicU64::new(0),
            outcomes: Mutex::default(),
        });
        let workers = (0..WORKERS)
            .map(|_| {
                let shared = shared.clone();
                thread::spawn(move || shared.work())
            })
            .collect();
        Self { shared, workers }
    }

    /// Waits until this many calls have been made.
    pub(super) fn wait_for(&self, calls: u64) {
        holds("the load runs", || {
            self.shared.next.load(Ordering::SeqCst) >= calls
        });
    }

    pub(super) fn finish(self) -> Vec<Outcome> {
        for worker in self.workers {
            worker.join().unwrap();
        }
        std::mem::take(&mut self.shared.outcomes.lock())
    }
}

impl Shared {
    fn work(&self) {
        let mut client = None;
        loop {
            let index = self.next.fetch_add(1, Ordering::SeqCst);
            if index >= self.total {
                return;
            }
            // The pace of the load itself, not a wait for anything.
            let due = self.start + Duration::from_millis(index * 1000 / RATE);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let outcome = self.call(index, &mut client);
            self.outcomes.lock().push(outcome);
        }
    }

    fn call(&self, index: u64, client: &mut Option<RawClient>) -> Outcome {
        let id = format!("call-{index}");
        let post = index % 2 == 1;
        let path = invoke_path(&self.app_id, "x");
        let request = if post {
            Request::post(&path, "body")
        } else {
            Request::get(&path)
        };
        let request = request.header("x-id", &id);
        let begun = Instant::now();
        let mut connection = client
            .take()
            .unwrap_or_else(|| RawClient::connect(self.port));
        let failure = match connection.call(&request) {
            Ok(answer) if answer.status == 200 && answer.body == id.as_bytes() => {
                *client = Some(connection);
                None
            }
            Ok(answer) => Some(format!("{id}: {} {}", answer.status, answer.text())),
            Err(error) => Some(format!("{id}: {error}")),
        };
        Outcome {
            id,
            post,
            failure,
            took: begun.elapsed(),
        }
    }
}

impl Verdict {
    pub(super) fn of(outcomes: &[Outcome], apps: &[RawApp; 2]) -> Self {
        let mut seen: HashMap<String, usize> = HashMap::new();
        for request in apps.iter().flat_map(RawApp::take) {
            let id = request.header("x-id").unwrap_or_default().to_owned();
            *seen.entry(id).or_default() += 1;
        }
        let failures = |post: bool| -> Vec<String> {
            let of_kind = outcomes.iter().filter(|outcome| outcome.post == post);
            of_kind
                .filter_map(|outcome| outcome.failure.clone())
                .collect()
        };
        let twice = |outcome: &&Outcome| outcome.post && seen.get(&outcome.id) > Some(&1);
        let lost =
            |outcome: &&Outcome| outcome.failure.is_none() && !seen.contains_key(&outcome.id);
        Self {
            calls: outcomes.len(),
            failed_gets: failures(false),
            failed_posts: failures(true),
            duplicated: outcomes.iter().filter(twice).count(),
            lost: outcomes.iter().filter(lost).count(),
            slowest: outcomes
                .iter()
                .map(|outcome| outcome.took)
                .max()
                .unwrap_or_default(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} calls, {} GETs failed, {} POSTs failed, {} POSTs duplicated, {} lost, slowest {:?}",
            self.calls,
            self.failed_gets.len(),
            self.failed_posts.len(),
            self.duplicated,
            self.lost,
            self.slowest
        )
    }
}
