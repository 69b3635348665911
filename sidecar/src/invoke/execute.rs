//! Trying a call until it is answered or may not be tried again.

use std::{sync::Arc, time::Instant};

use api::{
    envelope::{PIECE, RequestParts},
    headers,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use policy::retry::{BuiltIn, Moment, Next, Reached};
use tracing::debug;

use super::{InvokeError, Target, replay::Replay};
use crate::{
    channel::Channel,
    me::Me,
    message::{
        Body, Request, Response,
        body::{self, Peeked},
        headers::{Forwarder, Stamp, from_client, to_client},
    },
    resolve::Names,
    transport::{self, Answer, Call, CallFailed, Peer, Transport},
};

/// Bounds of what an invocation keeps or accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of one message of a peer.
    pub(crate) message: usize,
    /// Bytes of a request body kept for a further attempt.
    pub(crate) replay: usize,
}

/// Makes the invocations of one worker.
#[derive(Debug)]
pub(crate) struct Invoker {
    me: Arc<Me>,
    names: Names,
    transport: Transport,
    channel: Option<Arc<Channel>>,
    forwarder: Arc<Forwarder>,
    limits: Limits,
    /// Own app id and namespace, as every call carries them.
    caller: HeaderValue,
    caller_namespace: HeaderValue,
}

/// Trace context of a call, in the two forms peers read.
type Trace = [(HeaderName, HeaderValue); 2];

impl Invoker {
    /// The parts are those of one worker, except `me` and `names`.
    pub(crate) fn new(
        me: Arc<Me>,
        names: Names,
        transport: Transport,
        channel: Option<Arc<Channel>>,
        forwarder: Arc<Forwarder>,
        limits: Limits,
    ) -> Self {
        Self {
            caller: identity_value(&me.app_id),
            caller_namespace: identity_value(&me.namespace),
            me,
            names,
            transport,
            channel,
            forwarder,
            limits,
        }
    }

    /// Delivers `request`, whose headers are still the client's. `text` is
    /// what the client named.
    pub(crate) async fn execute(
        &self,
        text: &str,
        mut request: Request,
        trace: Trace,
    ) -> Result<Response, InvokeError> {
        policy::method::validate(&request.method)?;
        from_client(&mut request.headers);
        match Target::parse(text, &self.me)? {
            Target::Local => self.local(request).await,
            Target::App { app_id, namespace } => {
                self.remote(text, &app_id, &namespace, request, trace).await
            }
        }
    }

    async fn local(&self, mut request: Request) -> Result<Response, InvokeError> {
        let channel = self.channel.as_ref().ok_or(InvokeError::NoApp)?;
        self.stamp(&self.me.app_id).local(&mut request.headers);
        let content_type = request.headers.remove(header::CONTENT_TYPE);
        request.body = match body::peek(request.body).await? {
            Peeked::Whole(bytes) => bytes.into(),
            Peeked::Begun(first, rest) => body::rejoin(first, rest),
        };
        let mut response = channel.call(request, content_type).await?;
        let content_type = response.headers.remove(header::CONTENT_TYPE);
        to_client(&mut response.headers, content_type);
        default_content_type(response.status, &mut response.headers);
        Ok(response)
    }

    async fn remote(
        &self,
        text: &str,
        app_id: &str,
        namespace: &str,
        mut request: Request,
        trace: Trace,
    ) -> Result<Response, InvokeError> {
        self.forwarder.append(&mut request.headers);
        let identity = self.stamp(app_id).remote();
        let parts = RequestParts {
            method: &request.method,
            verb: request.verb,
            query: &request.query,
            headers: &request.headers,
            identity: &identity,
        };
        let known_length = request.body.len().is_some();
        let outgoing = match body::peek(std::mem::take(&mut request.body)).await? {
            Peeked::Whole(bytes) => Outgoing::Whole {
                repeatable: known_length && bytes.len() <= self.limits.replay,
                bytes,
            },
            Peeked::Begun(first, rest) => {
                Outgoing::Arriving(Replay::new(first, rest, self.limits.replay, known_length))
            }
        };
        let answer = self
            .attempts(text, app_id, namespace, &parts, trace, outgoing)
            .await?;
        Ok(into_response(answer))
    }

    async fn attempts(
        &self,
        text: &str,
        app_id: &str,
        namespace: &str,
        parts: &RequestParts<'_>,
        trace: Trace,
        outgoing: Outgoing,
    ) -> Result<Answer, InvokeError> {
        let mut policy = BuiltIn::default();
        let mut tried: Vec<std::net::SocketAddr> = Vec::new();
        let began = Instant::now();
        loop {
            let peers = self.peers(app_id, namespace).await?;
            let peer = pick(&peers, &tried).ok_or(InvokeError::NoReplica)?;
            let failed = match self.attempt(peer, parts, &trace, &outgoing).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if failed.unimplemented {
                return self
                    .unary(text, app_id, peer, parts, &trace, &outgoing)
                    .await;
            }
            if failed.reached == Reached::Nothing {
                self.names.evict(app_id, namespace, peer.address());
            }
            if !tried.contains(&peer.address()) {
                tried.push(peer.address());
            }
            let untried = peers
                .iter()
                .filter(|peer| !tried.contains(&peer.address()))
                .count();
            let unseen = matches!(failed.reached, Reached::Nothing | Reached::Sidecar);
            match policy.after(
                failed.reached,
                outgoing.is_replayable(unseen),
                untried,
                || moment(began),
            ) {
                Next::Again => {
                    debug!(target: "dapr.runtime.direct_messaging", app_id, error = %failed.status, "trying another replica");
                }
                Next::After(pause) => {
                    debug!(target: "dapr.runtime.direct_messaging", app_id, error = %failed.status, "trying again");
                    tried.clear();
                    tokio::time::sleep(pause).await;
                }
                Next::Fail => {
                    log_failed(app_id, &failed);
                    if failed.is_plain {
                        return Err(InvokeError::Broken(failed.status.message));
                    }
                    return Err(InvokeError::Peer {
                        target: text.to_owned(),
                        retries: policy.retries(),
                        status: failed.status,
                    });
                }
            }
        }
    }

    async fn attempt(
        &self,
        peer: &Arc<Peer>,
        parts: &RequestParts<'_>,
        trace: &Trace,
        outgoing: &Outgoing,
    ) -> Result<Answer, CallFailed> {
        let (first, rest) = match outgoing {
            Outgoing::Whole { bytes, .. } if bytes.len() <= PIECE => (bytes.clone(), Body::Empty),
            Outgoing::Whole { bytes, .. } => (Bytes::new(), Body::from(bytes.clone())),
            Outgoing::Arriving(replay) => (Bytes::new(), replay.attempt()),
        };
        let call = Call {
            parts: *parts,
            trace: trace.clone(),
            first,
            rest,
            message_limit: self.limits.message,
        };
        transport::call(peer, call).await
    }

    /// For peers of before streaming.
    async fn unary(
        &self,
        text: &str,
        app_id: &str,
        peer: &Arc<Peer>,
        parts: &RequestParts<'_>,
        trace: &Trace,
        outgoing: &Outgoing,
    ) -> Result<Answer, InvokeError> {
        let body = match outgoing {
            Outgoing::Whole { bytes, .. } => bytes.clone(),
            Outgoing::Arriving(replay) if replay.is_possible(false) => {
                use http_body_util::BodyExt as _;
                replay.attempt().collect().await?.to_bytes()
            }
            Outgoing::Arriving(_) => return Err(InvokeError::NoStreaming(app_id.to_owned())),
        };
        transport::call_unary(peer, parts, trace, &body, self.limits.message)
            .await
            .map_err(|failed| InvokeError::Peer {
                target: text.to_owned(),
                retries: 0,
                status: failed.status,
            })
    }

    async fn peers(&self, app_id: &str, namespace: &str) -> Result<Arc<[Arc<Peer>]>, InvokeError> {
        let addresses = match self.names.get(app_id, namespace) {
            Some(addresses) => addresses,
            None => self.names.resolve(app_id, namespace).await?,
        };
        Ok(self.transport.peers(namespace, app_id, &addresses))
    }

    fn stamp(&self, callee: &str) -> Stamp {
        Stamp {
            caller_namespace: self.caller_namespace.clone(),
            caller: self.caller.clone(),
            callee: identity_value(callee),
        }
    }
}

/// An id that no header can carry is left empty.
fn identity_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The request body for all attempts.
enum Outgoing {
    Whole { bytes: Bytes, repeatable: bool },
    Arriving(Replay),
}

impl Outgoing {
    /// A body of unknown length is not sent again once somebody saw it, as
    /// peers of Dapr know it.
    fn is_replayable(&self, unseen: bool) -> bool {
        match self {
            Self::Whole { repeatable, .. } => *repeatable || unseen,
            Self::Arriving(replay) => replay.is_possible(unseen),
        }
    }
}

/// What a pause after a failure may depend on.
fn moment(began: Instant) -> Moment {
    Moment {
        elapsed: began.elapsed(),
        random: fastrand::f64(),
    }
}

/// Of two replicas chosen at random the one with less to do. Replicas already
/// tried by this call, or known to be in trouble, come last.
fn pick<'a>(peers: &'a [Arc<Peer>], tried: &[std::net::SocketAddr]) -> Option<&'a Arc<Peer>> {
    if let [only] = peers {
        return Some(only);
    }
    let rank = |peer: &Arc<Peer>| (tried.contains(&peer.address()), peer.is_avoided());
    let best = peers.iter().map(rank).min()?;
    let count = peers.iter().filter(|peer| rank(peer) == best).count();
    let nth = |index: usize| peers.iter().filter(|peer| rank(peer) == best).nth(index);
    let first = fastrand::usize(..count);
    if count == 1 {
        return nth(0);
    }
    let second = (first + fastrand::usize(1..count)) % count;
    let (first, second) = (nth(first)?, nth(second)?);
    Some(if second.load() < first.load() {
        second
    } else {
        first
    })
}

fn log_failed(app_id: &str, failed: &CallFailed) {
    debug!(target: "dapr.runtime.direct_messaging", app_id, error = %failed.status, "invocation failed");
}

/// Failures of apps that name no type are taken for JSON, as clients know it.
fn default_content_type(status: StatusCode, headers: &mut HeaderMap) {
    let failed = !status.is_success() && !status.is_redirection();
    if failed && !headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
    }
}

/// The answer in HTTP terms. Codes below 100 come from gRPC apps, except 0,
/// which server-sent events use as well.
fn into_response(answer: Answer) -> Response {
    let Answer { head, body } = answer;
    let mut headers: HeaderMap = head.headers;
    let content_type = if head.type_url.is_empty() {
        HeaderValue::from_maybe_shared(head.content_type)
            .ok()
            .filter(|value| !value.is_empty())
            .or_else(|| {
                headers
                    .get(header::CONTENT_TYPE)
                    .cloned()
                    .filter(|_| !head.has_message)
            })
    } else {
        Some(HeaderValue::from_static("application/x-protobuf"))
    };
    to_client(&mut headers, content_type);
    let (code, message) = head.status.unwrap_or_default();
    if code == 0 {
        return Response {
            status: StatusCode::OK,
            headers,
            body,
        };
    }
    if let Some(status) = u16::try_from(code).ok().filter(|code| *code >= 100) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        default_content_type(status, &mut headers);
        return Response {
            status,
            headers,
            body,
        };
    }
    let code = api::grpc::Code::from_wire(code);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.remove(headers::GRPC_TRACE_BIN);
    let text = serde_json::json!({ "code": code as u8, "message": message }).to_string();
    Response {
        status: StatusCode::from_u16(code.http_status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        headers,
        body: Bytes::from(text).into(),
    }
}
