//! When the next attempt comes. Mirrors `cenkalti/backoff` 4.3 with the
//! settings Dapr gives it.

use std::time::Duration;

use super::Matching;

/// First base of an exponential policy, whatever its cap.
const FIRST: Duration = Duration::from_millis(500);
/// An exponential policy gives up after this time.
const LONGEST: Duration = Duration::from_mins(15);
const GROWTH: f64 = 1.5;

/// A retry policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Pauses between attempts.
    pub pace: Pace,
    /// Attempts after the first; `None` for no limit.
    pub max: Option<u32>,
    /// Which failures with a code it is for.
    pub matching: Matching,
}

/// How pauses grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Not at all.
    Constant(Duration),
    /// By half each time up to this base, with jitter around it.
    Exponential(Duration),
}

/// The pauses of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pace: Pace,
    left: Option<u32>,
    base: Duration,
}

impl Retry {
    /// `max` attempts after the first, `pause` apart.
    pub fn constant(pause: Duration, max: u32) -> Self {
        Self {
            pace: Pace::Constant(pause),
            max: Some(max),
            matching: Matching::default(),
        }
    }

    /// The pauses of a new call.
    pub fn backoff(&self) -> Backoff {
        Backoff {
            pace: self.pace,
            left: self.max,
            base: FIRST,
        }
    }

    /// Whether there can be a second attempt at all.
    pub fn repeats(&self) -> bool {
        self.max != Some(0)
    }
}

impl Backoff {
    /// The pause before the next attempt; `None` when the last one was made.
    /// `elapsed` is since the call began, `random` in `0.0..1.0`.
    pub fn next(&mut self, elapsed: Duration, random: f64) -> Option<Duration> {
        let left = match self.left {
            Some(left) => Some(left.checked_sub(1)?),
            None => None,
        };
        let pause = match self.pace {
            Pace::Constant(pause) => pause,
            Pace::Exponential(cap) => {
                let pause = self.base.mul_f64(0.5 + random);
                if elapsed + pause > LONGEST {
                    return None;
                }
                self.base = if self.base >= cap.div_f64(GROWTH) {
                    cap
                } else {
                    self.base.mul_f64(GROWTH)
                };
                pause
            }
        };
        self.left = left;
        Some(pause)
    }
}
