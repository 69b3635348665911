//! One invocation: who is meant, under which policies, and the answer in HTTP
//! terms.

use std::sync::Arc;

use api::headers;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use policy::{resiliency::Resiliency, retry::BuiltIn};

use super::{
    InvokeError, Target,
    attempts::Route,
    outgoing::{Outgoing, Trace},
};
use crate::{
    channel::Channel,
    me::Me,
    message::{
        Request, Response,
        body::{self, Peeked},
        headers::{Forwarder, Stamp, from_client, to_client},
    },
    policies::Live,
    resolve::Names,
    transport::{Answer, Transport},
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
    pub(super) names: Names,
    pub(super) transport: Transport,
    channel: Option<Arc<Channel>>,
    forwarder: Arc<Forwarder>,
    pub(super) limits: Limits,
    pub(super) policies: Arc<Live>,
    /// Own app id and namespace, as every call carries them.
    caller: HeaderValue,
    caller_namespace: HeaderValue,
}

/// An answer, and the status it is judged by.
pub(super) struct Answered {
    pub(super) response: Response,
    /// `None` where a gRPC app answered.
    pub(super) status: Option<u16>,
}

impl Invoker {
    /// The parts are those of one worker, except `me`, `names` and `policies`.
    pub(crate) fn new(
        me: Arc<Me>,
        names: Names,
        transport: Transport,
        channel: Option<Arc<Channel>>,
        forwarder: Arc<Forwarder>,
        limits: Limits,
        policies: Arc<Live>,
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
            policies,
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
        let resiliency = self.policies.resiliency();
        let rules = resiliency
            .as_deref()
            .and_then(|resiliency| Some((resiliency, &**resiliency.rules(text)?)));
        let valid = policy::method::validate(&request.method);
        if rules.is_none() {
            valid.clone()?;
        }
        from_client(&mut request.headers);
        let target = Target::parse(text, &self.me)?;
        match (rules, &target) {
            (Some(rules), _) => {
                let outgoing = self.outgoing(&target, request, trace).await?;
                // Large, and absent from the calls of most sidecars.
                Box::pin(self.resilient(rules, text, &target, outgoing, valid)).await
            }
            (None, Target::Local) => self.local(request).await,
            (None, Target::App { app_id, namespace }) => {
                let outgoing = self.outgoing(&target, request, trace).await?;
                let route = Route {
                    text,
                    app_id,
                    namespace,
                };
                let policy = built_in(resiliency.as_deref(), app_id);
                let answer = self.attempts(route, &outgoing, policy).await?;
                Ok(Answered::of_peer(answer).response)
            }
        }
    }

    async fn outgoing(
        &self,
        target: &Target,
        mut request: Request,
        trace: Trace,
    ) -> Result<Outgoing, InvokeError> {
        let callee = match target {
            Target::Local => &self.me.app_id,
            Target::App { app_id, .. } => {
                self.forwarder.append(&mut request.headers);
                app_id
            }
        };
        let identity = self.stamp(callee).remote();
        Ok(Outgoing::new(request, identity, trace, self.limits.replay).await?)
    }

    /// One attempt on the own app.
    pub(super) async fn local(&self, mut request: Request) -> Result<Response, InvokeError> {
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

    fn stamp(&self, callee: &str) -> Stamp {
        Stamp {
            caller_namespace: self.caller_namespace.clone(),
            caller: self.caller.clone(),
            callee: identity_value(callee),
        }
    }
}

impl Answered {
    pub(super) fn of_app(response: Response) -> Self {
        Self {
            status: Some(response.status.as_u16()),
            response,
        }
    }

    pub(super) fn of_peer(answer: Answer) -> Self {
        let code = answer.head.status.as_ref().map_or(0, |(code, _)| *code);
        Self {
            status: u16::try_from(code).ok().filter(|code| *code >= 100),
            response: into_response(answer),
        }
    }
}

/// The built-in policy for an app: none where the user has an entry.
pub(super) fn built_in(resiliency: Option<&Resiliency>, app_id: &str) -> BuiltIn {
    let Some(resiliency) = resiliency else {
        return BuiltIn::default();
    };
    if resiliency.replaces_built_in(app_id) {
        return BuiltIn::none();
    }
    resiliency
        .built_in()
        .map_or_else(BuiltIn::default, |retry| BuiltIn::of(&retry))
}

/// An id that no header can carry is left empty.
fn identity_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
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
