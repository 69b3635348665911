//! When a failed call may be tried again without a policy of the user's.

use std::time::Duration;

use crate::resiliency::{Backoff, Retry};

/// How far an attempt got before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Neither the peer nor the app saw the request.
    Nothing,
    /// The peer saw it and says that its app did not.
    Sidecar,
    /// The peer may have seen it; no response headers came back.
    Peer,
    /// The answer had begun, or the failure is final by its nature.
    Final,
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Give the error to the caller.
    Fail,
    /// Try at once; it costs nothing of the retry budget.
    Again,
    /// Try after this pause.
    After(Duration),
}

/// The built-in policy: three retries, one second apart, unless the user
/// wrote another one of its name.
///
/// Mirrors Dapr's `DaprBuiltInServiceRetries`. Differs from Dapr: what never
/// reached the peer is tried on every replica at once, and the first retry
/// does not wait when another replica exists.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    backoff: Backoff,
    retries: u32,
}

/// Retries after the first attempt.
pub const RETRIES: u32 = 3;
/// Pause between them.
pub const PAUSE: Duration = Duration::from_secs(1);

/// What a pause may depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Time since the call began.
    pub elapsed: Duration,
    /// In `0.0..1.0`.
    pub random: f64,
}

impl Default for BuiltIn {
    fn default() -> Self {
        Self::of(&Retry::constant(PAUSE, RETRIES))
    }
}

impl BuiltIn {
    /// As the user wrote it.
    pub fn of(retry: &Retry) -> Self {
        Self {
            backoff: retry.backoff(),
            retries: 0,
        }
    }

    /// Stood down by an entry of the user's: what a replica has seen is not
    /// sent again.
    pub fn none() -> Self {
        Self::of(&Retry::constant(PAUSE, 0))
    }

    /// Retries used so far, for the error text.
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// Judges a failure. `replayable`: the body can be sent once more.
    /// `untried`: replicas this call has not been sent to. `moment` is asked
    /// only when there may be a pause.
    pub fn after(
        &mut self,
        reached: Reached,
        replayable: bool,
        untried: usize,
        moment: impl FnOnce() -> Moment,
    ) -> Next {
        if reached == Reached::Final || !replayable {
            return Next::Fail;
        }
        let unseen = matches!(reached, Reached::Nothing | Reached::Sidecar);
        if unseen && untried > 0 {
            return Next::Again;
        }
        // Every app is down: waiting is a policy the user may set.
        if reached == Reached::Sidecar {
            return Next::Fail;
        }
        let Moment { elapsed, random } = moment();
        let Some(pause) = self.backoff.next(elapsed, random) else {
            return Next::Fail;
        };
        self.retries += 1;
        if self.retries == 1 && untried > 0 {
            Next::Again
        } else {
            Next::After(pause)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(policy: &mut BuiltIn, reached: Reached, replayable: bool, untried: usize) -> Next {
        policy.after(reached, replayable, untried, || Moment {
            elapsed: Duration::ZERO,
            random: 0.5,
        })
    }

    #[test]
    fn one_replica_that_refuses_is_tried_four_times() {
        let mut policy = BuiltIn::default();
        for _ in 0..3 {
            assert_eq!(
                after(&mut policy, Reached::Nothing, true, 0),
                Next::After(PAUSE)
            );
        }
        assert_eq!(after(&mut policy, Reached::Nothing, true, 0), Next::Fail);
        assert_eq!(policy.retries(), 3);
    }

    #[test]
    fn untried_replicas_come_first_and_at_once() {
        let mut policy = BuiltIn::default();
        assert_eq!(after(&mut policy, Reached::Nothing, true, 2), Next::Again);
        assert_eq!(after(&mut policy, Reached::Nothing, true, 1), Next::Again);
        assert_eq!(
            after(&mut policy, Reached::Nothing, true, 0),
            Next::After(PAUSE)
        );
        let mut policy = BuiltIn::default();
        assert_eq!(after(&mut policy, Reached::Peer, true, 1), Next::Again);
        assert_eq!(
            after(&mut policy, Reached::Peer, true, 0),
            Next::After(PAUSE)
        );
    }

    #[test]
    fn an_app_that_is_down_everywhere_fails_at_once() {
        let mut policy = BuiltIn::default();
        assert_eq!(after(&mut policy, Reached::Sidecar, true, 1), Next::Again);
        assert_eq!(after(&mut policy, Reached::Sidecar, true, 0), Next::Fail);
    }

    #[test]
    fn a_begun_answer_or_a_spent_body_ends_it() {
        assert_eq!(
            after(&mut BuiltIn::default(), Reached::Final, true, 5),
            Next::Fail
        );
        assert_eq!(
            after(&mut BuiltIn::default(), Reached::Nothing, false, 5),
            Next::Fail
        );
    }

    #[test]
    fn a_policy_of_the_users_sets_the_pauses_and_an_entry_ends_them() {
        let pause = Duration::from_secs(5);
        let mut policy = BuiltIn::of(&Retry::constant(pause, 3));
        assert_eq!(
            after(&mut policy, Reached::Peer, true, 0),
            Next::After(pause)
        );
        let mut none = BuiltIn::none();
        assert_eq!(after(&mut none, Reached::Nothing, true, 1), Next::Again);
        assert_eq!(after(&mut none, Reached::Nothing, true, 0), Next::Fail);
        assert_eq!(after(&mut none, Reached::Peer, true, 1), Next::Fail);
        assert_eq!(none.retries(), 0);
    }
}
