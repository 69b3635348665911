//! One invocation: who is meant, and under which policies.

use std::sync::Arc;

use api::{
    grpc::{Code, Status},
    metadata,
};
use http::{HeaderValue, StatusCode, header};
use policy::{resiliency::Resiliency, retry::BuiltIn};
use tokio::time::Instant;

use super::{
    InvokeError, Target,
    attempts::Route,
    outgoing::{Outgoing, Trace},
};
use crate::{
    channel::Channel,
    me::Me,
    message::{
        Content, GrpcReply, Limits, Reply, Request, Response,
        body::{self, Peeked},
        content_type,
        headers::{Forwarder, Stamp, from_client},
    },
    policies::Live,
    resolve::Names,
    transport::{Answer, Transport},
};

/// Makes the invocations of one worker.
#[derive(Debug)]
pub(crate) struct Invoker {
    pub(super) me: Arc<Me>,
    pub(super) names: Names,
    pub(super) transport: Transport,
    pub(super) channel: Option<Arc<Channel>>,
    forwarder: Arc<Forwarder>,
    pub(super) limits: Limits,
    pub(super) policies: Arc<Live>,
    /// Own app id and namespace, as every call carries them.
    caller: HeaderValue,
    caller_namespace: HeaderValue,
}

/// What a call has beside its request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// For peers.
    pub(crate) trace: Trace,
    /// When the client gives up, where it says so.
    pub(crate) deadline: Option<Instant>,
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
        call: Call,
    ) -> Result<Reply, InvokeError> {
        let resiliency = self.policies.resiliency();
        let rules = resiliency
            .as_deref()
            .and_then(|resiliency| Some((resiliency, &**resiliency.rules(text)?)));
        let valid = policy::method::validate(&request.method);
        if rules.is_none() {
            valid.clone()?;
        }
        match request.content {
            Content::Http => from_client(&mut request.headers),
            Content::Grpc(_) => metadata::from_grpc_client(&mut request.headers),
        }
        let target = Target::parse(text, &self.me)?;
        match (rules, &target) {
            (Some(rules), _) => {
                let outgoing = self.outgoing(&target, request, call).await?;
                // Large, and absent from the calls of most sidecars.
                Box::pin(self.resilient(rules, text, &target, outgoing, valid)).await
            }
            (None, Target::Local) => {
                self.trace_own_grpc(&mut request, &call.trace);
                // Large, and absent from most calls.
                Box::pin(self.local(request)).await
            }
            (None, Target::App { app_id, namespace }) => {
                let outgoing = self.outgoing(&target, request, call).await?;
                let route = Route {
                    text,
                    app_id,
                    namespace,
                };
                let policy = built_in(resiliency.as_deref(), app_id);
                let answer = self.attempts(route, &outgoing, policy).await?;
                Ok(of_peer(answer))
            }
        }
    }

    async fn outgoing(
        &self,
        target: &Target,
        mut request: Request,
        Call { trace, deadline }: Call,
    ) -> Result<Outgoing, InvokeError> {
        let callee = match target {
            Target::Local => {
                self.trace_own_grpc(&mut request, &trace);
                &self.me.app_id
            }
            Target::App { app_id, .. } => {
                self.forwarder.append(&mut request.headers);
                app_id
            }
        };
        let identity = self.stamp(callee).remote();
        Ok(Outgoing::new(request, identity, trace, deadline, self.limits.replay).await?)
    }

    /// gRPC apps know both forms of a trace context.
    fn trace_own_grpc(&self, request: &mut Request, trace: &Trace) {
        if self
            .channel
            .as_ref()
            .is_some_and(|channel| channel.is_grpc())
        {
            for (name, value) in trace {
                request.headers.insert(name.clone(), value.clone());
            }
        }
    }

    /// One attempt on the own app.
    pub(super) async fn local(&self, mut request: Request) -> Result<Reply, InvokeError> {
        let channel = self.channel.as_ref().ok_or(InvokeError::NoApp)?;
        self.stamp(&self.me.app_id).local(&mut request.headers);
        request.body = match body::peek(request.body).await? {
            Peeked::Whole(bytes) => bytes.into(),
            Peeked::Begun(first, rest) => body::rejoin(first, rest),
        };
        Ok(channel.call(request).await?)
    }

    pub(super) fn stamp(&self, callee: &str) -> Stamp {
        Stamp {
            caller_namespace: self.caller_namespace.clone(),
            caller: self.caller.clone(),
            callee: identity_value(callee),
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

/// What a peer's app said. Codes below 100 are those of gRPC apps, except 0,
/// which event streams of HTTP apps have as well.
pub(super) fn of_peer(answer: Answer) -> Reply {
    let Answer { head, body } = answer;
    let status = head.status.unwrap_or_default();
    let mut headers = head.headers;
    let is_grpc = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if status.code < 100 && (head.has_message || is_grpc || status.code != 0) {
        return Reply::Grpc(Box::new(GrpcReply {
            status: Status {
                code: Code::from_wire(status.code),
                message: status.message,
                details: status.details,
            },
            headers,
            trailers: head.trailers,
            content_type: head.content_type,
            type_url: head.type_url,
            body,
        }));
    }
    // Event streams name their type among the headers only.
    if head.has_message {
        match content_type(&head.content_type, &head.type_url) {
            Some(value) => {
                headers.insert(header::CONTENT_TYPE, value);
            }
            None => {
                headers.remove(header::CONTENT_TYPE);
            }
        }
    }
    let status = match status.code {
        0 => StatusCode::OK,
        code => u16::try_from(code)
            .ok()
            .and_then(|code| StatusCode::from_u16(code).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    Reply::Http(Response {
        status,
        headers,
        body,
    })
}
