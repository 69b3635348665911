//! Objects as they were written to the plain values `policy` decides on.
//!
//! Resiliency objects come as JSON trees: keys are found without regard to
//! case, and scalars stand in for text, as upstream's decoders have it.

use std::collections::BTreeMap;

use policy::{
    access,
    resiliency::{ActorSpec, BreakerSpec, MatchingSpec, RetrySpec, Spec, TargetSpec},
};
use serde_json::Value;

use crate::resources::AccessControl;

/// A member of the wrong shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, found {found}")]
pub(super) struct Misshapen {
    field: String,
    expected: &'static str,
    found: &'static str,
}

pub(super) fn access(written: &AccessControl) -> access::Spec {
    let AccessControl {
        default_action,
        trust_domain,
        policies,
    } = written;
    let policy = |policy: &crate::resources::AppPolicy| access::AppPolicy {
        app_id: policy.app_id.clone(),
        default_action: policy.default_action.clone(),
        trust_domain: policy.trust_domain.clone(),
        namespace: policy.namespace.clone(),
        operations: policy
            .operations
            .iter()
            .map(|operation| access::Operation {
                name: operation.name.clone(),
                verbs: operation.http_verb.clone(),
                action: operation.action.clone(),
            })
            .collect(),
    };
    access::Spec {
        default_action: default_action.clone(),
        trust_domain: trust_domain.clone(),
        policies: policies
            .as_ref()
            .map(|policies| policies.iter().map(policy).collect()),
    }
}

/// `metadata.name`; empty when there is none.
pub(super) fn name(object: &Value) -> &str {
    metadata(object, "name")
}

/// The name, with its namespace where there is one.
pub(super) fn full_name(object: &Value) -> String {
    match metadata(object, "namespace") {
        "" => name(object).to_owned(),
        namespace => format!("{} (namespace {namespace})", name(object)),
    }
}

fn metadata<'a>(object: &'a Value, key: &str) -> &'a str {
    let metadata = object
        .get("metadata")
        .and_then(|metadata| metadata.get(key));
    metadata.and_then(Value::as_str).unwrap_or_default()
}

/// Whether the object is for this app: no scopes are for every app.
pub(super) fn is_in_scope(object: &Value, app_id: &str) -> bool {
    let scopes = Node::root(object).member("scopes");
    match scopes.value.and_then(Value::as_array) {
        Some(scopes) if !scopes.is_empty() => {
            scopes.iter().any(|scope| scope.as_str() == Some(app_id))
        }
        _ => true,
    }
}

/// `spec` of a Resiliency.
///
/// # Errors
/// The first member of the wrong shape.
pub(super) fn resiliency(object: &Value) -> Result<Spec, Misshapen> {
    let spec = Node::root(object).member("spec");
    let policies = spec.member("policies");
    let targets = spec.member("targets");
    // Checked for their shape only: nothing here calls components.
    targets.member("components").entries(|_| Ok(()))?;
    Ok(Spec {
        timeouts: policies.member("timeouts").entries(Node::text)?,
        retries: policies.member("retries").entries(retry)?,
        circuit_breakers: policies.member("circuitBreakers").entries(breaker)?,
        apps: targets.member("apps").entries(target)?,
        actors: targets.member("actors").entries(actor)?,
    })
}

fn retry(node: &Node<'_>) -> Result<RetrySpec, Misshapen> {
    node.object()?;
    let matching = node.member("matching");
    matching.object()?;
    Ok(RetrySpec {
        policy: node.member("policy").text()?,
        duration: node.member("duration").text()?,
        max_interval: node.member("maxInterval").text()?,
        max_retries: node.member("maxRetries").integer()?,
        matching: MatchingSpec {
            http_status_codes: matching.member("httpStatusCodes").text()?,
            grpc_status_codes: matching.member("gRPCStatusCodes").text()?,
        },
    })
}

fn breaker(node: &Node<'_>) -> Result<BreakerSpec, Misshapen> {
    node.object()?;
    Ok(BreakerSpec {
        max_requests: node.member("maxRequests").integer()?.unwrap_or_default(),
        interval: node.member("interval").text()?,
        timeout: node.member("timeout").text()?,
        trip: node.member("trip").text()?,
    })
}

fn target(node: &Node<'_>) -> Result<TargetSpec, Misshapen> {
    node.object()?;
    let cache = node.member("circuitBreakerCacheSize").integer()?;
    Ok(TargetSpec {
        timeout: node.member("timeout").text()?,
        retry: node.member("retry").text()?,
        circuit_breaker: node.member("circuitBreaker").text()?,
        circuit_breaker_cache_size: cache.unwrap_or_default(),
    })
}

fn actor(node: &Node<'_>) -> Result<ActorSpec, Misshapen> {
    node.object()?;
    Ok(ActorSpec {
        circuit_breaker: node.member("circuitBreaker").text()?,
        circuit_breaker_scope: node.member("circuitBreakerScope").text()?,
    })
}

/// A place in an object that may be empty.
struct Node<'a> {
    path: String,
    value: Option<&'a Value>,
}

impl<'a> Node<'a> {
    fn root(value: &'a Value) -> Self {
        Self {
            path: String::new(),
            value: Some(value),
        }
    }

    fn at(&self, key: &str, value: Option<&'a Value>) -> Self {
        let path = match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        Self {
            path,
            value: value.filter(|value| !value.is_null()),
        }
    }

    /// The member of this name, in its own spelling or another.
    fn member(&self, key: &str) -> Self {
        let members = self.value.and_then(Value::as_object);
        let value = members.and_then(|members| {
            members.get(key).or_else(|| {
                let mut alike = members.iter();
                alike
                    .find(|(name, _)| name.eq_ignore_ascii_case(key))
                    .map(|(_, value)| value)
            })
        });
        self.at(key, value)
    }

    /// Fails unless there is an object or nothing.
    fn object(&self) -> Result<(), Misshapen> {
        match self.value {
            None | Some(Value::Object(_)) => Ok(()),
            Some(_) => Err(self.misshapen("an object")),
        }
    }

    /// Every entry of a map.
    fn entries<T>(
        &self,
        read: impl Fn(&Self) -> Result<T, Misshapen>,
    ) -> Result<BTreeMap<String, T>, Misshapen> {
        let Some(value) = self.value else {
            return Ok(BTreeMap::new());
        };
        let Value::Object(entries) = value else {
            return Err(self.misshapen("an object"));
        };
        entries
            .iter()
            .map(|(name, value)| Ok((name.clone(), read(&self.at(name, Some(value)))?)))
            .collect()
    }

    /// Text, or a scalar as it is written; empty when there is none.
    fn text(&self) -> Result<String, Misshapen> {
        match self.value {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(scalar @ (Value::Bool(_) | Value::Number(_))) => Ok(scalar.to_string()),
            Some(_) => Err(self.misshapen("text")),
        }
    }

    fn integer(&self) -> Result<Option<i64>, Misshapen> {
        match self.value {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.misshapen("an integer")),
            },
        }
    }

    fn misshapen(&self, expected: &'static str) -> Misshapen {
        let found = match self.value {
            None | Some(Value::Null) => "nothing",
            Some(Value::Bool(_)) => "a boolean",
            Some(Value::Number(_)) => "a number",
            Some(Value::String(_)) => "text",
            Some(Value::Array(_)) => "a list",
            Some(Value::Object(_)) => "an object",
        };
        Misshapen {
            field: self.path.clone(),
            expected,
            found,
        }
    }
}
