//! Tables: every row runs, and the failure names all that did not hold.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Rows that take longer say so.
const SLOW: Duration = Duration::from_secs(1);

thread_local! {
    static QUIET: Mutex<bool> = const { Mutex::new(false) };
}

/// Collects what did not hold.
#[derive(Default)]
pub(crate) struct Table {
    rows: usize,
    failures: Vec<String>,
}

impl Table {
    /// Runs one row; a panic inside fails the row, not the table.
    pub(crate) fn row(&mut self, name: &str, check: impl FnOnce()) {
        install_hook();
        self.rows += 1;
        QUIET.with(|quiet| *quiet.lock() = true);
        let begun = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(check));
        QUIET.with(|quiet| *quiet.lock() = false);
        if begun.elapsed() > SLOW {
            println!("row `{name}` took {:?}", begun.elapsed());
        }
        if let Err(panic) = outcome {
            let reason = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_default();
            self.failures.push(format!("row `{name}`: {reason}"));
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        assert!(self.rows > 0, "a table without rows shows nothing");
        assert!(
            self.failures.is_empty(),
            "{} of {} rows failed:\n{}",
            self.failures.len(),
            self.rows,
            self.failures.join("\n")
        );
    }
}

/// Rows report at the end of the table; their panics print nothing before.
fn install_hook() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.with(|quiet| *quiet.lock()) {
                previous(info);
            }
        }));
    });
}
