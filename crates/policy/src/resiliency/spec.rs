//! `spec` of a Resiliency as the user wrote it. Empty text means absent.

use std::collections::BTreeMap;

/// One object. Maps are ordered so that the error named first is always the
/// same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// Durations by policy name.
    pub timeouts: BTreeMap<String, String>,
    /// Retry policies by name.
    pub retries: BTreeMap<String, RetrySpec>,
    /// Circuit breakers by policy name.
    pub circuit_breakers: BTreeMap<String, BreakerSpec>,
    /// Policies of apps, endpoints and URLs, by the text callers use.
    pub apps: BTreeMap<String, TargetSpec>,
    /// Actor types; checked only.
    pub actors: BTreeMap<String, ActorSpec>,
}

/// A retry policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetrySpec {
    /// `constant` or `exponential` in any case; empty is constant.
    pub policy: String,
    /// Pause of a constant policy; empty is 5 s.
    pub duration: String,
    /// Longest base of an exponential policy; empty is 60 s.
    pub max_interval: String,
    /// `None` and negative numbers are without end.
    pub max_retries: Option<i64>,
    /// Which failures it is for.
    pub matching: MatchingSpec,
}

/// Lists of codes; empty is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchingSpec {
    /// HTTP statuses, 100 to 599.
    pub http_status_codes: String,
    /// gRPC codes, 0 to 16.
    pub grpc_status_codes: String,
}

/// A circuit breaker policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BreakerSpec {
    /// Calls admitted half-open; 0 is 1.
    pub max_requests: i64,
    /// Window of the counters; empty is for ever.
    pub interval: String,
    /// Time in the open state; empty is 60 s.
    pub timeout: String,
    /// When to open; empty is after more than five failures in a row.
    pub trip: String,
}

/// Names of the policies of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetSpec {
    /// Name of a timeout.
    pub timeout: String,
    /// Name of a retry policy.
    pub retry: String,
    /// Name of a circuit breaker.
    pub circuit_breaker: String,
    /// Breakers kept for the target; 0 is 100.
    pub circuit_breaker_cache_size: i64,
}

/// Names of the policies of an actor type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActorSpec {
    /// Name of a circuit breaker.
    pub circuit_breaker: String,
    /// `type`, `id` or `both`.
    pub circuit_breaker_scope: String,
}
