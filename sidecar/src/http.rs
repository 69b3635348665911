//! The HTTP API: what apps and tools call on their sidecar.

mod answer;
mod arriving;
mod error;
mod health;
mod invoke;
mod layers;
mod metadata;
mod public;
mod routes;
mod shutdown;
mod unimplemented;

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use lifecycle::{health::Health, linger::Linger};
use tokio::sync::mpsc;

use crate::{invoke::Invoker, me::Me, message::Body, policies::Live};

pub(crate) use metadata::{AppConnection, HealthProperties, Metadata};
pub(crate) use public::public;

/// What every request of the API may need; one for all workers.
#[derive(Debug)]
pub(crate) struct Api {
    /// Who we serve.
    pub(crate) me: Arc<Me>,
    /// Readiness of the sidecar.
    pub(crate) health: Health,
    /// Readiness for outbound calls.
    pub(crate) outbound: Health,
    /// Token clients must send.
    pub(crate) token: Option<HeaderValue>,
    /// What the metadata route shows.
    pub(crate) metadata: Metadata,
    /// Takes requests to stop.
    pub(crate) stop: mpsc::Sender<Stop>,
    /// Bytes of a request body; `None` for no limit.
    pub(crate) body_limit: Option<u64>,
    /// Bytes of a request header block.
    pub(crate) header_limit: usize,
    /// Settings of the API log; `None` when it is off.
    pub(crate) log: Option<ApiLog>,
    /// Policies in force, some of which are told of.
    pub(crate) policies: Arc<Live>,
}

/// How calls of the API are logged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ApiLog {
    /// Names instead of paths.
    pub(crate) obfuscate_urls: bool,
    /// Leave health probes out.
    pub(crate) omit_health_checks: bool,
}

/// A request to stop that came through the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// After what is running has finished.
    Graceful,
    /// At once.
    Forced,
}

/// The API of one worker.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    /// Shared by all workers.
    pub(crate) api: Arc<Api>,
    /// Invocations of this worker.
    pub(crate) invoker: Arc<Invoker>,
}

impl Front {
    /// Answers one request of a connection.
    pub(crate) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        linger: Linger,
    ) -> Result<Response<Body>, Infallible> {
        let response = layers::serve(&self, request).await;
        // Only our own word ends a connection; apps' is not passed on.
        if response.headers().contains_key(header::CONNECTION) {
            linger.ask();
        }
        Ok(response)
    }
}

/// A response without a body.
fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

/// Plain text as Go's HTTP library writes its own errors.
fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// As [`text`], with words made for the occasion.
fn plain(status: StatusCode, words: String) -> Response<Body> {
    let mut response = text(status, "");
    *response.body_mut() = Bytes::from(words + "\n").into();
    response
}

/// JSON with status 200.
fn json(body: String) -> Response<Body> {
    let mut response = Response::new(Bytes::from(body).into());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
