//! The names of a developer's machine: the run registry, where `dapr run`
//! gave us one, then mDNS.
//!
//! This sidecar is announced in both. An app in the registry is never waited
//! for, and a network without multicast hides only what is not in it.

use std::net::SocketAddr;

use tracing::warn;

use super::cache::{Changes, Pace};
use super::mdns::{Beside, Mdns, ServiceError};
use super::registry::{Registry, RegistryError};
use super::{Me, ResolveError, hosts, mdns, registry};

/// The reading side.
#[derive(Debug)]
pub(super) struct Local {
    registry: Option<Registry>,
    mdns: Option<Mdns>,
}

/// Our entries.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Option<registry::Registration>,
    mdns: Option<mdns::Registration>,
}

/// Why names could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum LocalError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Mdns(#[from] ServiceError),
}

impl Local {
    /// Announces this sidecar on the current runtime.
    pub(super) fn start(me: &Me) -> Result<(Self, Registration), LocalError> {
        let Some(directory) = &me.run_registry else {
            let (mdns, announced) = Mdns::start(me, Beside::Nobody)?;
            return Ok(Self::of(None, Some((mdns, announced))));
        };
        let entry = registry::Registration::start(directory, me)?;
        let registry = Registry::new(directory.clone());
        let mdns = Mdns::start(me, Beside::RunRegistry)
            .inspect_err(|error| {
                warn!(
                    target: "dapr.contrib",
                    "mDNS is not available: {error}; only apps that dapr run started on this machine find this one"
                );
            })
            .ok();
        Ok(Self::of(Some((registry, entry)), mdns))
    }

    fn of(
        registry: Option<(Registry, registry::Registration)>,
        mdns: Option<(Mdns, mdns::Registration)>,
    ) -> (Self, Registration) {
        let (registry, entry) = registry.unzip();
        let (mdns, announced) = mdns.unzip();
        let registration = Registration {
            registry: entry,
            mdns: announced,
        };
        (Self { registry, mdns }, registration)
    }

    /// The registry alone, as after a failed start of mDNS.
    #[cfg(test)]
    pub(super) fn of_registry(registry: Registry) -> Self {
        Self {
            registry: Some(registry),
            mdns: None,
        }
    }

    /// Addresses of all live sidecars of the app. mDNS knows no namespaces.
    pub(super) async fn lookup(
        &self,
        app_id: &str,
        namespace: &str,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        let listed = self.listed(app_id, namespace).await;
        let Some(mdns) = self.mdns.as_ref().filter(|_| listed.is_err()) else {
            return listed;
        };
        match mdns.lookup(app_id).await {
            Ok(found) => Ok(found),
            // It may have come while we waited.
            Err(_) => self.listed(app_id, namespace).await,
        }
    }

    async fn listed(&self, app_id: &str, namespace: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        match &self.registry {
            Some(registry) => hosts::addresses(registry.lookup(app_id, namespace)?).await,
            None => Err(ResolveError::NoService(app_id.to_owned())),
        }
    }

    /// Nobody is at `address`. The registry sees for itself who lives.
    pub(super) fn refused(&self, app_id: &str, address: SocketAddr) {
        if let Some(mdns) = &self.mdns {
            mdns.refused(app_id, address);
        }
    }

    pub(super) fn changes(&mut self) -> Option<Changes> {
        self.mdns.as_mut()?.changes()
    }

    pub(super) fn pace(&self) -> Pace {
        match self.mdns {
            Some(_) => Pace::NETWORK,
            None => Pace::LOCAL,
        }
    }
}

impl Registration {
    pub(super) async fn withdraw(self) {
        if let Some(announced) = self.mdns {
            announced.withdraw().await;
        }
        if let Some(entry) = self.registry {
            entry.withdraw().await;
        }
    }
}
