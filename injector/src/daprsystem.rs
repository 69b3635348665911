//! Whether sidecars use mTLS: `spec.mtls.enabled` of the Configuration
//! `daprsystem`, kept in step without asking at every admission.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use kube::Client;
use serde_json::Value;
use tokio::sync::Notify;

use crate::SCOPE;
use crate::cluster::{self, CallError};

const NAME: &str = "daprsystem";

/// The answer of this moment; on until known better.
#[derive(Clone, Debug)]
pub(crate) struct Mtls(Arc<AtomicBool>);

impl Default for Mtls {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Mtls {
    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// Asks once.
    pub(crate) async fn refresh(&self, client: &Client, namespace: &str) {
        let path = format!("{}/{NAME}", path(namespace));
        let on = match cluster::get(client, &path).await {
            Ok(configuration) => is_on(&configuration),
            Err(CallError::Refused { code: 404, .. }) => true,
            // What was read last is the better guess.
            Err(error) => {
                tracing::debug!(target: SCOPE, "failed to read the configuration {NAME}: {error}");
                return;
            }
        };
        if self.0.swap(on, Relaxed) != on {
            tracing::info!(target: SCOPE, "sidecars are injected with mTLS {}", if on { "on" } else { "off" });
        }
    }

    /// Never returns.
    pub(crate) async fn follow(self, client: Client, namespace: String) -> Infallible {
        let changed = Notify::new();
        let refreshing = async {
            loop {
                changed.notified().await;
                self.refresh(&client, &namespace).await;
            }
        };
        let following = cluster::follow(client.clone(), path(&namespace), NAME, &changed);
        tokio::select! {
            never = refreshing => never,
            never = following => never,
        }
    }
}

fn path(namespace: &str) -> String {
    format!("/apis/dapr.io/v1alpha1/namespaces/{namespace}/configurations")
}

fn is_on(configuration: &Value) -> bool {
    configuration.pointer("/spec/mtls/enabled") != Some(&Value::Bool(false))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn on_unless_it_is_off() {
        assert!(!is_on(&json!({"spec": {"mtls": {"enabled": false}}})));
        for configuration in [
            Value::Null,
            json!({}),
            json!({"spec": {"mtls": null}}),
            json!({"spec": {"mtls": {}}}),
            json!({"spec": {"mtls": {"enabled": true}}}),
        ] {
            assert!(is_on(&configuration), "{configuration}");
        }
    }
}
