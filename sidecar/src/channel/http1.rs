//! Calling an app over HTTP/1.1.

use std::sync::Arc;

use http::{HeaderValue, Method, Uri, header};
use tokio::sync::OwnedSemaphorePermit;

use super::{Channel, ChannelError, dial_reason, path::app_uri, pool::Failure};
use crate::message::{Body, Content, Request, Response, body, content_type, headers};

impl Channel {
    /// One request and its answer.
    pub(super) async fn over_http1(&self, mut request: Request) -> Result<Response, ChannelError> {
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
        let permits = self.permits().await;
        let declared = headers::to_app(&mut request.headers, content_type, self.app.token());
        request
            .headers
            .insert(header::HOST, self.app.host_header.clone());
        let body = self.framed(&method, &uri, &mut request, declared)?;
        let mut outgoing = http::Request::new(body);
        *outgoing.method_mut() = method.clone();
        *outgoing.uri_mut() = uri.clone();
        *outgoing.headers_mut() = request.headers;
        let (response, connection) = self
            .pool
            .send(&self.app, outgoing)
            .await
            .map_err(|failure| self.error(&method, &uri, failure))?;
        let (mut parts, incoming) = response.into_parts();
        headers::from_app(&mut parts.headers);
        let length = http_body::Body::size_hint(&incoming).exact();
        let body = if length == Some(0) || method == Method::HEAD {
            Body::Empty
        } else {
            let guard = (connection, permits);
            Body::stream(body::Guarded::new(
                body::Limited::new(incoming, None),
                guard,
            ))
        };
        Ok(Response {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    /// Slots of this call: concurrency asked for by the user, then a
    /// connection.
    async fn permits(&self) -> (Option<OwnedSemaphorePermit>, Option<OwnedSemaphorePermit>) {
        let turn = self.turn().await;
        // The semaphore is never closed, so a permit always comes.
        let connection = Arc::clone(&self.app.connections).acquire_owned().await.ok();
        (turn, connection)
    }

    /// The body with the framing the app gets: a length when there is one,
    /// chunks otherwise.
    fn framed(
        &self,
        method: &Method,
        uri: &Uri,
        request: &mut Request,
        declared: Option<HeaderValue>,
    ) -> Result<Body, ChannelError> {
        let declared = match declared {
            None => None,
            Some(value) => Some(
                parse_length(&value).map_err(|reason| ChannelError::Exchange {
                    verb: go_verb(method),
                    url: self.url(uri),
                    reason,
                })?,
            ),
        };
        let body = std::mem::take(&mut request.body);
        let known = body.len();
        let length = match (declared, known) {
            (Some(declared), Some(got)) if declared != got => {
                let error = body::BodyError::Length { declared, got };
                return Err(ChannelError::Exchange {
                    verb: go_verb(method),
                    url: self.url(uri),
                    reason: error.to_string(),
                });
            }
            (Some(declared), _) => Some(declared),
            // A verb that usually carries a body says so when it carries none.
            (None, Some(0)) => expects_body(method).then_some(0),
            (None, _) => {
                // As the client sent it: without a length.
                request.headers.insert(
                    header::TRANSFER_ENCODING,
                    HeaderValue::from_static("chunked"),
                );
                None
            }
        };
        if let Some(length) = length {
            request
                .headers
                .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(match (declared, body) {
            (Some(declared), Body::Stream(body)) => {
                Body::stream(body::Sized::new(Body::Stream(body), declared))
            }
            (_, body) => body,
        })
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
