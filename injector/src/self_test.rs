//! The question whether the API server really calls us: a Lease that is
//! created with dry-run and comes back with our mark.
//!
//! The webhook configuration has an entry that matches nothing but Leases
//! with this label in our namespace, so nothing of anybody is touched. What
//! asks is in `webhook`; here is what answers.

use serde_json::{Value, json};

use crate::patch::Operation;
use crate::review::{Answer, Review, Rules};

/// Label of the Lease.
pub(crate) const LABEL: &str = "dapr.io/injector-self-test";
/// Annotation with the instance that answered.
pub(crate) const ANSWER: &str = "dapr.io/injector-self-test-answer";
/// Name of the entry in the webhook configuration.
pub(crate) const ENTRY: &str = "self-test.dapr.io";
const KIND: &str = "Lease";

/// The Lease to create.
pub(crate) fn lease(namespace: &str, instance: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": KIND,
        "metadata": {
            "generateName": "dapr-injector-self-test-",
            "namespace": namespace,
            "labels": {LABEL: instance},
        },
    })
}

/// Which instance answered for a Lease that came back.
pub(crate) fn answered_by(lease: &Value) -> Option<&str> {
    lease
        .get("metadata")?
        .get("annotations")?
        .get(ANSWER)?
        .as_str()
}

/// The answer if the review is about such a Lease.
pub(crate) fn answer(review: &Review, rules: &Rules<'_>) -> Option<Answer> {
    let request = review.request.as_ref()?;
    let metadata = request.object.as_ref()?.get("metadata")?;
    let ours = request.kind() == KIND
        && request.is_dry_run()
        && request.namespace() == rules.sidecar.namespace
        && metadata.get("labels")?.get(LABEL).is_some();
    if !ours {
        return None;
    }
    let mut operations = Vec::new();
    if metadata.get("annotations").is_none_or(Value::is_null) {
        operations.push(Operation::add(["metadata", "annotations"], json!({})));
    }
    operations.push(Operation::add(
        ["metadata", "annotations", ANSWER],
        json!(rules.instance),
    ));
    let mut answer = review.patch(&json!(operations));
    // The next question has to reach any of the injectors again, not the one
    // that happens to hold this connection.
    answer.last = true;
    Some(answer)
}
