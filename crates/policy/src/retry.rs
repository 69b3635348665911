//! When a failed call may be tried again without a policy of the user's.

use std::time::Duration;

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

/// The built-in policy: three retries, one second apart.
///
/// Mirrors Dapr's `DaprBuiltInServiceRetries`. Differs from Dapr: what never
/// reached the peer is tried on every replica at once, and the first retry
/// does not wait when another replica exists.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuiltIn {
    retries: u32,
}

/// Retries after the first attempt.
pub const RETRIES: u32 = 3;
/// Pause between them.
pub const PAUSE: Duration = Duration::from_secs(1);

impl BuiltIn {
    /// Retries used so far, for the error text.
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// Judges a failure. `replayable`: the body can be sent once more.
    /// `untried`: replicas this call has not been sent to.
    pub fn after(&mut self, reached: Reached, replayable: bool, untried: usize) -> Next {
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
        if self.retries >= RETRIES {
            return Next::Fail;
        }
        self.retries += 1;
        if self.retries == 1 && untried > 0 {
            Next::Again
        } else {
            Next::After(PAUSE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_replica_that_refuses_is_tried_four_times() {
        let mut policy = BuiltIn::default();
        for _ in 0..3 {
            assert_eq!(policy.after(Reached::Nothing, true, 0), Next::After(PAUSE));
        }
        assert_eq!(policy.after(Reached::Nothing, true, 0), Next::Fail);
        assert_eq!(policy.retries(), 3);
    }

    #[test]
    fn untried_replicas_come_first_and_at_once() {
        let mut policy = BuiltIn::default();
        assert_eq!(policy.after(Reached::Nothing, true, 2), Next::Again);
        assert_eq!(policy.after(Reached::Nothing, true, 1), Next::Again);
        assert_eq!(policy.after(Reached::Nothing, true, 0), Next::After(PAUSE));
        let mut policy = BuiltIn::default();
        assert_eq!(policy.after(Reached::Peer, true, 1), Next::Again);
        assert_eq!(policy.after(Reached::Peer, true, 0), Next::After(PAUSE));
    }

    #[test]
    fn an_app_that_is_down_everywhere_fails_at_once() {
        let mut policy = BuiltIn::default();
        assert_eq!(policy.after(Reached::Sidecar, true, 1), Next::Again);
        assert_eq!(policy.after(Reached::Sidecar, true, 0), Next::Fail);
    }

    #[test]
    fn a_begun_answer_or_a_spent_body_ends_it() {
        assert_eq!(
            BuiltIn::default().after(Reached::Final, true, 5),
            Next::Fail
        );
        assert_eq!(
            BuiltIn::default().after(Reached::Nothing, false, 5),
            Next::Fail
        );
    }
}
