//! What the control plane's own Configuration says about us, read once.

use std::time::Duration;

use kube::core::DynamicObject;
use security::{SpiffeIdError, TrustDomain};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::SCOPE;
use super::cluster::{Backoff, RequestError, objects, request};
use super::resource::Kind;

/// Helm creates the Configuration after the Deployments: a fast start must not
/// end in a crash loop.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Pauses while the API server does not answer.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15));
const TRUST_DOMAIN: &str = "cluster.local";

/// The settings of the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Whether sidecars speak TLS to each other.
    pub(super) mtls: bool,
    pub(super) trust_domain: TrustDomain,
    pub(super) sentry_address: String,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("failed to load configuration {place}: {source}")]
    Read { place: String, source: RequestError },
    #[error("failed to load configuration {place}: spec.mtls: {source}")]
    Malformed {
        place: String,
        source: serde_json::Error,
    },
    #[error(
        "control plane trust domain is required: set spec.mtls.controlPlaneTrustDomain of configuration {place}"
    )]
    TrustDomainMissing { place: String },
    #[error(
        "invalid control plane trust domain {value:?} in spec.mtls.controlPlaneTrustDomain of configuration {place}: {source}"
    )]
    TrustDomain {
        place: String,
        value: String,
        source: SpiffeIdError,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mtls {
    #[serde(default = "enabled")]
    enabled: bool,
    #[serde(default)]
    control_plane_trust_domain: String,
    #[serde(default)]
    sentry_address: String,
}

const fn enabled() -> bool {
    true
}

impl Settings {
    /// Waits for the API server, and a short while for the object.
    pub(super) async fn read(
        client: &kube::Client,
        namespace: &str,
        name: &str,
    ) -> Result<Self, SettingsError> {
        let resource = Kind::Configuration.resource();
        let api = objects::<DynamicObject>(client, &resource, Some(namespace));
        let place = format!("{namespace}/{name}");
        let mut pauses = PAUSES;
        let mut missing_since = None;
        let object = loop {
            match request(api.get(name)).await {
                Ok(object) => break object,
                Err(error) if error.is_not_found() => {
                    let since = *missing_since.get_or_insert_with(|| {
                        tracing::warn!(target: SCOPE, "waiting for configuration {place}: {error}");
                        Instant::now()
                    });
                    if since.elapsed() >= PATIENCE {
                        let source = error;
                        return Err(SettingsError::Read { place, source });
                    }
                    sleep(LOOK_AGAIN).await;
                }
                Err(error) => {
                    if pauses.is_fresh() {
                        tracing::warn!(target: SCOPE, "waiting for the API server: {error}");
                    }
                    sleep(pauses.pause()).await;
                }
            }
        };
        let mtls = object.data.pointer("/spec/mtls").cloned();
        Self::new(mtls.unwrap_or_default(), namespace, place)
    }

    /// From `spec.mtls`, which may be absent; `place` is for errors.
    fn new(mtls: Value, namespace: &str, place: String) -> Result<Self, SettingsError> {
        let mtls: Option<Mtls> = match serde_json::from_value(mtls) {
            Ok(mtls) => mtls,
            Err(source) => return Err(SettingsError::Malformed { place, source }),
        };
        let Mtls {
            enabled,
            control_plane_trust_domain: trust_domain,
            sentry_address,
        } = mtls.unwrap_or_else(|| Mtls {
            enabled: true,
            control_plane_trust_domain: TRUST_DOMAIN.to_owned(),
            sentry_address: String::new(),
        });
        if trust_domain.is_empty() {
            return Err(SettingsError::TrustDomainMissing { place });
        }
        Ok(Self {
            mtls: enabled,
            trust_domain: trust_domain
                .parse()
                .map_err(|source| SettingsError::TrustDomain {
                    place,
                    value: trust_domain,
                    source,
                })?,
            sentry_address: match sentry_address.as_str() {
                "" => format!("dapr-sentry.{namespace}.svc.cluster.local:443"),
                _ => sentry_address,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(mtls: Value) -> Result<Settings, String> {
        let place = "dapr-system/daprsystem".to_owned();
        Settings::new(mtls, "dapr-system", place).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_has_defaults() {
        let defaults = settings(Value::Null).unwrap();
        assert!(defaults.mtls);
        assert_eq!(defaults.trust_domain.as_str(), "cluster.local");
        assert_eq!(
            defaults.sentry_address,
            "dapr-sentry.dapr-system.svc.cluster.local:443"
        );
        let given = settings(json!({
            "enabled": false, "controlPlaneTrustDomain": "corp", "sentryAddress": "sentry:1",
            "workloadCertTTL": "24h",
        }));
        let given = given.unwrap();
        assert!(!given.mtls);
        assert_eq!(given.trust_domain.as_str(), "corp");
        assert_eq!(given.sentry_address, "sentry:1");
    }

    #[test]
    fn an_unusable_trust_domain_is_refused() {
        for mtls in [
            json!({"enabled": true}),
            json!({"controlPlaneTrustDomain": ""}),
        ] {
            assert_eq!(
                settings(mtls).unwrap_err(),
                "control plane trust domain is required: set spec.mtls.controlPlaneTrustDomain of configuration dapr-system/daprsystem"
            );
        }
        assert_eq!(
            settings(json!({"controlPlaneTrustDomain": "A B"})).unwrap_err(),
            "invalid control plane trust domain \"A B\" in spec.mtls.controlPlaneTrustDomain of configuration dapr-system/daprsystem: trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores"
        );
        assert!(settings(json!({"enabled": "yes"})).is_err());
    }
}
