//! An open-loop load through the sidecar: calls start when they are due,
//! whatever became of those before. Every second one is a POST.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use tests::{RawClient, Request, invoke_path};

/// Enough that calls which hang do not slow the rest.
const WORKERS: usize = 32;
/// Failures that are printed; all are counted.
const SHOWN: usize = 20;

struct Load<'a> {
    path: String,
    prefix: &'a str,
    rate: u64,
    total: u64,
    start: Instant,
    next: AtomicU64,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    pods: BTreeMap<String, usize>,
    failures: Vec<String>,
    slowest: Duration,
}

/// Prints who answered how many, and what failed when.
pub(crate) fn run(target: &str, prefix: &str, rate: u64, seconds: u64) {
    let load = Load {
        path: invoke_path(target, "load"),
        prefix,
        rate,
        total: rate * seconds,
        start: Instant::now(),
        next: AtomicU64::new(0),
        found: Mutex::default(),
    };
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| load.work());
        }
    });
    let found = load.found.into_inner();
    let verdict = json!({
        "calls": load.total,
        "failed": found.failures.len(),
        "failures": found.failures.iter().take(SHOWN).collect::<Vec<_>>(),
        "pods": found.pods,
        "slowest_ms": found.slowest.as_millis() as u64,
    });
    println!("{verdict}");
}

impl Load<'_> {
    fn work(&self) {
        let mut client = None;
        loop {
            let index = self.next.fetch_add(1, Ordering::SeqCst);
            if index >= self.total {
                return;
            }
            let due = self.start + Duration::from_millis(index * 1000 / self.rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let begun = Instant::now();
            let outcome = self.call(index, &mut client);
            let mut found = self.found.lock();
            found.slowest = found.slowest.max(begun.elapsed());
            match outcome {
                Ok(pod) => *found.pods.entry(pod).or_default() += 1,
                Err(error) => {
                    let second = (begun - self.start).as_secs_f64();
                    found.failures.push(format!("{second:.1} s: {error}"));
                }
            }
        }
    }

    /// The pod that answered.
    fn call(&self, index: u64, client: &mut Option<RawClient>) -> Result<String, String> {
        let id = format!("{}{index}", self.prefix);
        let request = if index % 2 == 1 {
            Request::post(&self.path, "body")
        } else {
            Request::get(&self.path)
        };
        let request = request.header("x-id", &id);
        let mut connection = match client.take() {
            Some(connection) => connection,
            None => RawClient::try_connect(crate::sidecar())
                .map_err(|error| format!("{id}: connect: {error}"))?,
        };
        let answer = connection
            .call(&request)
            .map_err(|error| format!("{id}: {error}"))?;
        let whole = answer.status == 200 && answer.cut.is_none();
        if !whole || answer.header("x-id") != Some(id.as_str()) {
            return Err(format!("{id}: {answer:?}"));
        }
        *client = Some(connection);
        Ok(answer.header("x-pod").unwrap_or_default().to_owned())
    }
}
