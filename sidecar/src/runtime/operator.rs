//! Kubernetes mode: Configuration and policies come from the operator and
//! follow it.

use std::{sync::Arc, time::Duration};

use security::{Identity, SpiffeId, channel::Connector};
use tracing::warn;

use super::{RuntimeError, SCOPE};
use crate::{
    config::Config,
    policies::Live,
    resources::{Configuration, Operator, Snapshot},
};

/// Without a Configuration of its own a sidecar works without the operator;
/// it waits this long for policies and takes them over when they come later.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the operator said at start, and how to hear more.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) operator: Operator,
    pub(super) snapshot: Snapshot,
}

/// Asks the operator at `address`. A Configuration that is named is waited
/// for: it may hold an access list.
pub(super) async fn load(
    config: &Config,
    address: &str,
    identity: &Identity,
) -> Result<(Configuration, Followed), RuntimeError> {
    let named = named(config);
    let operator = connect(config, address, identity, named.clone())?;
    let snapshot = if named.is_some() {
        operator.fetch().await?
    } else {
        match tokio::time::timeout(PATIENCE, operator.fetch()).await {
            Ok(Ok(snapshot)) => snapshot,
            Ok(Err(error)) => {
                warn!(target: SCOPE, "starting without resiliency policies: {error}");
                Snapshot::default()
            }
            Err(_) => {
                warn!(target: SCOPE, "starting without resiliency policies: no answer from the operator at {address}; they apply once it answers");
                Snapshot::default()
            }
        }
    };
    let configuration = configuration(named.as_deref(), &snapshot)?;
    Ok((configuration, Followed { operator, snapshot }))
}

/// The Configuration in `snapshot`, or the defaults where none is named.
pub(super) fn configuration(
    name: Option<&str>,
    snapshot: &Snapshot,
) -> Result<Configuration, RuntimeError> {
    match (name, &snapshot.configuration) {
        (Some(name), Some(object)) => Ok(Configuration::from_operator(name, object)?),
        _ => Ok(Configuration::default()),
    }
}

/// The name of our Configuration.
pub(super) fn named(config: &Config) -> Option<String> {
    config
        .files
        .first()
        .filter(|name| !name.is_empty())
        .cloned()
}

fn connect(
    config: &Config,
    address: &str,
    identity: &Identity,
    named: Option<String>,
) -> Result<Operator, RuntimeError> {
    if config.files.len() > 1 {
        warn!(target: SCOPE, "Multiple configurations are not supported in Kubernetes mode; only the first one will be loaded");
    }
    let settings = config.identity.as_ref().ok_or(RuntimeError::NoIdentity)?;
    let trust_domain = settings
        .trust_domain
        .parse()
        .map_err(super::IdentityError::TrustDomain)?;
    let id = SpiffeId::workload(&trust_domain, &settings.namespace, "dapr-operator")
        .map_err(super::IdentityError::Namespace)?;
    let connector = Connector::new("the operator", address, identity.client_config_for(id));
    Ok(Operator::new(connector, config.namespace.clone(), named)?)
}

impl Followed {
    /// Takes over what changes from now on.
    pub(super) fn start(self, config: &Config, policies: Arc<Live>) {
        let named = named(config);
        let apply = move |snapshot: &Snapshot| match configuration(named.as_deref(), snapshot) {
            Ok(configuration) => {
                let access = configuration.access_control.as_ref();
                policies.reload(access, &snapshot.resiliencies);
            }
            Err(error) => {
                tracing::error!(target: SCOPE, "cannot reload, keeping what is in force: {error}");
            }
        };
        let following = self
            .operator
            .follow(self.snapshot, config.reconcile_interval, apply);
        lifecycle::spawn("operator updates", following).detach();
    }
}
