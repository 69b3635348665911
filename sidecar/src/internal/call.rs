//! `CallLocalStream` and `CallLocal`: a peer's call becomes one of the app.

use api::{
    envelope::{self, Outcome, RequestHead, ResponseParts},
    grpc::{Code, Status},
    headers::{CALLEE_APP_ID, CALLER_APP_ID, CALLER_NAMESPACE, DESTINATION_APP_ID},
    verb::Verb,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::body::Incoming;

use super::{
    Caller, Internal, access,
    chunks::{Chunks, Messages},
    reply::{self, ReplyBody},
};
use crate::{
    channel::{Channel, ChannelError},
    message::{
        self, Body, Content, GrpcContent, Reply,
        body::{self, Peeked, Sequence},
    },
    trace,
};

pub(super) async fn stream(server: &Internal, request: Request<Incoming>) -> Response<ReplyBody> {
    match stream_call(server, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

pub(super) async fn unary(server: &Internal, request: Request<Incoming>) -> Response<ReplyBody> {
    match unary_call(server, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

/// A call that ends without an answer of the app.
struct Refusal {
    status: Status,
    app_not_reached: bool,
}

impl Refusal {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            status: Status::new(code, message),
            app_not_reached: false,
        }
    }

    fn into_response(self) -> Response<ReplyBody> {
        if self.app_not_reached {
            reply::failed_before_app(&self.status)
        } else {
            reply::failed(&self.status)
        }
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self {
            status,
            app_not_reached: false,
        }
    }
}

impl Refusal {
    /// While the pod is being ended the app goes first; a code that callers
    /// try again, Dapr's as well, sends them to the pods that stay. Only then
    /// is a call that was left unread one that has not run: an app may reset
    /// connections for reasons of its own.
    async fn of_app(server: &Internal, error: &ChannelError) -> Self {
        let app_not_reached = error.never_reached_app()
            || (error.was_left_unread() && server.leaving.is_imminent().await);
        let code = if app_not_reached && server.leaving.is_started() {
            Code::Unavailable
        } else {
            Code::Internal
        };
        Self {
            status: Status::new(code, format!("error invoking app channel: {error}")),
            app_not_reached,
        }
    }
}

async fn stream_call(
    server: &Internal,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Refusal> {
    let channel = channel(server)?;
    let (parts, incoming) = request.into_parts();
    let mut messages = Messages::new(incoming, server.limits.message);
    let first = first_message(&mut messages).await?;
    let decoded = envelope::decode_request(first)
        .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
    let head = decoded.head.filter(|head| head.has_metadata && head.has_message).ok_or_else(|| {
        Refusal::new(
            Code::InvalidArgument,
            "parsing InternalInvokeRequest error: request does not contain the required fields in the leading chunk",
        )
    })?;
    let mut sequence = Sequence::default();
    let data = sequence.take(decoded.payload).map_err(|error| {
        Refusal::new(
            Code::Internal,
            format!("error invoking app channel: {error}"),
        )
    })?;
    let whole = messages.is_finished();
    let body = if whole {
        data.into()
    } else {
        Body::stream(Chunks::new(messages, data, sequence))
    };
    let reply = call_app(server, channel, head, &parts.headers, body).await?;
    Ok(answer(reply, grpc_content_type(&parts.headers)).await)
}

async fn unary_call(
    server: &Internal,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Refusal> {
    use http_body_util::BodyExt as _;

    let channel = channel(server)?;
    let (parts, incoming) = request.into_parts();
    let message = first_message(&mut Messages::new(incoming, server.limits.message)).await?;
    let mut head = envelope::decode_call_request(message)
        .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
    if !head.has_message {
        return Err(Refusal::new(
            Code::InvalidArgument,
            "parsing InternalInvokeRequest error: field Message is nil",
        ));
    }
    let body = std::mem::take(&mut head.data).into();
    let mut reply = call_app(server, channel, head, &parts.headers, body).await?;
    let limit = server.limits.message as u64;
    let answered = std::mem::take(reply.body_mut());
    let collected = body::Limited::new(answered, Some(limit))
        .collect()
        .await
        .map_err(|error| {
            let code = if matches!(error, body::BodyError::TooLarge) {
                Code::ResourceExhausted
            } else {
                Code::Unknown
            };
            Refusal::new(code, error.to_string())
        })?;
    let message = envelope::call_response(&parts_of(&reply), &collected.to_bytes());
    Ok(reply::begun(
        grpc_content_type(&parts.headers),
        message,
        Body::Empty,
        0,
    ))
}

async fn first_message(messages: &mut Messages) -> Result<Bytes, Refusal> {
    let first = std::future::poll_fn(|context| messages.poll(context)).await;
    Ok(first.ok_or_else(|| Refusal::new(Code::Unknown, "EOF"))??)
}

fn channel(server: &Internal) -> Result<&Channel, Refusal> {
    server
        .channel
        .as_deref()
        .ok_or_else(|| Refusal::new(Code::Internal, "app channel is not initialized"))
}

/// Checks in the order peers know, then calls.
async fn call_app(
    server: &Internal,
    channel: &Channel,
    mut head: RequestHead,
    metadata: &HeaderMap,
    body: Body,
) -> Result<Reply, Refusal> {
    let raw = std::str::from_utf8(&head.method).unwrap_or_default();
    // Older callers send methods as their clients wrote them.
    let mut method = policy::method::clean(raw);
    policy::method::validate(&method)
        .map_err(|error| Refusal::new(Code::InvalidArgument, error.to_string()))?;
    let named = head.headers.get(DESTINATION_APP_ID);
    if let Some(named) = named.filter(|named| named.as_bytes() != server.me.app_id.as_bytes()) {
        // A stale address: the caller may find the right one.
        return Err(Refusal {
            status: Status::new(
                Code::Unavailable,
                format!(
                    "target app id {} is not served by this sidecar",
                    String::from_utf8_lossy(named.as_bytes())
                ),
            ),
            app_not_reached: true,
        });
    }
    access::authorize(server, &head, &method)?;
    if head.version != 1 {
        return Err(Refusal::new(
            Code::Internal,
            format!(
                "error invoking app channel: rpc error: code = Unimplemented desc = Unsupported spec version: {}",
                head.version
            ),
        ));
    }
    if !head.has_extension && !channel.is_grpc() {
        return Err(Refusal::new(
            Code::Internal,
            "error invoking app channel: rpc error: code = InvalidArgument desc = missing HTTP extension field",
        ));
    }
    let wants_events = !channel.is_grpc() && message::headers::wants_events(&head.headers);
    identify(server, &mut head.headers);
    trace::to_app(&mut head.headers, metadata, channel.is_grpc());
    if head.grpc_origin && raw.starts_with('/') {
        // A gRPC client's own; apps compare names.
        method.insert(0, '/');
    }
    let content = if head.grpc_origin {
        Content::Grpc(Box::new(GrpcContent {
            authority: Bytes::new(),
            content_type: head.content_type,
            type_url: head.type_url,
            has_extension: head.has_extension,
        }))
    } else {
        // The message says what the body is, not the headers beside it.
        match message::content_type(&head.content_type, &head.type_url) {
            Some(value) => {
                head.headers.insert(header::CONTENT_TYPE, value);
            }
            None => {
                head.headers.remove(header::CONTENT_TYPE);
            }
        }
        Content::Http
    };
    let request = message::Request {
        method,
        verb: head.verb.unwrap_or(Verb::None),
        query: String::from_utf8_lossy(&head.query).into_owned(),
        headers: head.headers,
        content,
        body,
    };
    let reply = match channel.call(request).await {
        Ok(reply) => reply,
        Err(error) => return Err(Box::pin(Refusal::of_app(server, &error)).await),
    };
    if let Reply::Http(response) = &reply
        && wants_events
        && !response.status.is_success()
    {
        // What callers of event streams know for a failed one.
        return Err(Refusal::new(
            Code::Internal,
            "error invoking app channel: no response received from stream",
        ));
    }
    Ok(reply)
}

/// What the app is told about its caller comes from the certificate, where
/// there is one.
fn identify(server: &Internal, headers: &mut HeaderMap) {
    match &server.peer {
        Caller::Unproven => {}
        Caller::NoApp(_) => {
            headers.remove(CALLER_APP_ID);
            headers.remove(CALLER_NAMESPACE);
        }
        Caller::App(peer) => {
            let proven = [
                (CALLER_APP_ID, &peer.app_id),
                (CALLER_NAMESPACE, &peer.namespace),
            ];
            for (name, value) in proven {
                if let Ok(value) = HeaderValue::from_str(value) {
                    headers.insert(name, value);
                }
            }
        }
    }
    if let Ok(value) = HeaderValue::from_str(&server.me.app_id) {
        headers.insert(CALLEE_APP_ID, value);
    }
}

fn parts_of(reply: &Reply) -> ResponseParts<'_> {
    match reply {
        Reply::Http(response) => ResponseParts {
            headers: &response.headers,
            outcome: Outcome::Http {
                status: response.status.as_u16(),
            },
        },
        Reply::Grpc(reply) => ResponseParts {
            headers: &reply.headers,
            outcome: Outcome::Grpc {
                status: &reply.status,
                trailers: &reply.trailers,
                content_type: &reply.content_type,
                type_url: &reply.type_url,
            },
        },
    }
}

async fn answer(mut reply: Reply, content_type: HeaderValue) -> Response<ReplyBody> {
    let body = std::mem::take(reply.body_mut());
    let parts = parts_of(&reply);
    let (first, rest) = match body::peek(body).await {
        Ok(Peeked::Whole(bytes)) => (bytes, Body::Empty),
        Ok(Peeked::Begun(first, rest)) => (first, rest),
        Err(error) => (Bytes::new(), body::failed(error)),
    };
    if first.len() > envelope::PIECE {
        return reply::begun(
            content_type,
            envelope::response(&parts, None),
            body::rejoin(first, rest),
            0,
        );
    }
    let sequence = u64::from(!first.is_empty());
    let first = (!first.is_empty()).then_some(first);
    reply::begun(
        content_type,
        envelope::response(&parts, first),
        rest,
        sequence,
    )
}

/// Echoed, as peers expect: `application/grpc` or with a suffix.
fn grpc_content_type(headers: &HeaderMap) -> HeaderValue {
    headers
        .get(header::CONTENT_TYPE)
        .cloned()
        .unwrap_or(HeaderValue::from_static("application/grpc"))
}
