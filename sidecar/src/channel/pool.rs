//! Keep-alive HTTP/1.1 connections of one worker to the app.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Request, Response, header};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;

use super::{
    App,
    dial::{DialError, Version},
    http::{Failure, may_run_twice},
    socket::{AppSocket, Passed},
    spoken::Spoken,
};
use crate::message::{Body, BodyError};

/// Time for TCP and TLS together.
const DIAL_PATIENCE: Duration = Duration::from_secs(30);
/// Idle connections kept.
const MAX_IDLE: usize = 64;
/// Age after which an idle connection is not used again.
const IDLE_LIFE: Duration = Duration::from_secs(90);
/// Read buffer of a connection. Head limits are checked separately, so a
/// large one only means fewer reads for large bodies.
const READ_BUFFER: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
    header_limit: usize,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// One to the app.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Body>,
    passed: Arc<Passed>,
}

/// A connection in use; goes back to the pool when dropped.
#[derive(Debug)]
pub(super) struct Leased {
    pool: Arc<Pool>,
    connection: Option<Connection>,
}

impl Pool {
    pub(super) fn new(header_limit: usize) -> Self {
        Self {
            idle: Mutex::default(),
            header_limit,
        }
    }

    /// Sends on an idle connection, else on a new one. A request that never
    /// left an idle connection is sent again on the next; so is one without
    /// effect that met an app just closing such a connection.
    pub(super) async fn send(
        self: &Arc<Self>,
        app: &App,
        mut request: Request<Body>,
    ) -> Result<(Response<Incoming>, Leased), Failure> {
        loop {
            let (mut connection, is_reused) = match self.acquire(app).await {
                Ok(acquired) => acquired,
                Err(DialError::Version(_)) => return Err(Failure::Version(Box::new(request))),
                Err(error) => return Err(Failure::Unseen(error.to_string())),
            };
            let copy = is_reused.then(|| repeatable(&request)).flatten();
            let mut failed = match connection.sender.try_send_request(request).await {
                Ok(response) => {
                    app.has_answered();
                    return self.answered(response, connection);
                }
                Err(failed) => failed,
            };
            let unsent = failed.take_message().filter(|_| is_reused);
            let error = failed.into_error();
            match unsent.or_else(|| copy.filter(|_| is_gone(&error))) {
                Some(next) => request = next,
                None => return Err(self.failed(app, &error, &connection, is_reused).await),
            }
        }
    }

    fn answered(
        self: &Arc<Self>,
        response: Response<Incoming>,
        connection: Connection,
    ) -> Result<(Response<Incoming>, Leased), Failure> {
        if head_length(&response) > self.header_limit {
            return Err(Failure::Headers(self.header_limit));
        }
        if let Some(reason) = foreign_coding(response.headers()) {
            return Err(Failure::Exchange {
                reason,
                spoken: None,
            });
        }
        let leased = Leased {
            pool: Arc::clone(self),
            connection: Some(connection),
        };
        Ok((response, leased))
    }

    async fn failed(
        &self,
        app: &App,
        error: &hyper::Error,
        connection: &Connection,
        is_reused: bool,
    ) -> Failure {
        if error.is_parse_too_large() {
            return Failure::Headers(self.header_limit);
        }
        let passed = &connection.passed;
        let spoken = if is_reused {
            None
        } else {
            Box::pin(Spoken::instead(app, passed.opening())).await
        };
        let reason = reason(error);
        if spoken.is_none() && is_gone(error) && passed.is_unread() {
            return Failure::Unread(reason);
        }
        Failure::Exchange { reason, spoken }
    }

    /// An idle connection, else a new one; true for an idle one.
    async fn acquire(&self, app: &App) -> Result<(Connection, bool), DialError> {
        match self.take() {
            Some(connection) => Ok((connection, true)),
            None => Ok((self.connect(app).await?, false)),
        }
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        while let Some(Idle { connection, since }) = idle.pop() {
            if connection.sender.is_ready() && since.elapsed() < IDLE_LIFE {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self, app: &App) -> Result<Connection, DialError> {
        // Large, and absent from most calls.
        let dial = Box::pin(app.dial(Version::Http1));
        let socket = tokio::time::timeout(DIAL_PATIENCE, dial)
            .await
            .unwrap_or_else(|_| Err(app.too_slow()))?;
        let socket = AppSocket::new(socket);
        let passed = socket.passed();
        let (sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            // As Go reads them.
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .max_buf_size(READ_BUFFER.max(self.header_limit + 4096))
            .handshake(TokioIo::new(socket))
            .await
            .map_err(|error| app.unreached(&io::Error::other(error)))?;
        lifecycle::spawn("app connection", async move {
            // Its end is seen by whoever uses the sender next.
            let _ = connection.await;
        })
        .detach();
        Ok(Connection { sender, passed })
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        let open = |connection: &Connection| !connection.sender.is_closed();
        let Some(connection) = self.connection.take().filter(open) else {
            return;
        };
        let mut idle = self.pool.idle.lock();
        if idle.len() < MAX_IDLE {
            idle.push(Idle {
                connection,
                since: Instant::now(),
            });
        }
    }
}

/// The app closed the connection without an answer.
fn is_gone(error: &hyper::Error) -> bool {
    error.is_incomplete_message()
        || cause::<io::Error>(error).is_some_and(|error| {
            matches!(
                error.kind(),
                // TLS that ends without a word, and either kind of reset.
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
            )
        })
}

fn cause<E: std::error::Error + 'static>(error: &hyper::Error) -> Option<&E> {
    std::error::Error::source(error)?.downcast_ref()
}

fn reason(error: &hyper::Error) -> String {
    // A body of ours that failed says why; that is the cause users need.
    if let Some(own) = cause::<BodyError>(error) {
        return own.to_string();
    }
    if is_gone(error) || error.is_canceled() || error.is_closed() {
        return "EOF".to_owned();
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// A copy of a request that may run twice.
fn repeatable(request: &Request<Body>) -> Option<Request<Body>> {
    if !may_run_twice(request) {
        return None;
    }
    let mut copy = Request::new(Body::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// What is wrong with the framing of an answer: a client that saw it as it is
/// would take coded bytes for the body.
fn foreign_coding(headers: &HeaderMap) -> Option<String> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let coding = codings.next()?;
    if codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return None;
    }
    let coding = policy::method::quote(&String::from_utf8_lossy(coding.as_bytes()));
    Some(format!(
        "net/http: HTTP/1.x transport connection broken: unsupported transfer encoding: {coding}"
    ))
}

/// Bytes the header block of a response takes on the wire.
fn head_length(response: &Response<Incoming>) -> usize {
    response
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}
