//! Calling an HTTP app: what requests, answers and failures have in common,
//! whatever version of HTTP they travel in.

use http::{HeaderValue, Method, Uri, header};
use tokio::sync::OwnedSemaphorePermit;

use super::{Channel, ChannelError, dial_reason, path::app_uri, pool::Failure};
use crate::message::{Body, Content, Request, Response, body, content_type, headers};

/// Concurrency asked for by the user, while a call is in the app.
pub(super) type Turn = Option<OwnedSemaphorePermit>;

impl Channel {
    /// One request and its answer.
    pub(super) async fn over_http(&self, request: Request) -> Result<Response, ChannelError> {
        let outgoing = self.outgoing(request)?;
        let (method, uri) = (outgoing.method().clone(), outgoing.uri().clone());
        let mut turn = self.turn().await;
        self.over_http1(outgoing, &mut turn)
            .await
            .map_err(|failure| self.error(&method, &uri, failure))
    }

    /// The request as the app gets it, but for what belongs to a connection.
    fn outgoing(&self, mut request: Request) -> Result<http::Request<Body>, ChannelError> {
        let content_type = match &request.content {
            Content::Http => request.headers.remove(header::CONTENT_TYPE),
            Content::Grpc(content) => {
                if let Ok(authority) = HeaderValue::from_maybe_shared(content.authority.clone())
                    && !authority.is_empty()
                {
                    request.headers.insert("dapr-authority", authority);
                }
                content_type(&content.content_type, &content.type_url)
            }
        };
        if let Content::Grpc(content) = &request.content
            && !content.has_extension
        {
            return Err(ChannelError::Extension);
        }
        let method = request.verb.to_method().ok_or(ChannelError::Verb)?;
        let uri = app_uri(
            &self.app.authority,
            request.method.trim_start_matches('/'),
            &request.query,
        )?;
        let declared = headers::to_app(&mut request.headers, content_type, self.app.token());
        let (body, length) =
            framed(&method, request.body, declared).map_err(|reason| ChannelError::Exchange {
                verb: go_verb(&method),
                url: self.url(&uri),
                reason,
            })?;
        if let Some(length) = length {
            request
                .headers
                .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        let mut outgoing = http::Request::new(body);
        *outgoing.method_mut() = method;
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = request.headers;
        Ok(outgoing)
    }

    fn url(&self, uri: &Uri) -> String {
        format!("http://{}{uri}", self.app.authority)
    }

    fn error(&self, method: &Method, uri: &Uri, failure: Failure) -> ChannelError {
        let (verb, url) = (go_verb(method), self.url(uri));
        match failure {
            Failure::Dial(error) => ChannelError::Dial {
                verb,
                url,
                address: self.app.authority.clone(),
                reason: dial_reason(&error),
            },
            Failure::Headers => ChannelError::Exchange {
                verb,
                url,
                reason: format!(
                    "server response headers exceeded {} bytes; aborted",
                    self.app.header_limit
                ),
            },
            Failure::Exchange(error) => ChannelError::Exchange {
                verb,
                url,
                reason: exchange_reason(&error),
            },
        }
    }
}

/// The body, and the length the app is told; none for a body that arrives
/// without one, and where no body is expected.
fn framed(
    method: &Method,
    body: Body,
    declared: Option<HeaderValue>,
) -> Result<(Body, Option<u64>), String> {
    let declared = declared.as_ref().map(parse_length).transpose()?;
    let length = match (declared, body.len()) {
        (Some(declared), Some(got)) if declared != got => {
            return Err(body::BodyError::Length { declared, got }.to_string());
        }
        (Some(declared), _) => Some(declared),
        // A verb that usually carries a body says so when it carries none.
        (None, Some(0)) => expects_body(method).then_some(0),
        // As the client sent it.
        (None, _) => None,
    };
    let body = match (declared, body) {
        (Some(declared), Body::Stream(body)) => {
            Body::stream(body::Sized::new(Body::Stream(body), declared))
        }
        (_, body) => body,
    };
    Ok((body, length))
}

fn expects_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn parse_length(value: &HeaderValue) -> Result<u64, String> {
    let text = value.to_str().unwrap_or("?");
    text.parse().map_err(|_| {
        format!(
            "strconv.ParseInt: parsing {}: invalid syntax",
            policy::method::quote(text)
        )
    })
}

/// Go names the verb of a failed request with one capital.
fn go_verb(method: &Method) -> String {
    let (first, rest) = method.as_str().split_at(1);
    format!("{first}{}", rest.to_lowercase())
}

fn exchange_reason(error: &hyper::Error) -> String {
    use std::error::Error as _;

    // A body of ours that failed says why; that is the cause users need.
    if let Some(source) = error
        .source()
        .and_then(|source| source.downcast_ref::<body::BodyError>())
    {
        return source.to_string();
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return "EOF".to_owned();
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
