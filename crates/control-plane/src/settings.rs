//! Where to listen and what a pod says about itself.

use std::net::TcpListener;

use lifecycle::bind::{BindError, bind_patiently};

/// Scope of our log lines.
pub(crate) const SCOPE: &str = "dapr.control_plane";
/// Overrides the rule about root.
const SKIP_UID_CHECK: &str = "DAPR_UNSAFE_SKIP_CONTAINER_UID_GID_CHECK";

/// A listening address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Empty for every address.
    pub host: String,
    /// Zero for any free one.
    pub port: u16,
}

/// Something about the environment that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// `NAMESPACE` is missing.
    #[error(
        "'NAMESPACE' environment variable not set: set it to the namespace of the control plane"
    )]
    Namespace,
    /// The process belongs to root.
    #[error(
        "current user UID(0) is root. Dapr must be run as a non-root user in Kubernetes environments. To override this check, set the environment variable 'DAPR_UNSAFE_SKIP_CONTAINER_UID_GID_CHECK=true'"
    )]
    Root,
}

/// The namespace of the control plane.
///
/// # Errors
/// `NAMESPACE` is unset or empty.
pub fn namespace() -> Result<String, SettingError> {
    std::env::var("NAMESPACE")
        .ok()
        .filter(|namespace| !namespace.is_empty())
        .ok_or(SettingError::Namespace)
}

/// Programs in a cluster do not run as root.
///
/// # Errors
/// The process belongs to root and nobody said that this is fine.
pub fn refuse_root() -> Result<(), SettingError> {
    let skipped = std::env::var(SKIP_UID_CHECK).is_ok_and(|value| value == "true");
    if nix::unistd::geteuid().is_root() && !skipped {
        return Err(SettingError::Root);
    }
    Ok(())
}

/// Listens, waiting for a port in use. `what` is for the log.
///
/// # Errors
/// The address cannot be used, or its port stays in use.
pub async fn bind(what: &'static str, listen: &Listen) -> Result<TcpListener, BindError> {
    let Listen { host, port } = listen;
    let listener = bind_patiently(host, *port, |error| {
        tracing::warn!(target: SCOPE, "{what} server cannot listen yet, trying again: {error}");
    })
    .await?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(target: SCOPE, %address, "{what} server is listening");
    }
    Ok(listener)
}
