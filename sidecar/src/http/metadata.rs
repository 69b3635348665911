//! `/v1.0/metadata`: what this sidecar is and what tools noted on it.

use std::{collections::BTreeMap, time::Duration};

use api::{duration::GoDuration, errors};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use parking_lot::RwLock;
use serde::Serialize;

use super::{Api, empty, error, json, text};
use crate::message::{Body, BodyError, body::Limited};

/// Everything the route shows apart from the app id.
#[derive(Debug)]
pub(crate) struct Metadata {
    extended: RwLock<BTreeMap<String, String>>,
    app: AppConnection,
}

/// How the app is reached.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppConnection {
    /// Port of the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
    /// Protocol of the app.
    pub(crate) protocol: String,
    /// Host of the app.
    pub(crate) channel_address: String,
    /// Calls in the app at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_concurrency: Option<usize>,
    /// How it is asked for its health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) health: Option<HealthProperties>,
}

/// The health check in the words of the API.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the API")]
pub(crate) struct HealthProperties {
    /// Empty for gRPC apps, which have a method for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) health_check_path: String,
    /// Time between two probes.
    pub(crate) health_probe_interval: String,
    /// Time one probe may take.
    pub(crate) health_probe_timeout: String,
    /// Failures in a row that count.
    pub(crate) health_threshold: u32,
}

impl HealthProperties {
    /// Path, time between probes, time for one, failures that count.
    pub(crate) fn new(path: &str, interval: Duration, timeout: Duration, threshold: u32) -> Self {
        Self {
            health_check_path: path.to_owned(),
            health_probe_interval: GoDuration::from(interval).to_string(),
            health_probe_timeout: GoDuration::from(timeout).to_string(),
            health_threshold: threshold,
        }
    }
}

impl Metadata {
    /// Of a sidecar nobody has written on yet.
    pub(crate) fn new(mut app: AppConnection) -> Self {
        if app.protocol.starts_with("grpc")
            && let Some(health) = &mut app.health
        {
            health.health_check_path.clear();
        }
        let version = (
            "daprRuntimeVersion".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        );
        Self {
            extended: RwLock::new(BTreeMap::from([version])),
            app,
        }
    }

    /// Notes a value under a key.
    pub(crate) fn set(&self, key: String, value: String) {
        self.extended.write().insert(key, value);
    }

    /// All notes so far.
    pub(crate) fn extended(&self) -> BTreeMap<String, String> {
        self.extended.read().clone()
    }

    /// How the app is reached.
    pub(crate) const fn app(&self) -> &AppConnection {
        &self.app
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    id: &'a str,
    runtime_version: &'static str,
    extended: &'a BTreeMap<String, String>,
    app_connection_properties: &'a AppConnection,
    actor_runtime: ActorRuntime,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resiliencies: Vec<Named>,
}

#[derive(Serialize)]
struct Named {
    name: String,
}

/// There are no actors; clients read that here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActorRuntime {
    runtime_status: &'static str,
    host_ready: bool,
    placement: &'static str,
}

pub(super) fn get(api: &Api) -> Response<Body> {
    let extended = api.metadata.extended.read();
    let document = Document {
        id: &api.me.app_id,
        runtime_version: env!("CARGO_PKG_VERSION"),
        extended: &extended,
        app_connection_properties: &api.metadata.app,
        actor_runtime: ActorRuntime {
            runtime_status: "DISABLED",
            host_ready: false,
            placement: "placement: disconnected",
        },
        resiliencies: api
            .policies
            .resiliency_names()
            .into_iter()
            .map(|name| Named { name })
            .collect(),
    };
    // Strings and numbers only: this cannot fail.
    json(serde_json::to_string(&document).unwrap_or_default() + "\n")
}

pub(super) async fn put<B>(api: &Api, key: &str, body: B) -> Response<Body>
where
    B: http_body::Body<Data = Bytes, Error: Into<BodyError>>,
{
    let Some(key) = unescape_query(key) else {
        return text(
            StatusCode::BAD_REQUEST,
            "invalid URL escape in metadata key\n",
        );
    };
    match Limited::new(body, api.body_limit).collect().await {
        Ok(collected) => {
            api.metadata.set(
                key,
                String::from_utf8_lossy(&collected.to_bytes()).into_owned(),
            );
            empty(StatusCode::NO_CONTENT)
        }
        Err(reason) => {
            let reason = match reason {
                BodyError::Http(error) => error.to_string(),
                other => other.to_string(),
            };
            error::of(
                errors::BODY_READ,
                &format!("failed to read request body: {reason}"),
            )
        }
    }
}

/// Percent-decoded, with `+` for a space; `None` unless UTF-8 comes out.
pub(super) fn unescape_query(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}
