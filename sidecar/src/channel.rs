//! The app channel: our connections to our own app.
//!
//! Called by the internal server for peers and by `invoke` for self calls.
//! Nothing is retried at this hop, except what never left this process.

mod health;
mod init;
mod path;
mod pool;
mod socket;
mod wait;

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Method, Uri, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use health::{HealthCheck, watch_app};
pub(crate) use init::load_configuration;
pub(crate) use path::{PathError, app_uri};
pub(crate) use wait::wait_for_app;

use crate::message::{Body, Request, Response, body, headers};
use health::AppHealth;
use pool::{Failure, Pool};

/// Connections to the app in use at one time; further calls wait.
const MAX_CONNECTIONS: usize = 1024;

/// Where the app is and how it is called; shared by all workers.
#[derive(Debug)]
pub(crate) struct App {
    /// Host the app listens on.
    pub(crate) host: String,
    /// Port the app listens on.
    pub(crate) port: u16,
    /// `host:port` as the app sees itself.
    authority: String,
    host_header: HeaderValue,
    token: Option<HeaderValue>,
    concurrency: Option<Arc<Semaphore>>,
    connections: Arc<Semaphore>,
    header_limit: usize,
    health: AppHealth,
}

/// Settings of the app channel.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Host the app listens on: IP address or DNS name.
    pub(crate) host: String,
    /// Port the app listens on.
    pub(crate) port: u16,
    /// Sent to the app as `dapr-api-token`.
    pub(crate) token: Option<HeaderValue>,
    /// Calls in the app at one time; `None` for no limit.
    pub(crate) max_concurrency: Option<usize>,
    /// Bytes of a response header block.
    pub(crate) header_limit: usize,
    /// The app is asked whether it is well, and is unwell until it says so.
    pub(crate) checked: bool,
}

/// Why the app did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    /// No connection: the app has not seen the call.
    #[error("{verb} \"{url}\": dial tcp {address}: {reason}")]
    Dial {
        /// Verb, as Go spells it in errors.
        verb: String,
        /// Address of the call.
        url: String,
        /// `host:port`.
        address: String,
        /// Go's wording of the reason.
        reason: String,
    },
    /// The connection failed before a response.
    #[error("{verb} \"{url}\": {reason}")]
    Exchange {
        /// Verb, as Go spells it in errors.
        verb: String,
        /// Address of the call.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The app is known to be unwell.
    #[error("rpc error: code = Internal desc = app is not in a healthy state")]
    Unhealthy,
    /// A verb no HTTP app can be called with.
    #[error("rpc error: code = InvalidArgument desc = invalid HTTP verb")]
    Verb,
    /// A method that is no URL path.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl ChannelError {
    /// True when the app cannot have seen any of the call.
    pub(crate) fn never_reached_app(&self) -> bool {
        matches!(self, Self::Dial { .. } | Self::Unhealthy)
    }
}

impl App {
    /// The app of these settings.
    pub(crate) fn new(config: Config) -> Self {
        let authority = format!("{}:{}", config.host, config.port);
        Self {
            host_header: HeaderValue::from_str(&authority)
                .unwrap_or_else(|_| HeaderValue::from_static("localhost")),
            authority,
            host: config.host,
            port: config.port,
            token: config.token,
            concurrency: config
                .max_concurrency
                .map(|limit| Arc::new(Semaphore::new(limit))),
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            header_limit: config.header_limit,
            health: AppHealth::new(config.checked),
        }
    }

    /// What is known about its health.
    pub(crate) fn health(&self) -> &AppHealth {
        &self.health
    }

    /// Token of the app, if it has one.
    pub(crate) fn token(&self) -> Option<&HeaderValue> {
        self.token.as_ref()
    }
}

/// The app channel of one worker.
#[derive(Debug)]
pub(crate) struct Channel {
    app: Arc<App>,
    pool: Arc<Pool>,
}

impl Channel {
    /// A channel without connections yet.
    pub(crate) fn new(app: Arc<App>) -> Self {
        let pool = Arc::new(Pool::new(app.header_limit));
        Self { app, pool }
    }

    /// Calls the app. Headers are those of the message; what must not reach
    /// the app is taken out here.
    pub(crate) async fn call(
        &self,
        mut request: Request,
        content_type: Option<HeaderValue>,
    ) -> Result<Response, ChannelError> {
        if !self.app.health.is_well() {
            return Err(ChannelError::Unhealthy);
        }
        let method = request.verb.to_method().ok_or(ChannelError::Verb)?;
        let uri = app_uri(&self.app.authority, &request.method, &request.query)?;
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
        // The semaphores are never closed, so a permit always comes.
        let concurrency = match &self.app.concurrency {
            Some(slots) => Arc::clone(slots).acquire_owned().await.ok(),
            None => None,
        };
        let connection = Arc::clone(&self.app.connections).acquire_owned().await.ok();
        (concurrency, connection)
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

/// How long one connection attempt may take.
pub(crate) const DIAL_PATIENCE: Duration = Duration::from_secs(30);

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

fn dial_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        std::io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
        _ => error.to_string(),
    }
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
