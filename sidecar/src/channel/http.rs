//! Calling an HTTP app: what requests, answers and failures have in common,
//! whatever version of HTTP they travel in.

use http::{HeaderValue, Method, Uri, header};
use tokio::sync::OwnedSemaphorePermit;

use super::{Channel, ChannelError, dial::Version, path::app_uri, spoken::Spoken};
use crate::message::{Body, Content, Request, Response, body, content_type, headers};

/// Concurrency asked for by the user, while a call is in the app.
pub(super) type Turn = Option<OwnedSemaphorePermit>;

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The app speaks TLS, and in it the other version of HTTP. With the
    /// request as it was.
    #[error("tls: no application protocol")]
    Version(Box<http::Request<Body>>),
    /// The app has not seen the call.
    #[error("{0}")]
    Unseen(String),
    /// The app closed the connection and left the call on it unread.
    #[error("{0}")]
    Unread(String),
    /// The answer has a header block of more than so many bytes.
    #[error("server response headers exceeded {0} bytes; aborted")]
    Headers(usize),
    /// The exchange broke off.
    #[error("{reason}{}", advice(*.spoken))]
    Exchange {
        /// What went wrong.
        reason: String,
        /// What the app speaks instead.
        spoken: Option<Spoken>,
    },
}

impl Channel {
    /// One request and its answer.
    pub(super) async fn over_http(&self, request: Request) -> Result<Response, ChannelError> {
        let outgoing = self.outgoing(request)?;
        let (method, uri) = (outgoing.method().clone(), outgoing.uri().clone());
        let mut turn = self.turn().await;
        self.send(outgoing, &mut turn)
            .await
            .map_err(|failure| self.error(&method, &uri, &failure))
    }

    /// Sends in the version of HTTP the app is known to speak. Where it turns
    /// out to speak the other one, it gets the same request in that.
    pub(super) async fn send(
        &self,
        mut outgoing: http::Request<Body>,
        turn: &mut Turn,
    ) -> Result<Response, Failure> {
        let mut is_corrected = false;
        loop {
            let version = self.app.version();
            let sent = match version {
                Version::Http1 => self.over_http1(outgoing, turn).await,
                // Boxed: calls over HTTP/1.1 stay as small as they are.
                Version::Http2 => Box::pin(self.over_http2(outgoing, turn)).await,
            };
            match sent {
                Err(Failure::Version(request)) if !is_corrected => {
                    self.app.does_not_speak(version);
                    is_corrected = true;
                    outgoing = *request;
                }
                sent => return sent,
            }
        }
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
            &self.app.base,
            request.method.trim_start_matches('/'),
            &request.query,
        )?;
        let declared = headers::to_app(&mut request.headers, content_type, self.app.token());
        let (body, length) =
            framed(&method, request.body, declared.as_ref()).map_err(|reason| {
                ChannelError::Exchange {
                    verb: go_verb(&method),
                    url: self.url(&uri),
                    reason,
                    spoken: None,
                }
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
        format!("{}{uri}", self.app.base)
    }

    fn error(&self, method: &Method, uri: &Uri, failure: &Failure) -> ChannelError {
        let (verb, url) = (go_verb(method), self.url(uri));
        let reason = failure.to_string();
        let spoken = match failure {
            Failure::Unseen(_) | Failure::Version(_) => {
                return ChannelError::Unseen { verb, url, reason };
            }
            Failure::Unread(_) => return ChannelError::Unread { verb, url, reason },
            Failure::Headers(_) => None,
            Failure::Exchange { spoken, .. } => *spoken,
        };
        ChannelError::Exchange {
            verb,
            url,
            reason,
            spoken,
        }
    }
}

fn advice(spoken: Option<Spoken>) -> String {
    spoken.map_or_else(String::new, |spoken| format!("; {spoken}"))
}

/// Safe by its method, and bodiless.
pub(super) fn may_run_twice(request: &http::Request<Body>) -> bool {
    matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    ) && matches!(request.body(), Body::Empty)
}

/// The body, and the length the app is told; none for a body that arrives
/// without one, and where no body is expected.
fn framed(
    method: &Method,
    body: Body,
    declared: Option<&HeaderValue>,
) -> Result<(Body, Option<u64>), String> {
    let declared = declared.map(parse_length).transpose()?;
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
