//! Secrets that objects refer to, filled in before a sidecar sees them. Read
//! when they are needed and never kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use control_plane::is_object_name;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::super::cluster::{RequestError, request};
use super::kind::{Kind, Object};

/// Reads at a time: each is a connection, and a thousand sidecars may ask at
/// once.
const READERS: usize = 8;
const REFERENCE: &str = "secretKeyRef";
const TLS_PARTS: [&str; 3] = ["rootCA", "certificate", "privateKey"];

/// Reads Secrets. Cheap to clone.
#[derive(Clone)]
pub(in super::super) struct Secrets {
    client: kube::Client,
    permits: Arc<Semaphore>,
}

/// Why an object cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum SecretError {
    #[error("failed to read secret {name}: {source}")]
    Read { name: String, source: RequestError },
    #[error("secretKeyRef of secret {0} names no key")]
    NoKey(String),
    #[error("secret {secret} has no key {key}")]
    MissingKey { secret: String, key: String },
    #[error("the object is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
}

pub(super) type Data = BTreeMap<String, Vec<u8>>;

impl Secrets {
    pub(in super::super) fn new(client: kube::Client) -> Self {
        Self {
            client,
            permits: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// The object with its secrets in place.
    pub(in super::super) async fn fill(
        &self,
        kind: Kind,
        namespace: &str,
        object: &Object,
    ) -> Result<Bytes, SecretError> {
        let json = &object.json;
        // Most objects refer to none and are sent as they are.
        if !contains(json, REFERENCE.as_bytes()) {
            return Ok(json.clone());
        }
        let mut value: Value = serde_json::from_slice(json)?;
        let names: BTreeSet<String> = entries(kind, &mut value)
            .into_iter()
            .filter_map(|entry| reference(entry).map(|(name, _)| name.to_owned()))
            .collect();
        if names.is_empty() {
            return Ok(json.clone());
        }
        let mut secrets = BTreeMap::new();
        for name in names {
            let data = self.read(namespace, &name).await?;
            secrets.insert(name, data);
        }
        put(kind, &mut value, &secrets)?;
        Ok(serde_json::to_vec(&value)?.into())
    }

    async fn read(&self, namespace: &str, name: &str) -> Result<Data, SecretError> {
        let failed = |source| SecretError::Read {
            name: name.to_owned(),
            source,
        };
        if !is_object_name(name) {
            return Err(failed(RequestError::NoName {
                plural: "secrets",
                name: name.to_owned(),
            }));
        }
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = request(api.get(name)).await.map_err(failed)?;
        let data = secret.data.unwrap_or_default().into_iter();
        Ok(data.map(|(key, value)| (key, value.0)).collect())
    }
}

/// Writes `value` beside each reference: plain text in a Configuration, base64
/// elsewhere, as sidecars expect.
pub(super) fn put(
    kind: Kind,
    object: &mut Value,
    secrets: &BTreeMap<String, Data>,
) -> Result<(), SecretError> {
    for entry in entries(kind, object) {
        let Some((name, key)) = reference(entry) else {
            continue;
        };
        let Some(data) = secrets.get(name) else {
            continue;
        };
        let value = if kind == Kind::Configuration {
            plain(name, key, data)?
        } else {
            let key = if key.is_empty() { name } else { key };
            match data.get(key) {
                Some(secret) => STANDARD.encode(secret),
                None if kind == Kind::Component => continue,
                None => String::new(),
            }
        };
        entry.insert("value".to_owned(), Value::String(value));
    }
    Ok(())
}

fn plain(name: &str, key: &str, data: &Data) -> Result<String, SecretError> {
    if key.is_empty() {
        return Err(SecretError::NoKey(name.to_owned()));
    }
    match data.get(key) {
        Some(secret) => Ok(String::from_utf8_lossy(secret).into_owned()),
        None => Err(SecretError::MissingKey {
            secret: name.to_owned(),
            key: key.to_owned(),
        }),
    }
}

/// Every place of an object where a secret may be named. None when the object
/// names a secret store other than Kubernetes: its sidecar looks there.
fn entries(kind: Kind, object: &mut Value) -> Vec<&mut Map<String, Value>> {
    let store = object.pointer("/auth/secretStore").and_then(Value::as_str);
    if !matches!(store, None | Some("" | "kubernetes")) {
        return Vec::new();
    }
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, value) in spec {
        match (kind, name.as_str()) {
            (Kind::Configuration, "tracing") => {
                found.extend(items(value.pointer_mut("/otel/headers")));
            }
            (Kind::HttpEndpoint, "headers") | (Kind::Component, "metadata") => {
                found.extend(items(Some(value)));
            }
            (Kind::HttpEndpoint, "clientTLS") => {
                let parts = value.as_object_mut().into_iter().flatten();
                found.extend(
                    parts
                        .filter(|(name, _)| TLS_PARTS.contains(&name.as_str()))
                        .filter_map(|(_, part)| part.as_object_mut()),
                );
            }
            _ => {}
        }
    }
    found
}

fn items(list: Option<&mut Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    list.and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
}

/// Name and key of the secret an entry refers to.
fn reference(entry: &Map<String, Value>) -> Option<(&str, &str)> {
    let reference = entry.get(REFERENCE)?;
    let text = |name: &str| reference.get(name).and_then(Value::as_str);
    let name = text("name").filter(|name| !name.is_empty())?;
    Some((name, text("key").unwrap_or_default()))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
