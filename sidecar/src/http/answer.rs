//! What an app answered, in the form HTTP clients get.

use api::grpc::{Code, Status};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::ext::ReasonPhrase;

use crate::message::{self, Body, GrpcReply, Reply, content_type, headers::to_client};

pub(super) fn into_http(reply: Reply) -> Response<Body> {
    match reply {
        Reply::Http(response) => of_http(response),
        Reply::Grpc(reply) => of_grpc(*reply),
    }
}

fn of_http(answer: message::Response) -> Response<Body> {
    let mut headers = answer.headers;
    let content_type = headers.remove(header::CONTENT_TYPE);
    to_client(&mut headers, content_type);
    default_content_type(answer.status, &mut headers);
    let mut response = Response::new(answer.body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = headers;
    if answer.status.canonical_reason().is_none() {
        let phrase = format!("status code {}", answer.status.as_u16());
        if let Ok(phrase) = ReasonPhrase::try_from(phrase) {
            response.extensions_mut().insert(phrase);
        }
    }
    response
}

/// The data of a gRPC app, or its status as JSON.
fn of_grpc(reply: GrpcReply) -> Response<Body> {
    let GrpcReply {
        status,
        mut headers,
        body,
        ..
    } = reply;
    if status.code == Code::Ok {
        let content_type = content_type(&reply.content_type, &reply.type_url);
        to_client(&mut headers, content_type);
        let mut response = Response::new(body);
        *response.headers_mut() = headers;
        return response;
    }
    let json = HeaderValue::from_static("application/json");
    to_client(&mut headers, Some(json));
    let mut response = Response::new(json_of(&status));
    *response.status_mut() = StatusCode::from_u16(status.code.http_status())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}

fn json_of(status: &Status) -> Body {
    Bytes::from(status.json()).into()
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
