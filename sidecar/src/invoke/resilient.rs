//! Attempts under the user's policies: retry( breaker( timeout( one attempt ) ) ).
//!
//! One attempt is everything up to the last byte of the answer, built-in
//! retries included. Mirrors Dapr 1.18 `pkg/api/http/directmessaging.go` with
//! these differences: an answer is judged by its status alone and the last
//! one is streamed; nothing is tried again once a byte of an answer reached
//! the client; what can never succeed is not tried again.

use std::{fmt, sync::Arc, time::Duration};

use api::{grpc::Code, verb::Verb};
use http::StatusCode;
use policy::{
    method::MethodError,
    resiliency::{Resiliency, Retry, Rules},
};
use tokio::time;

use super::{
    InvokeError, Invoker, Target,
    attempts::Route,
    execute::{built_in, of_peer},
    outgoing::Outgoing,
    tries::{Operation, Tries},
};
use crate::{
    message::{Body, Content, Reply, body},
    policies::Permit,
};

/// Bytes read of an answer nobody will see, so that its connection can be
/// used again.
const DRAIN: usize = 64 * 1024;

/// How an attempt counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Success,
    /// The answer says so; lists of codes apply.
    Status(u16),
    /// There is no answer.
    NoAnswer,
    /// It would fail again.
    Hopeless,
}

impl Invoker {
    /// Delivers a request under `rules`. `valid` is the verdict on its
    /// method, which counts as that of an attempt.
    pub(super) async fn resilient(
        &self,
        (resiliency, rules): (&Resiliency, &Rules),
        text: &str,
        target: &Target,
        outgoing: Outgoing,
        valid: Result<(), MethodError>,
    ) -> Result<Reply, InvokeError> {
        let operation = Operation {
            target: text,
            method: outgoing.parts().method.to_owned(),
        };
        let key: Option<Arc<str>> = rules
            .breaker
            .as_ref()
            .map(|_| format!("{text}:{}", operation.method).into());
        let retry = rules
            .retry
            .as_ref()
            .filter(|retry| retry.repeats() && outgoing.is_known_length);
        let mut tries = Tries::new(retry, &operation);
        loop {
            // A breaker that opens meanwhile has the last word.
            let permit = match &key {
                Some(key) => self.policies.breakers().admit(text, key, rules)?,
                None => None,
            };
            let deadline = rules.timeout.map(|timeout| time::Instant::now() + timeout);
            let outcome = match &valid {
                Ok(()) => {
                    let attempt = self.once(resiliency, text, target, &outgoing);
                    within(deadline, attempt).await
                }
                Err(invalid) => Err(invalid.clone().into()),
            };
            let verdict = Verdict::of(&outcome, &outgoing.content);
            // Anything but a success has failed here and now.
            let permit = permit.filter(|_| verdict == Verdict::Success);
            if verdict == Verdict::Success {
                tries.succeeded();
            }
            let pause = retry
                .filter(|retry| verdict.is_retried(retry) && outgoing.is_replayable(false))
                .and_then(|_| tries.next(Failure(&outcome)));
            let Some(pause) = pause else {
                let is_head = outgoing.verb == Verb::Head;
                return outcome.map(|reply| attended(reply, deadline, permit, is_head));
            };
            rest(outcome, pause).await;
        }
    }

    async fn once(
        &self,
        resiliency: &Resiliency,
        text: &str,
        target: &Target,
        outgoing: &Outgoing,
    ) -> Result<Reply, InvokeError> {
        match target {
            Target::Local => self.local(outgoing.request()).await,
            Target::App { app_id, namespace } => {
                let route = Route {
                    text,
                    app_id,
                    namespace,
                };
                let policy = built_in(Some(resiliency), app_id);
                self.attempts(route, outgoing, policy).await.map(of_peer)
            }
        }
    }
}

impl Verdict {
    fn of(outcome: &Result<Reply, InvokeError>, content: &Content) -> Self {
        match outcome {
            // gRPC clients get errors for these, whatever their numbers.
            Ok(Reply::Http(response)) if content.is_grpc() => {
                if response.status.is_success() {
                    Self::Success
                } else {
                    Self::NoAnswer
                }
            }
            Ok(Reply::Grpc(reply)) if content.is_grpc() => match reply.status.code {
                Code::Ok => Self::Success,
                _ => Self::NoAnswer,
            },
            Ok(Reply::Http(response)) => match response.status.as_u16() {
                status if status == 101 || status >= 400 => Self::Status(status),
                _ => Self::Success,
            },
            // To HTTP clients all of gRPC's statuses are answers.
            Ok(Reply::Grpc(_)) => Self::Success,
            Err(InvokeError::Method(_) | InvokeError::Body(_)) => Self::Hopeless,
            Err(InvokeError::Peer { status, .. }) if status.code == Code::PermissionDenied => {
                Self::Hopeless
            }
            Err(_) => Self::NoAnswer,
        }
    }

    fn is_retried(self, retry: &Retry) -> bool {
        match self {
            Self::Success | Self::Hopeless => false,
            Self::Status(status) => retry.matching.retries(i32::from(status)),
            Self::NoAnswer => true,
        }
    }
}

/// Dropping the attempt cancels it all the way to the app.
async fn within<T>(
    deadline: Option<time::Instant>,
    attempt: impl Future<Output = Result<T, InvokeError>>,
) -> Result<T, InvokeError> {
    match deadline {
        None => attempt.await,
        Some(deadline) => time::timeout_at(deadline, attempt)
            .await
            .unwrap_or(Err(InvokeError::Timeout)),
    }
}

/// The answer, which ends early when its time is over. Its breaker hears of
/// success once all of it has been taken.
fn attended(
    mut reply: Reply,
    deadline: Option<time::Instant>,
    permit: Option<Permit>,
    is_head: bool,
) -> Reply {
    if deadline.is_none() && permit.is_none() {
        return reply;
    }
    // Bodies of these are never asked for.
    let is_bodiless = is_head
        || match &reply {
            Reply::Http(response) => matches!(
                response.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            ),
            Reply::Grpc(reply) => reply.status.code != Code::Ok,
        };
    let succeed = move || {
        if let Some(permit) = permit {
            permit.succeed();
        }
    };
    let body = reply.body_mut();
    match body {
        Body::Stream(_) if !is_bodiless => {
            let rest = std::mem::take(body);
            *body = Body::stream(body::Attended::new(rest, deadline, succeed));
        }
        _ => succeed(),
    }
    reply
}

/// Pauses, and meanwhile reads what is left of an answer nobody will see.
async fn rest(outcome: Result<Reply, InvokeError>, pause: Duration) {
    let until = time::Instant::now() + pause;
    if let Ok(mut reply) = outcome {
        let drained = body::drain(std::mem::take(reply.body_mut()), DRAIN);
        // What takes longer is cut off.
        let _ = time::timeout_at(until, drained).await;
    }
    time::sleep_until(until).await;
}

/// A failed outcome in words.
struct Failure<'a>(&'a Result<Reply, InvokeError>);

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(Reply::Http(response)) => write!(f, "status code {}", response.status.as_u16()),
            Ok(Reply::Grpc(reply)) => reply.status.fmt(f),
            Err(error) => error.fmt(f),
        }
    }
}
