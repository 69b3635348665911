//! The one patience of the suite, and the two ways to wait: for a fact, and
//! for another thread.

pub(crate) mod watch;

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How long a fact may take to become true before the test fails: more than a
/// busy machine ever needs, since only failures wait for it.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Polls until `probe` yields a value; fails with `what` when patience ends.
#[track_caller]
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, probe)
}

/// [`eventually`] with a patience of its own, for what is known to be slow.
#[track_caller]
pub fn within<T>(patience: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    const FIRST_PAUSE: Duration = Duration::from_millis(2);
    const LONGEST_PAUSE: Duration = Duration::from_millis(50);
    let deadline = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// [`eventually`] for conditions.
#[track_caller]
pub fn holds(what: &str, mut condition: impl FnMut() -> bool) {
    eventually(what, || condition().then_some(()));
}

/// A door between the test and an app's thread: closed until opened once.
#[derive(Debug, Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets every waiter pass, now and later.
    pub fn open(&self) {
        *self.open.lock() = true;
        self.opened.notify_all();
    }

    /// True once opened.
    pub fn is_open(&self) -> bool {
        *self.open.lock()
    }

    /// Blocks until opened; fails the thread when patience ends.
    #[track_caller]
    pub fn wait(&self) {
        let mut open = self.open.lock();
        let deadline = Instant::now() + PATIENCE;
        while !*open {
            let timed_out = self.opened.wait_until(&mut open, deadline).timed_out();
            assert!(*open || !timed_out, "the gate was never opened");
        }
    }
}
