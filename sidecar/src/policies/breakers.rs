//! The circuit breakers of this process: one per target and method, shared by
//! all workers, kept when the policies around them change.

use std::{collections::HashMap, sync::Arc, time::Instant};

use parking_lot::Mutex;
use policy::resiliency::{Breaker, Generation, Rejected, Rules, Transition};
use tracing::info;

/// Targets with breakers: those named in calls, so a client could make many.
const TARGETS: usize = 1000;

/// All breakers; the least recently used go when there are too many.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    targets: Mutex<Recent<Recent<Arc<Mutex<Breaker>>>>>,
}

/// Leave to make one attempt. Dropped, the attempt has failed.
#[derive(Debug)]
pub(crate) struct Permit {
    breaker: Arc<Mutex<Breaker>>,
    generation: Generation,
    key: Arc<str>,
    is_settled: bool,
}

impl Breakers {
    /// Asks the breaker of `target` named `key`. `None`: there is none.
    ///
    /// # Errors
    /// The attempt must not be made.
    pub(crate) fn admit(
        &self,
        target: &str,
        key: &Arc<str>,
        rules: &Rules,
    ) -> Result<Option<Permit>, Rejected> {
        let Some(rule) = &rules.breaker else {
            return Ok(None);
        };
        let now = Instant::now();
        let fresh = || Arc::new(Mutex::new(Breaker::new(rule.clone(), now)));
        let breaker = {
            let mut targets = self.targets.lock();
            let of_target = targets.get(target, TARGETS, Recent::default);
            let known = of_target.get(key, rules.breakers, fresh);
            // The policy has changed: what was counted under the old one says
            // nothing about the new one.
            if known.lock().rule() != rule {
                *known = fresh();
            }
            Arc::clone(known)
        };
        let (verdict, changed) = breaker.lock().admit(now);
        tell(key, changed);
        Ok(Some(Permit {
            generation: verdict?,
            breaker,
            key: Arc::clone(key),
            is_settled: false,
        }))
    }
}

impl Permit {
    /// The attempt succeeded.
    pub(crate) fn succeed(mut self) {
        self.settle(true);
    }

    fn settle(&mut self, is_success: bool) {
        if !std::mem::replace(&mut self.is_settled, true) {
            let now = Instant::now();
            let changed = self.breaker.lock().record(self.generation, is_success, now);
            tell(&self.key, changed);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.settle(false);
    }
}

fn tell(key: &str, changed: Option<Transition>) {
    if let Some(Transition { from, to }) = changed {
        info!(target: "dapr.runtime", "Circuit breaker {key:?} changed state from {from} to {to}");
    }
}

/// Values by name, of which the least recently used is given up.
#[derive(Debug)]
struct Recent<T> {
    values: HashMap<Box<str>, (u64, T)>,
    clock: u64,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            clock: 0,
        }
    }
}

impl<T> Recent<T> {
    /// The value of `name`, made if it is not there; `most` are kept.
    fn get(&mut self, name: &str, most: usize, fresh: impl FnOnce() -> T) -> &mut T {
        self.clock += 1;
        if !self.values.contains_key(name) {
            while self.values.len() >= most.max(1) && self.forget_oldest() {}
        }
        let entry = self.values.entry(name.into());
        let (used, value) = entry.or_insert_with(|| (0, fresh()));
        *used = self.clock;
        value
    }

    fn forget_oldest(&mut self) -> bool {
        let oldest = self.values.iter().min_by_key(|(_, (used, _))| *used);
        let Some(name) = oldest.map(|(name, _)| name.clone()) else {
            return false;
        };
        self.values.remove(&name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use policy::resiliency::{BreakerRule, Trip};

    use super::*;

    fn rules(trip: &str, breakers: usize) -> Rules {
        Rules {
            breaker: Some(BreakerRule {
                max_requests: 1,
                interval: None,
                timeout: Duration::from_hours(1),
                trip: Trip::parse(trip).unwrap(),
            }),
            breakers,
            ..Rules::default()
        }
    }

    fn fails(breakers: &Breakers, key: &str, rules: &Rules) -> bool {
        breakers.admit("b", &key.into(), rules).map(drop).is_ok()
    }

    #[test]
    fn each_method_has_its_own_and_the_least_used_is_given_up() {
        let breakers = Breakers::default();
        let rules = rules("totalFailures >= 1", 2);
        assert!(fails(&breakers, "b:x", &rules));
        assert!(!fails(&breakers, "b:x", &rules));
        assert!(fails(&breakers, "b:y", &rules));
        assert!(!fails(&breakers, "b:x", &rules));
        assert!(fails(&breakers, "b:z", &rules));
        // `y` was the least recently used and begins anew.
        assert!(!fails(&breakers, "b:x", &rules));
        assert!(fails(&breakers, "b:y", &rules));
    }

    #[test]
    fn another_policy_begins_anew_and_the_same_one_goes_on() {
        let breakers = Breakers::default();
        assert!(fails(&breakers, "b:x", &rules("totalFailures >= 1", 9)));
        assert!(!fails(&breakers, "b:x", &rules("totalFailures >= 1", 9)));
        assert!(fails(&breakers, "b:x", &rules("totalFailures >= 2", 9)));
    }

    #[test]
    fn without_a_policy_there_is_none() {
        let breakers = Breakers::default();
        let permit = breakers.admit("b", &"b:x".into(), &Rules::default());
        assert!(permit.unwrap().is_none());
    }
}
