//! One admission review: who asks for what, and what is answered. The order
//! of the decisions is a contract. No I/O and no panic, whatever arrives.
//!
//! Mirrors Dapr 1.18 pkg/injector/service/handler.go.

mod answer;
mod request;

use api::flags::truthy;
use http::StatusCode;
use serde_json::{Value, json};

pub use self::answer::Answer;
use self::request::Request;
pub(crate) use self::request::Review;
use crate::SCOPE;
use crate::annotations::{self, Annotations};
use crate::metrics::{Metrics, Reason};
use crate::patch::{self, Current, Injection};
use crate::pod::Pod;
use crate::requesters::{Requesters, User};
use crate::self_test;
use crate::settings::Sidecar;

/// Everything decisions depend on.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// What is added.
    pub sidecar: &'a Sidecar,
    /// For whom.
    pub requesters: &'a Requesters,
    /// What changes while we run.
    pub current: Current<'a>,
    /// Which of several injectors this is.
    pub instance: &'a str,
    /// Counts what happens.
    pub metrics: &'a Metrics,
}

/// Answers the body of a request with that `Content-Type`.
pub fn answer(body: &[u8], content_type: Option<&[u8]>, rules: &Rules<'_>) -> Answer {
    if body.is_empty() {
        rules.metrics.requested();
        return Answer::text(StatusCode::BAD_REQUEST, "empty body");
    }
    if content_type != Some(b"application/json") {
        rules.metrics.requested();
        return Answer::text(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid Content-Type, expected `application/json`",
        );
    }
    let review = match Review::parse(body) {
        Ok(review) => review,
        Err(error) => {
            rules.metrics.requested();
            rules.metrics.failed("", Reason::Patch);
            tracing::error!(target: SCOPE, "can't decode body: {error}");
            return Review::default().deny(&error.to_string());
        }
    };
    if let Some(answer) = self_test::answer(&review, rules) {
        return answer;
    }
    rules.metrics.requested();
    match &review.request {
        // Differs from Dapr, which crashes the connection here.
        None => review.allow(),
        Some(request) => decide(&review, request, rules),
    }
}

fn decide(review: &Review, request: &Request, rules: &Rules<'_>) -> Answer {
    if request.kind() != "Pod" {
        tracing::error!(target: SCOPE, "invalid kind for review: {}", request.kind());
        rules.metrics.failed("", Reason::PodPatch);
        return review.allow();
    }
    let object = request.object.as_ref().unwrap_or(&Value::Null);
    let pod = Pod::new(object);
    // Differs from Dapr, which asks for the word `true` here and takes every
    // word for yes elsewhere.
    if pod.as_ref().is_ok_and(|pod| !wants_sidecar(pod)) {
        return review.allow();
    }
    let app_id = pod.as_ref().map_or("", diagnostic_app_id);
    let user = User {
        name: request.username(),
        uid: request.user_uid(),
        groups: request.groups(),
    };
    if !rules.requesters.allow(user) {
        tracing::error!(
            target: SCOPE,
            "service account '{}' not on the list of allowed controller accounts", user.name
        );
        rules.metrics.failed(app_id, Reason::PodPatch);
        return review.allow();
    }
    let deny = |error: &dyn std::fmt::Display| {
        tracing::error!(target: SCOPE, "sidecar injector failed to inject for app '{app_id}': {error}");
        rules.metrics.failed(app_id, Reason::Patch);
        review.deny(&error.to_string())
    };
    let pod = match pod {
        Ok(pod) => pod,
        Err(error) => return deny(&error),
    };
    if pod.has_sidecar() {
        return review.allow();
    }
    match patch::inject(pod, request.namespace(), rules.sidecar, rules.current) {
        Err(error) => deny(&error),
        Ok(injection) => {
            log(&injection, request, app_id);
            rules.metrics.succeeded(app_id);
            review.patch(&json!(injection.operations))
        }
    }
}

fn wants_sidecar(pod: &Pod<'_>) -> bool {
    let given = pod
        .annotations
        .and_then(|given| given.get(annotations::ENABLED)?.as_str());
    given.is_some_and(truthy)
}

/// What metrics and log lines call the app: not checked yet.
fn diagnostic_app_id<'a>(pod: &Pod<'a>) -> &'a str {
    let given = Annotations::new(pod.annotations);
    given.text(annotations::APP_ID).unwrap_or(pod.name)
}

fn log(injection: &Injection, request: &Request, app_id: &str) {
    let namespace = request.namespace();
    for warning in &injection.warnings {
        tracing::warn!(target: SCOPE, namespace, "app '{app_id}': {warning}");
    }
    tracing::info!(target: SCOPE, namespace, "sidecar injector succeeded injection for app '{app_id}'");
}

#[cfg(test)]
mod tests;
