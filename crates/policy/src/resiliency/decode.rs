//! Text of policies to values, with Dapr's words for what is wrong.

use std::time::Duration;

use api::duration::GoDuration;

use super::{
    ActorSpec, BreakerRule, BreakerSpec, Matching, MatchingError, Pace, Retry, RetrySpec, Trip,
};
use crate::method::quote;

/// Why an object is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A timeout that is no duration.
    #[error("invalid duration {}, {value}: {reason}", quote(.name))]
    Timeout {
        /// Policy name.
        name: String,
        /// As written.
        value: String,
        /// Go's words.
        reason: String,
    },
    /// A retry policy or a circuit breaker.
    #[error("invalid retry configuration {}: {} error(s) decoding:\n\n{}", quote(.name), .errors.len(), .errors.join("\n"))]
    Policy {
        /// Policy name.
        name: String,
        /// One line for each wrong member.
        errors: Vec<String>,
    },
    /// A list of codes.
    #[error(transparent)]
    Matching(#[from] MatchingError),
    /// A negative number of breakers to keep.
    #[error("must provide a positive size")]
    CacheSize,
    /// An actor's breaker without scope.
    #[error("actor circuit breakers must include scope")]
    NoScope,
    /// A scope there is not.
    #[error("unknown circuit breaker scope {}", quote(.0))]
    Scope(String),
}

const DEFAULT_PAUSE: Duration = Duration::from_secs(5);
const DEFAULT_CAP: Duration = Duration::from_mins(1);
const DEFAULT_OPEN: Duration = Duration::from_mins(1);

/// A duration, or milliseconds when the text is a whole number.
fn duration(text: &str) -> Result<GoDuration, api::duration::DurationError> {
    match text.parse::<i64>() {
        Ok(milliseconds) => Ok(GoDuration::from_nanos(
            milliseconds.saturating_mul(1_000_000),
        )),
        Err(_) => text.parse(),
    }
}

/// A timeout; `None` for one that never fires.
pub(super) fn timeout(name: &str, value: &str) -> Result<Option<Duration>, Invalid> {
    let parsed = duration(value).map_err(|error| Invalid::Timeout {
        name: name.to_owned(),
        value: value.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(parsed.is_positive().then(|| parsed.to_std()))
}

pub(super) fn retry(name: &str, spec: &RetrySpec) -> Result<Retry, Invalid> {
    let RetrySpec {
        policy,
        duration,
        max_interval,
        max_retries,
        matching,
    } = spec;
    let mut fields = Fields::default();
    let pause = fields.duration("duration", duration, DEFAULT_PAUSE);
    let cap = fields.duration("maxInterval", max_interval, DEFAULT_CAP);
    let pace = match policy.to_lowercase().as_str() {
        "" | "constant" => Pace::Constant(pause),
        "exponential" => Pace::Exponential(cap),
        _ => {
            let quoted = quote(policy);
            fields.wrong(
                "policy",
                &format!("invalid PolicyType {quoted}: unexpected back off policy type: {policy}"),
            );
            Pace::Constant(pause)
        }
    };
    fields.finish(name)?;
    Ok(Retry {
        pace,
        max: max_retries
            .filter(|max| *max >= 0)
            .map(|max| u32::try_from(max).unwrap_or(u32::MAX)),
        matching: Matching::parse(&matching.http_status_codes, &matching.grpc_status_codes)?,
    })
}

pub(super) fn breaker(name: &str, spec: &BreakerSpec) -> Result<BreakerRule, Invalid> {
    let BreakerSpec {
        max_requests,
        interval,
        timeout,
        trip,
    } = spec;
    let mut fields = Fields::default();
    if *max_requests < 0 {
        let line = format!("* cannot parse 'maxRequests', {max_requests}.000000 overflows uint");
        fields.errors.push(line);
    }
    let interval = fields.duration("interval", interval, Duration::ZERO);
    let timeout = fields.duration("timeout", timeout, Duration::ZERO);
    let parsed = Trip::parse(trip);
    if let Err(error) = &parsed {
        let quoted = quote(trip);
        fields.wrong("trip", &format!("invalid Expr {quoted}: {error}"));
    }
    fields.finish(name)?;
    let or_none = |duration: Duration| (!duration.is_zero()).then_some(duration);
    Ok(BreakerRule {
        max_requests: u32::try_from(*max_requests).unwrap_or(u32::MAX).max(1),
        interval: or_none(interval),
        timeout: or_none(timeout).unwrap_or(DEFAULT_OPEN),
        trip: parsed.unwrap_or_default(),
    })
}

pub(super) fn actor(spec: &ActorSpec) -> Result<(), Invalid> {
    let ActorSpec {
        circuit_breaker,
        circuit_breaker_scope,
    } = spec;
    match circuit_breaker_scope.as_str() {
        _ if circuit_breaker.is_empty() => Ok(()),
        "" => Err(Invalid::NoScope),
        "type" | "id" | "both" => Ok(()),
        _ => Err(Invalid::Scope(circuit_breaker_scope.clone())),
    }
}

/// Members of one policy and what is wrong with them.
#[derive(Default)]
pub(super) struct Fields {
    errors: Vec<String>,
}

impl Fields {
    pub(super) fn duration(&mut self, field: &str, text: &str, default: Duration) -> Duration {
        if text.is_empty() {
            return default;
        }
        duration(text).map_or_else(
            |_| {
                self.wrong(field, &format!("invalid duration {}", quote(text)));
                default
            },
            GoDuration::to_std,
        )
    }

    pub(super) fn wrong(&mut self, field: &str, cause: &str) {
        self.errors
            .push(format!("* error decoding '{field}': {cause}"));
    }

    pub(super) fn finish(mut self, name: &str) -> Result<(), Invalid> {
        if self.errors.is_empty() {
            return Ok(());
        }
        self.errors.sort();
        Err(Invalid::Policy {
            name: name.to_owned(),
            errors: self.errors,
        })
    }
}
