//! Resiliency: what the user wants tried again, given up or cut short.
//!
//! Several objects make one name space ([`Merge`]), out of which a snapshot is
//! made that answers per target ([`Resiliency`]). Mirrors Dapr 1.18
//! `pkg/resiliency`; time and chance are arguments.

mod backoff;
mod breaker;
mod decode;
mod matching;
mod merge;
mod spec;
mod trip;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

pub use backoff::{Backoff, Pace, Retry};
pub use breaker::{Breaker, BreakerRule, Counts, Generation, Rejected, State, Transition};
pub use decode::Invalid;
pub use matching::{Matching, MatchingError};
pub use merge::{Merge, Warning};
pub use spec::{ActorSpec, BreakerSpec, MatchingSpec, RetrySpec, Spec, TargetSpec};
pub use trip::{Trip, TripError};

/// The policy around calls that no target entry takes over.
pub const BUILT_IN: &str = "DaprBuiltInServiceRetries";

/// All policies, by what callers name.
#[derive(Clone, Debug, Default)]
pub struct Resiliency {
    /// Targets with an entry of their own; `None` when it is empty.
    apps: HashMap<Box<str>, Option<Arc<Rules>>>,
    /// For every other target.
    default: Option<Arc<Rules>>,
    built_in: Option<Retry>,
}

/// The policies around one call: retry( breaker( timeout( attempt ) ) ).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Time of one attempt, to the last byte of its answer.
    pub timeout: Option<Duration>,
    /// Whether and when there is another attempt.
    pub retry: Option<Retry>,
    /// Whether an attempt is made at all.
    pub breaker: Option<BreakerRule>,
    /// Breakers kept for the target, the least recently used goes first.
    pub breakers: usize,
}

/// Breakers kept for a target that says nothing.
pub const BREAKERS: usize = 100;

// === impl Resiliency ===

impl Resiliency {
    /// The policies for a target by the text it was named with; `None` when
    /// there are none. An entry inherits nothing from the defaults.
    pub fn rules(&self, target: &str) -> Option<&Arc<Rules>> {
        match self.apps.get(target) {
            Some(own) => own.as_ref(),
            None => self.default.as_ref(),
        }
    }

    /// Whether the target has an entry, even an empty one: then the built-in
    /// retry stands back. `app_id` is without namespace.
    pub fn replaces_built_in(&self, app_id: &str) -> bool {
        self.apps.contains_key(app_id)
    }

    /// The built-in retry, where the user wrote one of this name.
    pub fn built_in(&self) -> Option<Retry> {
        self.built_in.clone()
    }
}

// === impl Rules ===

impl Rules {
    fn is_empty(&self) -> bool {
        let Self {
            timeout,
            retry,
            breaker,
            breakers: _,
        } = self;
        timeout.is_none() && retry.is_none() && breaker.is_none()
    }
}
