//! Calling an app over gRPC: methods by `OnInvoke`, rpcs as they are.

use api::{
    common::v1::{HttpExtension, InvokeRequest, InvokeResponse},
    envelope::FrameReader,
    grpc::{Code, Status},
    headers::DAPR_API_TOKEN,
    metadata,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header, uri::PathAndQuery};
use http_body_util::BodyExt as _;
use prost::Message as _;

use super::{
    Channel, ChannelError,
    connections::{Connections, NoConnection, Ready},
    dial::DialError,
    http2::never_seen,
};
use crate::{
    message::{
        Body, BodyError, Content, GrpcReply, Request,
        body::{self, Peeked},
    },
    rpc::{self, Broken, Outbound, Rpc, RpcAnswer},
};

const ON_INVOKE: &str = "/dapr.proto.runtime.v1.AppCallback/OnInvoke";
const HEALTH_CHECK: &str = "/dapr.proto.runtime.v1.AppCallbackHealthCheck/HealthCheck";

impl Channel {
    /// One method of the app.
    pub(super) async fn on_invoke(&self, mut request: Request) -> Result<GrpcReply, ChannelError> {
        let data = self.whole(std::mem::take(&mut request.body)).await?;
        let is_from_grpc = request.content.is_grpc();
        let message = rpc::framed(&invocation(&request, data));
        let mut metadata = request.headers;
        metadata::to_grpc_app(&mut metadata, is_from_grpc, self.app.token());
        let turn = self.turn().await;
        let answer = self
            .exchange(self.unary(ON_INVOKE, metadata, message))
            .await?;
        let reply = self.reply(answer).await;
        drop(turn);
        reply
    }

    /// Asks the app whether it is well.
    pub(super) async fn health_check(&self) -> Result<(), String> {
        let answer = self
            .exchange(self.unary(HEALTH_CHECK, HeaderMap::new(), rpc::framed(&())))
            .await
            .map_err(|error| error.to_string())?;
        let reply = self
            .reply(answer)
            .await
            .map_err(|error| error.to_string())?;
        match reply.status.code {
            Code::Ok => Ok(()),
            _ => Err(reply.status.to_string()),
        }
    }

    /// One rpc of the app, unread.
    pub(super) async fn pass_on(&self, rpc: Rpc) -> Result<RpcAnswer, ChannelError> {
        let mut metadata = rpc.metadata;
        if let Some(token) = self.app.token() {
            metadata.insert(DAPR_API_TOKEN, token.clone());
        }
        let (first, rest) = match body::peek(rpc.body).await {
            Ok(Peeked::Whole(bytes)) => (bytes, Body::Empty),
            Ok(Peeked::Begun(first, rest)) => (first, rest),
            Err(error) => return Err(ChannelError::Rpc(refusal(&error))),
        };
        self.exchange(Outbound {
            path: rpc.path,
            metadata,
            deadline: rpc.deadline,
            first,
            rest,
            message_limit: self.app.message_limit,
        })
        .await
    }

    /// A call of ours with one message.
    fn unary(&self, path: &'static str, mut metadata: HeaderMap, message: Bytes) -> Outbound {
        metadata.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        Outbound {
            path: PathAndQuery::from_static(path),
            metadata,
            deadline: None,
            first: message,
            rest: Body::Empty,
            message_limit: self.app.message_limit,
        }
    }

    /// Sends until the app has seen it; an app that closes an idle connection
    /// has not.
    async fn exchange(&self, mut call: Outbound) -> Result<RpcAnswer, ChannelError> {
        let is_whole = matches!(call.rest, Body::Empty);
        let mut tries = 0;
        loop {
            let Ready {
                sender,
                lease,
                is_reused,
            } = self
                .connections
                .ready()
                .await
                .map_err(|error| ChannelError::Unreachable(unreachable(&error)))?;
            let marker = lease.clone();
            let attempt = Outbound {
                path: call.path.clone(),
                metadata: call.metadata.clone(),
                first: call.first.clone(),
                rest: std::mem::take(&mut call.rest),
                ..call
            };
            let site = self.connections.site();
            let error = match rpc::exchange(sender, site, attempt, lease).await {
                Ok(answer) => return Ok(answer),
                Err(Broken::Refused(status)) => return Err(ChannelError::Rpc(status)),
                Err(Broken::Unsent(error) | Broken::Cut(error)) => error,
            };
            if !error.is_reset() {
                Connections::forget(&marker);
            }
            let is_unseen = never_seen(&error);
            tries += 1;
            if is_whole && is_unseen && is_reused && tries < 3 {
                continue;
            }
            return Err(if error.is_reset() {
                ChannelError::Rpc(rpc::cut(&error))
            } else {
                let text =
                    format!("connection error: desc = \"error reading from server: {error}\"");
                ChannelError::Rpc(unavailable(text))
            });
        }
    }

    /// All of a request for `OnInvoke`, which is one message.
    async fn whole(&self, body: Body) -> Result<Bytes, ChannelError> {
        let limit = self.app.message_limit;
        let limited = body::Limited::new(body, Some(limit as u64));
        match limited.collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(BodyError::TooLarge) => Err(ChannelError::Rpc(Status::new(
                Code::ResourceExhausted,
                format!("trying to send message larger than max (more than {limit} vs. {limit})"),
            ))),
            Err(error) => Err(ChannelError::Rpc(refusal(&error))),
        }
    }

    /// The one message of an answer, and the status behind it.
    async fn reply(&self, answer: RpcAnswer) -> Result<GrpcReply, ChannelError> {
        let mut headers = answer.headers;
        let mut reader = FrameReader::new(self.app.message_limit);
        let mut message = None;
        let mut trailers = None;
        let mut body = answer.body;
        let own = |error: api::envelope::ReadError| ChannelError::Rpc(error.status());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| ChannelError::Rpc(refusal(&error)))?;
            match frame.into_data() {
                Ok(data) => {
                    reader.push(data);
                    if let Some(next) = reader.next_message().map_err(own)? {
                        message = Some(next);
                    }
                }
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        let is_bare = trailers.is_none();
        let mut trailers = trailers.unwrap_or_else(|| std::mem::take(&mut headers));
        let status = Status::from_headers(&trailers).ok_or_else(|| {
            ChannelError::Rpc(Status::new(
                Code::Internal,
                "server closed the stream without sending trailers",
            ))
        })?;
        if is_bare {
            trailers.remove(header::CONTENT_TYPE);
        }
        let message = match (message, status.code) {
            (Some(bytes), _) => InvokeResponse::decode(bytes).map_err(|error| {
                ChannelError::Rpc(Status::new(
                    Code::Internal,
                    format!("grpc: failed to unmarshal the received message: {error}"),
                ))
            })?,
            (None, Code::Ok) => {
                return Err(ChannelError::Rpc(Status::new(
                    Code::Internal,
                    "cardinality violation: received no response message from non-server-streaming RPC",
                )));
            }
            (None, _) => InvokeResponse::default(),
        };
        metadata::from_grpc_app(&mut headers);
        metadata::from_grpc_app(&mut trailers);
        let data = message.data.unwrap_or_default();
        Ok(GrpcReply {
            status,
            headers,
            trailers,
            content_type: message.content_type.into(),
            type_url: data.type_url.into(),
            body: Bytes::from(data.value).into(),
        })
    }
}

fn invocation(request: &Request, data: Bytes) -> InvokeRequest {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let (content_type, type_url, has_extension) = match &request.content {
        Content::Http => {
            let given = request.headers.get(header::CONTENT_TYPE);
            let given = given.and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
            (given.unwrap_or_default().to_owned(), String::new(), true)
        }
        Content::Grpc(content) => (
            text(&content.content_type),
            text(&content.type_url),
            content.has_extension,
        ),
    };
    InvokeRequest {
        method: request.method.clone(),
        data: Some(prost_types::Any {
            type_url,
            value: data.into(),
        }),
        content_type,
        http_extension: has_extension.then(|| HttpExtension {
            verb: request.verb as i32,
            querystring: request.query.clone(),
        }),
    }
}

/// In the words gRPC has for it.
fn unreachable(error: &NoConnection) -> Status {
    let reason = match error {
        NoConnection::Dial(error @ DialError::Tcp { .. }) => {
            format!("transport: Error while dialing: {error}")
        }
        NoConnection::Dial(error) => {
            format!("transport: authentication handshake failed: {error}")
        }
        NoConnection::Late => error.to_string(),
        NoConnection::Foreign { .. } => {
            format!("error reading server preface: {error}")
        }
    };
    unavailable(format!("connection error: desc = \"{reason}\""))
}

fn unavailable(text: String) -> Status {
    Status::new(Code::Unavailable, text)
}

/// A client that breaks off its own request.
fn refusal(error: &BodyError) -> Status {
    match error {
        BodyError::Receive(status) => status.clone(),
        other => Status::new(Code::Canceled, other.to_string()),
    }
}
