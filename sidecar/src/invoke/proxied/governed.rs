//! Calls that pass unread, under the user's policies.

use std::{
    fmt,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use api::grpc::{Code, Status};
use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use policy::resiliency::{Retry, Rules};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::{Prepared, Search};
use crate::{
    invoke::{
        InvokeError, Invoker,
        attempts::Route,
        tries::{Operation, Tries},
    },
    message::{Body, BodyError},
    policies::Permit,
    rpc::{self, Meter, Rpc, RpcAnswer},
    transport,
};

/// Bytes kept of the one message of a call that may be repeated.
const ONE_MESSAGE: usize = usize::MAX;

/// An attempt that did not succeed.
enum Failed {
    /// There is no answer.
    Error(InvokeError),
    /// The answer is a failure and nothing else.
    Answer(RpcAnswer, Failure),
}

/// How an answer failed.
struct Failure {
    status: Status,
    /// As the app gave it; apps make up codes as well.
    code: i32,
}

impl Failure {
    fn of(trailers: &HeaderMap) -> Option<Self> {
        let status = Status::from_headers(trailers)?;
        let given = trailers.get("grpc-status")?.to_str().ok()?;
        let code = given.parse().unwrap_or(Code::Unknown as i32);
        (status.code != Code::Ok).then_some(Self { status, code })
    }
}

impl Failed {
    fn is_retried(&self, retry: &Retry) -> bool {
        match self {
            Self::Error(InvokeError::Rpc(status)) => {
                !is_denial(status) && retry.matching.retries(status.code as i32)
            }
            Self::Answer(_, Failure { status, code }) => {
                !is_denial(status) && retry.matching.retries(*code)
            }
            Self::Error(InvokeError::Rejected(_) | InvokeError::Body(_)) => false,
            Self::Error(_) => true,
        }
    }

    fn outcome(self) -> Result<RpcAnswer, InvokeError> {
        match self {
            Self::Error(error) => Err(error),
            Self::Answer(answer, _) => Ok(answer),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Answer(_, failure) => failure.status.fmt(f),
        }
    }
}

/// A denial by the callee's access list stays one.
fn is_denial(status: &Status) -> bool {
    status.code == Code::PermissionDenied
        && status
            .message
            .starts_with("access control policy has denied")
}

impl Invoker {
    /// Passes a call on under the rules of a name.
    pub(super) async fn governed(
        &self,
        route: Route<'_>,
        (name, rules): (&str, &Rules),
        is_stream: bool,
        rpc: Rpc,
    ) -> Result<RpcAnswer, InvokeError> {
        let operation = Operation {
            target: name,
            method: rpc.path.path().to_owned(),
        };
        let retry = rules.retry.as_ref().filter(|retry| retry.repeats());
        if is_stream {
            self.opened(route, rules, retry, &operation).await?;
            let prepared = Prepared::new(rpc, self.limits.replay, false).await?;
            let answer = self.pass(route, &prepared).await?;
            prepared.settle();
            return Ok(answer);
        }
        let Some(retry) = retry else {
            let prepared = Prepared::new(rpc, self.limits.replay, false).await?;
            let mut attempt = Attempt::new(self, rules, &operation)?;
            let answer = attempt.bound(self.pass(route, &prepared)).await?;
            prepared.settle();
            return Ok(attempt.attend(answer));
        };
        let crowded = Arc::new(AtomicBool::new(false));
        let rpc = Rpc {
            body: Body::stream(OneMessage {
                body: rpc.body,
                meter: Meter::new(self.limits.body),
                crowded: Arc::clone(&crowded),
            }),
            ..rpc
        };
        let prepared = Prepared::new(rpc, ONE_MESSAGE, true).await?;
        let mut tries = Tries::new(Some(retry), &operation);
        loop {
            let mut attempt = Attempt::new(self, rules, &operation)?;
            let failed = match attempt.bound(self.judged(route, &prepared)).await {
                Ok(Ok(answer)) => {
                    prepared.settle();
                    tries.succeeded();
                    return Ok(attempt.attend(answer));
                }
                Ok(Err((answer, failure))) => Failed::Answer(answer, failure),
                Err(error) => Failed::Error(error),
            };
            drop(attempt);
            let may_go_on = !crowded.load(Ordering::Acquire) && prepared.is_replayable(false);
            let pause = (may_go_on && failed.is_retried(retry))
                .then(|| tries.next(&failed))
                .flatten();
            let Some(pause) = pause else {
                return failed.outcome();
            };
            sleep(pause).await;
        }
    }

    /// A connection to a replica, which is what opening a stream takes.
    async fn opened(
        &self,
        route: Route<'_>,
        rules: &Rules,
        retry: Option<&Retry>,
        operation: &Operation<'_>,
    ) -> Result<(), InvokeError> {
        let mut tries = Tries::new(retry, operation);
        loop {
            let mut attempt = Attempt::new(self, rules, operation)?;
            let error = match attempt.bound(self.reach(route)).await {
                Ok(()) => {
                    attempt.succeed();
                    tries.succeeded();
                    return Ok(());
                }
                Err(error) => error,
            };
            drop(attempt);
            // What cannot be opened carries no code: lists do not apply.
            let Some(pause) = tries.next(&error) else {
                return Err(error);
            };
            sleep(pause).await;
        }
    }

    async fn reach(&self, route: Route<'_>) -> Result<(), InvokeError> {
        let mut search = Search::new(self, route);
        loop {
            let (peer, patience) = search.next().await?;
            match transport::reach(&peer, patience).await {
                Ok(()) => return Ok(()),
                Err(failed) => search.failed(&peer, failed, true).await?,
            }
        }
    }

    /// One attempt: an answer that has a message, or ends well without one,
    /// is taken; one that is a failure and nothing else comes back as such.
    async fn judged(
        &self,
        route: Route<'_>,
        prepared: &Prepared,
    ) -> Result<Result<RpcAnswer, (RpcAnswer, Failure)>, InvokeError> {
        use http_body_util::BodyExt as _;

        let mut answer = self.pass(route, prepared).await?;
        if answer.status().is_some() {
            return Ok(match Failure::of(&answer.headers) {
                None => Ok(answer),
                Some(failure) => Err((answer, failure)),
            });
        }
        let first = answer.body.frame().await.transpose()?;
        let failure = first
            .as_ref()
            .and_then(Frame::trailers_ref)
            .and_then(Failure::of);
        let rest = std::mem::take(&mut answer.body);
        answer.body = Body::stream(Begun { first, rest });
        Ok(match failure {
            Some(failure) => Err((answer, failure)),
            None => Ok(answer),
        })
    }
}

/// One attempt with its leave and its time.
struct Attempt {
    permit: Option<Permit>,
    deadline: Option<Instant>,
}

impl Attempt {
    fn new(
        invoker: &Invoker,
        rules: &Rules,
        operation: &Operation<'_>,
    ) -> Result<Self, InvokeError> {
        let Operation { target, method } = operation;
        let permit = if rules.breaker.is_some() {
            let key = format!("{target}:{method}").into();
            invoker.policies.breakers().admit(target, &key, rules)?
        } else {
            None
        };
        Ok(Self {
            permit,
            deadline: rules.timeout.map(|timeout| Instant::now() + timeout),
        })
    }

    async fn bound<T>(
        &mut self,
        work: impl Future<Output = Result<T, InvokeError>>,
    ) -> Result<T, InvokeError> {
        rpc::within(self.deadline, pin!(work), || InvokeError::Timeout).await
    }

    fn succeed(self) {
        if let Some(permit) = self.permit {
            permit.succeed();
        }
    }

    /// The answer, which ends when its time is over, and by which the breaker
    /// judges the call.
    fn attend(self, mut answer: RpcAnswer) -> RpcAnswer {
        if self.permit.is_none() && self.deadline.is_none() {
            return answer;
        }
        if let Some(status) = answer.status() {
            if status.code == Code::Ok {
                self.succeed();
            }
            return answer;
        }
        let body = std::mem::take(&mut answer.body);
        answer.body = Body::stream(Attended {
            body,
            deadline: self.deadline.map(|at| Box::pin(sleep_until(at))),
            permit: self.permit,
            is_over: false,
        });
        answer
    }
}

/// An answer with an end set to it.
struct Attended {
    body: Body,
    deadline: Option<Pin<Box<Sleep>>>,
    permit: Option<Permit>,
    is_over: bool,
}

impl http_body::Body for Attended {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        if let Some(deadline) = &mut this.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            this.is_over = true;
            this.permit = None;
            this.body = Body::Empty;
            let trailers = rpc::trailers(&rpc::deadline_exceeded());
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let frame = ready!(http_body::Body::poll_frame(
            Pin::new(&mut this.body),
            context
        ));
        let trailers = if let Some(Ok(frame)) = &frame {
            frame.trailers_ref()
        } else {
            this.permit = None;
            None
        };
        if let Some(status) = trailers.and_then(Status::from_headers)
            && let Some(permit) = this.permit.take()
            && status.code == Code::Ok
        {
            permit.succeed();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }
}

/// An answer with its first frame put back in front.
struct Begun {
    first: Option<Frame<Bytes>>,
    rest: Body,
}

impl http_body::Body for Begun {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => http_body::Body::poll_frame(Pin::new(&mut self.rest), context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }
}

/// A request that fails at its second message: it could not be repeated.
struct OneMessage {
    body: Body,
    meter: Meter,
    crowded: Arc<AtomicBool>,
}

impl OneMessage {
    fn pass(&mut self, data: &[u8]) -> Result<(), BodyError> {
        self.meter.pass(data).map_err(BodyError::Receive)?;
        if self.meter.begun() < 2 {
            return Ok(());
        }
        self.crowded.store(true, Ordering::Release);
        Err(BodyError::Receive(Status::new(
            Code::FailedPrecondition,
            "cannot use resiliency policies with retries on streaming RPCs",
        )))
    }
}

impl http_body::Body for OneMessage {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = ready!(http_body::Body::poll_frame(
            Pin::new(&mut this.body),
            context
        ));
        let Some(Ok(frame)) = frame else {
            return Poll::Ready(frame);
        };
        if let Some(data) = frame.data_ref() {
            this.pass(data)?;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
