//! `InvokeService`: a method of an app, called with a message.

use std::pin::pin;

use api::{
    common::v1::{InvokeRequest, InvokeResponse},
    grpc::{Code, Status},
    metadata,
    runtime::v1::InvokeServiceRequest,
    verb::Verb,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{Front, error, unary::message};
use crate::{
    invoke::{Call, InvokeError},
    message::{
        self as messages, Body, BodyError, Content, GrpcContent, GrpcReply, Reply, body::Limited,
    },
    rpc, trace,
};

/// Numeric status of an HTTP app, among the metadata of the answer.
const HTTP_STATUS: &str = "dapr-http-status";

pub(super) async fn serve(front: &Front, request: Request<Incoming>) -> Response<Body> {
    let deadline = match rpc::deadline(request.headers()) {
        Ok(deadline) => deadline,
        Err(status) => return rpc::failed(&status),
    };
    let answered = pin!(answer(front, request, deadline));
    rpc::within(deadline, answered, || {
        Box::new(rpc::failed(&rpc::deadline_exceeded()))
    })
    .await
    .unwrap_or_else(|failed| *failed)
}

async fn answer(
    front: &Front,
    request: Request<Incoming>,
    deadline: Option<Instant>,
) -> Result<Response<Body>, Box<Response<Body>>> {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    let limit = front.message_limit;
    let read = message::<InvokeServiceRequest>(&headers, body, limit).await;
    let asked = read.map_err(|status| Box::new(rpc::failed(&status)))?;
    let target = asked.id;
    let context = trace::from_grpc_client(&mut headers);
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let authority = authority.map(|text| Bytes::copy_from_slice(text.as_bytes()));
    let call = into_request(
        asked.message.unwrap_or_default(),
        headers,
        authority.unwrap_or_default(),
    );
    let call_as = Call {
        trace: trace::to_peer(&context),
        deadline,
    };
    let reply = match front.invoker.execute(&target, call, call_as).await {
        Ok(reply) => reply,
        Err(failed) => return Err(Box::new(rpc::failed(&error::invocation(&target, &failed)))),
    };
    let mut response = match reply {
        Reply::Http(response) => of_http(&target, response, limit).await?,
        Reply::Grpc(reply) => of_grpc(&target, *reply, limit).await?,
    };
    for (name, value) in trace::to_peer(&context) {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

fn into_request(asked: InvokeRequest, headers: HeaderMap, authority: Bytes) -> messages::Request {
    let data = asked.data.unwrap_or_default();
    let extension = asked.http_extension;
    let has_extension = extension.is_some();
    let extension = extension.unwrap_or_default();
    // A slash in front is the client's own and stays: gRPC apps compare names.
    let slash = if asked.method.starts_with('/') {
        "/"
    } else {
        ""
    };
    messages::Request {
        method: format!("{slash}{}", policy::method::clean(&asked.method)),
        verb: u64::try_from(extension.verb)
            .ok()
            .and_then(Verb::from_wire)
            .unwrap_or(Verb::Post),
        query: extension.querystring,
        headers,
        content: Content::Grpc(Box::new(GrpcContent {
            authority,
            content_type: asked.content_type.into(),
            type_url: data.type_url.into(),
            has_extension,
        })),
        body: Bytes::from(data.value).into(),
    }
}

/// The answer of an HTTP app; its failures become those of the call.
async fn of_http(
    target: &str,
    response: messages::Response,
    limit: usize,
) -> Result<Response<Body>, Box<Response<Body>>> {
    let mut headers = response.headers;
    let content_type = headers.remove(header::CONTENT_TYPE);
    let code = response.status.as_u16();
    let body = whole(target, response.body, limit).await?;
    // The type of the message, under the name it has as metadata.
    if let Some(value) = &content_type {
        headers.insert(header::CONTENT_TYPE, value.clone());
    }
    metadata::to_grpc_client(&mut headers, false);
    headers.insert(HTTP_STATUS, HeaderValue::from(code));
    if !response.status.is_success() {
        let trailers = rpc::trailers(&Status::of_http(code, &body));
        return Ok(rpc::answered(headers, None, trailers));
    }
    let message = InvokeResponse {
        data: Some(prost_types::Any {
            type_url: String::new(),
            value: body.into(),
        }),
        content_type: content_type
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default(),
    };
    let trailers = rpc::trailers(&Status::new(Code::Ok, ""));
    answered(&message, limit, headers, trailers)
}

/// The answer of a gRPC app, as it is.
async fn of_grpc(
    target: &str,
    reply: GrpcReply,
    limit: usize,
) -> Result<Response<Body>, Box<Response<Body>>> {
    let mut headers = reply.headers;
    metadata::to_grpc_client(&mut headers, true);
    let mut trailers = reply.trailers;
    metadata::to_grpc_client(&mut trailers, true);
    if reply.status.code != Code::Ok {
        reply.status.write_headers(&mut trailers);
        return Ok(rpc::answered(headers, None, trailers));
    }
    let body = whole(target, reply.body, limit).await?;
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let message = InvokeResponse {
        data: Some(prost_types::Any {
            type_url: text(&reply.type_url),
            value: body.into(),
        }),
        content_type: text(&reply.content_type),
    };
    reply.status.write_headers(&mut trailers);
    answered(&message, limit, headers, trailers)
}

fn answered(
    message: &InvokeResponse,
    limit: usize,
    headers: HeaderMap,
    trailers: HeaderMap,
) -> Result<Response<Body>, Box<Response<Body>>> {
    let length = prost::Message::encoded_len(message);
    if length > limit {
        return Err(Box::new(rpc::failed(&too_large(length, limit))));
    }
    Ok(rpc::answered(headers, Some(rpc::framed(message)), trailers))
}

async fn whole(target: &str, body: Body, limit: usize) -> Result<Bytes, Box<Response<Body>>> {
    let limited = Limited::new(body, Some(limit as u64));
    match limited.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => {
            let status = match error {
                BodyError::TooLarge => too_large(limit + 1, limit),
                BodyError::Timeout => rpc::deadline_exceeded(),
                error => error::invocation(target, &InvokeError::Body(error)),
            };
            Err(Box::new(rpc::failed(&status)))
        }
    }
}

fn too_large(length: usize, limit: usize) -> Status {
    Status::new(
        Code::ResourceExhausted,
        format!("grpc: trying to send message larger than max ({length} vs. {limit})"),
    )
}
