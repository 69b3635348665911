//! The circuit breaker: whether a call may be made, by how earlier ones went.
//!
//! Mirrors `sony/gobreaker` 0.5 as Dapr 1.18 sets it up. Time is an argument;
//! whoever holds a breaker asks [`Breaker::admit`] before an attempt and tells
//! [`Breaker::record`] how it went.

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::trip::Trip;

/// A circuit breaker policy.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerRule {
    /// Calls admitted half-open, and successes in a row that close.
    pub max_requests: u32,
    /// Time after which the counters of the closed state start anew; `None`
    /// for never.
    pub interval: Option<Duration>,
    /// Time in the open state.
    pub timeout: Duration,
    /// When the closed state ends.
    pub trip: Trip,
}

/// What the expression of a policy may look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls admitted.
    pub requests: u32,
    /// Those that succeeded.
    pub total_successes: u32,
    /// Those that failed.
    pub total_failures: u32,
    /// Successes since the last failure.
    pub consecutive_successes: u32,
    /// Failures since the last success.
    pub consecutive_failures: u32,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls are made and counted.
    Closed,
    /// A few calls are made to see.
    HalfOpen,
    /// No call is made.
    Open,
}

/// A call that is not made. The texts are what clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Open.
    #[error("circuit breaker is open")]
    Open,
    /// Half-open, and the calls that may be made are being made.
    #[error("too many requests")]
    TooMany,
}

/// A change of state, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state from now on.
    pub to: State,
}

/// Which window an admitted call belongs to; its result counts there only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u64);

/// One breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    rule: BreakerRule,
    state: State,
    generation: u64,
    counts: Counts,
    /// End of the window, or of the open state.
    expires: Option<Instant>,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(rule: BreakerRule, now: Instant) -> Self {
        let mut breaker = Self {
            rule,
            state: State::Closed,
            generation: 0,
            counts: Counts::default(),
            expires: None,
        };
        breaker.begin(now);
        breaker
    }

    /// The rule it was made for.
    pub fn rule(&self) -> &BreakerRule {
        &self.rule
    }

    /// Asks to make a call. Also says when time alone changed the state.
    ///
    /// # Errors
    /// The call is not to be made; it is not counted either.
    pub fn admit(&mut self, now: Instant) -> (Result<Generation, Rejected>, Option<Transition>) {
        let changed = self.catch_up(now);
        let verdict = match self.state {
            State::Open => Err(Rejected::Open),
            State::HalfOpen if self.counts.requests >= self.rule.max_requests => {
                Err(Rejected::TooMany)
            }
            State::HalfOpen | State::Closed => {
                self.counts.requests = self.counts.requests.saturating_add(1);
                Ok(Generation(self.generation))
            }
        };
        (verdict, changed)
    }

    /// Tells how an admitted call went. A call of an earlier window changes
    /// nothing.
    pub fn record(
        &mut self,
        generation: Generation,
        is_success: bool,
        now: Instant,
    ) -> Option<Transition> {
        // Time alone may have ended the window: nothing of the call counts.
        let caught_up = self.catch_up(now);
        if generation != Generation(self.generation) {
            return caught_up;
        }
        let counts = &mut self.counts;
        if is_success {
            counts.total_successes = counts.total_successes.saturating_add(1);
            counts.consecutive_successes = counts.consecutive_successes.saturating_add(1);
            counts.consecutive_failures = 0;
        } else {
            counts.total_failures = counts.total_failures.saturating_add(1);
            counts.consecutive_failures = counts.consecutive_failures.saturating_add(1);
            counts.consecutive_successes = 0;
        }
        let next = match (self.state, is_success) {
            (State::Closed, false) if self.rule.trip.trips(&self.counts) => State::Open,
            (State::HalfOpen, false) => State::Open,
            (State::HalfOpen, true)
                if self.counts.consecutive_successes >= self.rule.max_requests =>
            {
                State::Closed
            }
            _ => return caught_up,
        };
        Some(self.enter(next, now))
    }

    /// What passes by itself: a window, the open state.
    fn catch_up(&mut self, now: Instant) -> Option<Transition> {
        if self.expires.is_none_or(|expires| now <= expires) {
            return None;
        }
        match self.state {
            State::Closed => {
                self.begin(now);
                None
            }
            State::Open => Some(self.enter(State::HalfOpen, now)),
            State::HalfOpen => None,
        }
    }

    fn enter(&mut self, state: State, now: Instant) -> Transition {
        let from = std::mem::replace(&mut self.state, state);
        self.begin(now);
        Transition { from, to: state }
    }

    /// A new window of the present state.
    fn begin(&mut self, now: Instant) {
        self.generation += 1;
        self.counts = Counts::default();
        let life = match self.state {
            State::Closed => self.rule.interval,
            State::Open => Some(self.rule.timeout),
            State::HalfOpen => None,
        };
        // A time nobody lives to see is no end.
        self.expires = life.and_then(|life| now.checked_add(life));
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn breaker(trip: &str, max_requests: u32, interval: Option<Duration>) -> (Breaker, Instant) {
        let now = Instant::now();
        let rule = BreakerRule {
            max_requests,
            interval,
            timeout: MS(100),
            trip: Trip::parse(trip).unwrap(),
        };
        (Breaker::new(rule, now), now)
    }

    /// One call that succeeds or fails; false when it is not made.
    fn call(breaker: &mut Breaker, is_success: bool, now: Instant) -> bool {
        let (admitted, _) = breaker.admit(now);
        admitted
            .map(|generation| breaker.record(generation, is_success, now))
            .is_ok()
    }

    fn failures_until_open(trip: &str, successes_between: bool) -> usize {
        let (mut breaker, now) = breaker(trip, 1, None);
        (0..20)
            .take_while(|_| {
                if successes_between {
                    call(&mut breaker, true, now);
                }
                call(&mut breaker, false, now)
            })
            .count()
    }

    #[test]
    fn it_opens_when_the_expression_says_so() {
        assert_eq!(failures_until_open("", false), 6);
        assert_eq!(failures_until_open("consecutiveFailures >= 3", false), 3);
        assert_eq!(failures_until_open("requests > 4", false), 5);
        assert_eq!(failures_until_open("totalFailures > 4", true), 5);
        assert_eq!(failures_until_open("consecutiveFailures > 3", true), 20);
        assert_eq!(failures_until_open("nonsense > 1", false), 20);
    }

    #[test]
    fn open_half_open_closed_and_back() {
        let (mut breaker, start) = breaker("consecutiveFailures >= 1", 2, None);
        let (admitted, _) = breaker.admit(start);
        let opened = breaker.record(admitted.unwrap(), false, start).unwrap();
        assert_eq!((opened.from, opened.to), (State::Closed, State::Open));
        assert_eq!(breaker.admit(start + MS(100)).0, Err(Rejected::Open));
        let probing = start + MS(101);
        let (first, changed) = breaker.admit(probing);
        assert_eq!(changed.unwrap().to, State::HalfOpen);
        let (second, _) = breaker.admit(probing);
        assert_eq!(breaker.admit(probing).0, Err(Rejected::TooMany));
        assert_eq!(breaker.record(first.unwrap(), true, probing), None);
        let closed = breaker.record(second.unwrap(), true, probing).unwrap();
        assert_eq!((closed.from, closed.to), (State::HalfOpen, State::Closed));
        assert!(call(&mut breaker, false, probing));
        let probing = probing + MS(101);
        let (probe, _) = breaker.admit(probing);
        let reopened = breaker.record(probe.unwrap(), false, probing).unwrap();
        assert_eq!((reopened.from, reopened.to), (State::HalfOpen, State::Open));
    }

    #[test]
    fn results_of_an_earlier_window_count_for_nothing() {
        let (mut breaker, start) = breaker("totalFailures >= 2", 1, Some(MS(50)));
        let (late, _) = breaker.admit(start);
        assert!(call(&mut breaker, false, start));
        let later = start + MS(51);
        assert_eq!(breaker.record(late.unwrap(), false, later), None);
        assert!(call(&mut breaker, false, later));
        assert!(call(&mut breaker, false, later));
        assert_eq!(breaker.admit(later).0, Err(Rejected::Open));
    }
}
