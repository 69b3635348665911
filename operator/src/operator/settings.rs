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
    #[error("failed to load configuration {namespace}/{name}: {source}")]
    Read {
        namespace: String,
        name: String,
        source: RequestError,
    },
    #[error("failed to load configuration {namespace}/{name}: spec.mtls: {source}")]
    Malformed {
        namespace: String,
        name: String,
        source: serde_json::Error,
    },
    #[error("control plane trust domain is required")]
    TrustDomainMissing,
    #[error("invalid control plane trust domain: {0}")]
    TrustDomain(#[from] SpiffeIdError),
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
        let failed = |source| SettingsError::Read {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            source,
        };
        let mut pauses = PAUSES;
        let mut missing_since = None;
        let object = loop {
            match request(api.get(name)).await {
                Ok(object) => break object,
                Err(error) if error.is_not_found() => {
                    let since = *missing_since.get_or_insert_with(|| {
                        tracing::warn!(target: SCOPE, "waiting for configuration {namespace}/{name}: {error}");
                        Instant::now()
                    });
                    if since.elapsed() >= PATIENCE {
                        return Err(failed(error));
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
        Self::new(mtls.unwrap_or_default(), namespace, name)
    }

    /// From `spec.mtls`, which may be absent.
    fn new(mtls: Value, namespace: &str, name: &str) -> Result<Self, SettingsError> {
        let mtls: Option<Mtls> =
            serde_json::from_value(mtls).map_err(|source| SettingsError::Malformed {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                source,
            })?;
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
            return Err(SettingsError::TrustDomainMissing);
        }
        Ok(Self {
            mtls: enabled,
            trust_domain: trust_domain.parse()?,
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
        Settings::new(mtls, "dapr-system", "daprsystem").map_err(|error| error.to_string())
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
                "control plane trust domain is required"
            );
        }
        assert!(settings(json!({"controlPlaneTrustDomain": "A B"})).is_err());
        assert!(settings(json!({"enabled": "yes"})).is_err());
    }
}
