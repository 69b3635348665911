//! An open-loop load through the sidecar: calls start when they are due,
//! whatever became of those before.

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

/// How a worker asks; one after the other.
pub(crate) trait Line: Sized {
    /// Connects to the sidecar.
    fn connect() -> Result<Self, String>;

    /// Calls with an id: the pod that answered.
    fn call(&mut self, target: &str, index: u64, id: &str) -> Result<String, String>;
}

/// Plain HTTP; every second call is a POST.
pub(crate) struct Http(RawClient);

struct Load<'a> {
    target: &'a str,
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
pub(crate) fn run<L: Line>(target: &str, prefix: &str, rate: u64, seconds: u64) {
    let load = Load {
        target,
        prefix,
        rate,
        total: rate * seconds,
        start: Instant::now(),
        next: AtomicU64::new(0),
        found: Mutex::default(),
    };
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| load.work::<L>());
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
    fn work<L: Line>(&self) {
        let mut line = None;
        loop {
            let index = self.next.fetch_add(1, Ordering::SeqCst);
            if index >= self.total {
                return;
            }
            let due = self.start + Duration::from_millis(index * 1000 / self.rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let begun = Instant::now();
            let outcome = self.call::<L>(index, &mut line);
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

    /// The pod that answered; a line is used again when all went well.
    fn call<L: Line>(&self, index: u64, line: &mut Option<L>) -> Result<String, String> {
        let id = format!("{}{index}", self.prefix);
        let mut connected = match line.take() {
            Some(line) => line,
            None => L::connect().map_err(|error| format!("{id}: connect: {error}"))?,
        };
        let pod = connected
            .call(self.target, index, &id)
            .map_err(|error| format!("{id}: {error}"))?;
        *line = Some(connected);
        Ok(pod)
    }
}

impl Line for Http {
    fn connect() -> Result<Self, String> {
        let client = RawClient::try_connect(crate::sidecar());
        Ok(Self(client.map_err(|error| error.to_string())?))
    }

    fn call(&mut self, target: &str, index: u64, id: &str) -> Result<String, String> {
        let path = invoke_path(target, "load");
        let request = if index % 2 == 1 {
            Request::post(&path, "body")
        } else {
            Request::get(&path)
        };
        let answer = self
            .0
            .call(&request.header("x-id", id))
            .map_err(|error| error.to_string())?;
        let whole = answer.status == 200 && answer.cut.is_none();
        if !whole || answer.header("x-id") != Some(id) {
            return Err(format!("{answer:?}"));
        }
        Ok(answer.header("x-pod").unwrap_or_default().to_owned())
    }
}
