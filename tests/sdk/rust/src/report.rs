//! One line for each behaviour, and whether all were as expected.

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use tokio::time::timeout;

/// How a check ends.
pub type Held = Result<(), Box<dyn Error>>;

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Prints what held and what did not.
#[derive(Debug, Default)]
pub struct Report {
    failed: bool,
}

impl Report {
    /// Waits for the check and prints its line.
    pub async fn check(&mut self, behaviour: &str, check: impl Future<Output = Held>) {
        let held = match timeout(PATIENCE, check).await {
            Ok(held) => held,
            Err(elapsed) => Err(elapsed.into()),
        };
        match held {
            Ok(()) => println!("ok {behaviour}"),
            Err(why) => {
                self.failed = true;
                println!("FAIL {behaviour}: {}", why.to_string().replace('\n', " "));
            }
        }
    }

    /// Whether one did not hold.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed
    }
}

/// Both are the same.
///
/// # Errors
///
/// Says what was expected and what came.
#[expect(clippy::needless_pass_by_value, reason = "literals stay literals")]
pub fn same<T: PartialEq + Debug>(what: &str, expected: T, came: T) -> Held {
    if expected == came {
        return Ok(());
    }
    let mut text = format!("{what}: expected {expected:?}, came {came:?}");
    // Of large bodies the beginning says enough.
    if let Some((end, _)) = text.char_indices().nth(1000) {
        text.truncate(end);
    }
    Err(text.into())
}

/// The text has this part.
///
/// # Errors
///
/// Says what was expected and what came.
pub fn contains(what: &str, part: &str, text: &str) -> Held {
    if text.contains(part) {
        return Ok(());
    }
    Err(format!("{what}: expected …{part}…, came {text:?}").into())
}

/// What a call failed with.
///
/// # Errors
///
/// It did not fail.
pub fn failure<T: Debug, E>(called: Result<T, E>) -> Result<E, Box<dyn Error>> {
    match called {
        Ok(answer) => Err(format!("an error was expected, came {answer:?}").into()),
        Err(error) => Ok(error),
    }
}
