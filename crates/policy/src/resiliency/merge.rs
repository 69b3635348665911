//! Objects into one name space, in the order they are given.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{
    BREAKERS, BUILT_IN, BreakerRule, Invalid, Resiliency, Retry, Rules, Spec, TargetSpec, decode,
};
use crate::method::quote;

/// Names whose policies have a least number of retries.
const BUILT_INS: [&str; 4] = [
    BUILT_IN,
    "DaprBuiltInActorRetries",
    "DaprBuiltInActorReminderRetries",
    "DaprBuiltInInitializationRetries",
];
/// The name nobody may take.
const PROTECTED: &str = "DaprBuiltInActorNotFoundRetries";
/// Fewer retries than this are raised to it.
const LEAST_BUILT_IN: u32 = 3;

/// Something that works otherwise than its author may think.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A built-in policy with too few retries.
    #[error("Attempted override of {0} did not meet minimum retry count, resetting to 3.")]
    FewRetries(String),
    /// The name that cannot be taken.
    #[error(
        "Attempted to override protected policy {0} which is not allowed. Ignoring provided policy and using default."
    )]
    Protected(String),
    /// A target names a policy that no object has.
    #[error("resiliency target {} names {kind} policy {}, which is not defined; it has none", quote(.target), quote(.policy))]
    Undefined {
        /// The target.
        target: String,
        /// `timeout`, `retry` or `circuitBreaker`.
        kind: &'static str,
        /// The name nobody defined.
        policy: String,
    },
}

/// What the objects so far say.
#[derive(Clone, Debug, Default)]
pub struct Merge {
    timeouts: HashMap<String, Option<Duration>>,
    retries: HashMap<String, Retry>,
    breakers: HashMap<String, BreakerRule>,
    apps: BTreeMap<String, TargetSpec>,
}

impl Merge {
    /// Adds an object, or nothing of it. Names it shares with earlier ones
    /// become its own.
    ///
    /// # Errors
    /// The first value that is none.
    pub fn add(&mut self, spec: &Spec) -> Result<Vec<Warning>, Invalid> {
        let Spec {
            timeouts,
            retries,
            circuit_breakers,
            apps,
            actors,
        } = spec;
        let mut warnings = Vec::new();
        let mut parsed = Self::default();
        for (name, value) in timeouts {
            let timeout = decode::timeout(name, value)?;
            parsed.timeouts.insert(name.clone(), timeout);
        }
        for (name, spec) in retries {
            let mut retry = decode::retry(name, spec)?;
            if name == PROTECTED {
                warnings.push(Warning::Protected(name.clone()));
                continue;
            }
            // No limit counts as too few, as it does for Dapr.
            if BUILT_INS.contains(&&**name) && retry.max.is_none_or(|max| max < LEAST_BUILT_IN) {
                warnings.push(Warning::FewRetries(name.clone()));
                retry.max = Some(LEAST_BUILT_IN);
            }
            parsed.retries.insert(name.clone(), retry);
        }
        for (name, spec) in circuit_breakers {
            let breaker = decode::breaker(name, spec)?;
            parsed.breakers.insert(name.clone(), breaker);
        }
        for (name, target) in apps {
            if target.circuit_breaker_cache_size < 0 {
                return Err(Invalid::CacheSize);
            }
            parsed.apps.insert(name.clone(), target.clone());
        }
        actors.values().try_for_each(decode::actor)?;
        self.timeouts.extend(parsed.timeouts);
        self.retries.extend(parsed.retries);
        self.breakers.extend(parsed.breakers);
        self.apps.extend(parsed.apps);
        Ok(warnings)
    }

    /// The snapshot calls are looked up in.
    pub fn finish(&self) -> (Resiliency, Vec<Warning>) {
        let mut warnings = Vec::new();
        let shared = |rules: Rules| (!rules.is_empty()).then(|| Arc::new(rules));
        let apps = self
            .apps
            .iter()
            .map(|(name, target)| {
                let rules = self.target(name, target, &mut warnings);
                (name.as_str().into(), shared(rules))
            })
            .collect();
        let resiliency = Resiliency {
            apps,
            default: shared(self.default_rules()),
            built_in: self.retries.get(BUILT_IN).cloned(),
        };
        (resiliency, warnings)
    }

    fn target(&self, name: &str, target: &TargetSpec, warnings: &mut Vec<Warning>) -> Rules {
        let mut undefined = |kind, policy: &str| {
            warnings.push(Warning::Undefined {
                target: name.to_owned(),
                kind,
                policy: policy.to_owned(),
            });
        };
        let timeout = named(&self.timeouts, &target.timeout, |policy| {
            undefined("timeout", policy);
        });
        let retry = named(&self.retries, &target.retry, |policy| {
            undefined("retry", policy);
        });
        let breaker = named(&self.breakers, &target.circuit_breaker, |policy| {
            undefined("circuitBreaker", policy);
        });
        Rules {
            timeout: timeout.flatten(),
            retry,
            breaker,
            breakers: usize::try_from(target.circuit_breaker_cache_size)
                .ok()
                .filter(|size| *size > 0)
                .unwrap_or(BREAKERS),
        }
    }

    /// For targets without an entry, kind by kind: the policy for apps, else
    /// the general one.
    fn default_rules(&self) -> Rules {
        Rules {
            timeout: of_default(&self.timeouts, "Timeout").flatten(),
            retry: of_default(&self.retries, "Retry"),
            breaker: of_default(&self.breakers, "CircuitBreaker"),
            breakers: BREAKERS,
        }
    }
}

fn of_default<T: Clone>(policies: &HashMap<String, T>, kind: &str) -> Option<T> {
    ["App", ""]
        .iter()
        .find_map(|level| policies.get(&format!("Default{level}{kind}Policy")))
        .cloned()
}

fn named<T: Clone>(
    policies: &HashMap<String, T>,
    name: &str,
    undefined: impl FnOnce(&str),
) -> Option<T> {
    let policy = policies.get(name).cloned();
    if policy.is_none() && !name.is_empty() {
        undefined(name);
    }
    policy
}
