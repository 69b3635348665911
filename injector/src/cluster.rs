//! The few calls to the API server, on plain JSON: no typed copies of objects
//! that are only looked at.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use control_plane::error_chain;
use futures_util::{TryStreamExt as _, pin_mut};
use http::{Method, Request, header};
use kube::Client;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// A call that takes longer is not worth waiting for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Life of a watch. Shorter than the silence after which the client gives up
/// a connection.
const WATCH_SECONDS: u32 = 120;
/// Pause before a watch starts again; where watching is refused, how often
/// the object is looked at.
const WATCH_PAUSE: Duration = Duration::from_secs(5);

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The API server said no.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        code: u16,
        /// Its words.
        message: String,
    },
    /// No answer worth the name.
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
}

/// Bodies we send.
#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    /// A new object.
    Object(&'a Value),
    /// A JSON patch.
    Patch(&'a Value),
}

/// Reads an object or a list.
pub(crate) async fn get(client: &Client, path: &str) -> Result<Value, CallError> {
    let request = Request::get(path)
        .header(header::ACCEPT, "application/json")
        .body(Vec::new());
    send(client, request).await
}

/// Changes something. An answer without an object is `null`.
pub(crate) async fn write(client: &Client, path: &str, body: Body<'_>) -> Result<Value, CallError> {
    let (method, content_type, json) = match body {
        Body::Object(json) => (Method::POST, "application/json", json),
        Body::Patch(json) => (Method::PATCH, "application/json-patch+json", json),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, content_type)
        .body(json.to_string().into_bytes());
    send(client, request).await
}

async fn send(
    client: &Client,
    request: Result<Request<Vec<u8>>, http::Error>,
) -> Result<Value, CallError> {
    let request = request.map_err(|error| CallError::Unreachable(error.to_string()))?;
    match timeout(PATIENCE, client.request_text(request)).await {
        Ok(Ok(text)) => Ok(serde_json::from_str(&text).unwrap_or_default()),
        Ok(Err(kube::Error::Api(status))) => Err(CallError::Refused {
            code: status.code,
            message: status.message,
        }),
        Ok(Err(error)) => Err(CallError::Unreachable(error_chain(&error))),
        Err(_) => Err(CallError::Unreachable("no answer in time".to_owned())),
    }
}

/// Notifies of every change of the object `name` in the list at `path`, and
/// now and then without one. Never returns.
pub(crate) async fn follow(
    client: Client,
    path: String,
    name: &'static str,
    changed: &Notify,
) -> Infallible {
    let uri = format!(
        "{path}?watch=true&fieldSelector=metadata.name%3D{name}&timeoutSeconds={WATCH_SECONDS}"
    );
    loop {
        let start = Instant::now();
        if let Ok(request) = Request::get(&uri).body(Vec::new())
            && let Ok(events) = client.request_events::<IgnoredAny>(request).await
        {
            pin_mut!(events);
            while let Ok(Some(_)) = events.try_next().await {
                changed.notify_one();
            }
        }
        sleep(WATCH_PAUSE.saturating_sub(start.elapsed())).await;
        changed.notify_one();
    }
}
