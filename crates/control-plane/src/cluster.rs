//! The connection to the API server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{Config, InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};

/// Time to reach the API server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence after which a connection counts as dead. Watches must ask the API
/// server for a shorter life than this.
const READ_TIMEOUT: Duration = Duration::from_secs(150);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// In a pod, but its service account cannot be read.
    #[error("failed to read the pod's service account: {0}")]
    InCluster(#[from] InClusterError),
    /// The kubeconfig file.
    #[error("failed to read kubeconfig {path}: {source}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KubeconfigError,
    },
    /// TLS or addresses that make no client.
    #[error("failed to create the Kubernetes client: {0}")]
    Client(#[from] kube::Error),
}

/// A client of the pod's own cluster; outside a pod that of `kubeconfig`, else
/// of `KUBECONFIG`, else of `~/.kube/config`.
///
/// Calls are not retried by the client: whoever calls knows how long an answer
/// is worth waiting for.
///
/// # Errors
/// No usable configuration.
pub async fn client(kubeconfig: &str) -> Result<kube::Client, ClusterError> {
    let mut config = if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        Config::incluster_env()?
    } else {
        from_file(&path(kubeconfig)).await?
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.default_retry = false;
    Ok(kube::Client::try_from(config)?)
}

async fn from_file(path: &Path) -> Result<Config, ClusterError> {
    let failed = |source| ClusterError::Kubeconfig {
        path: path.to_owned(),
        source,
    };
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(failed)
}

fn path(flag: &str) -> PathBuf {
    if !flag.is_empty() {
        return PathBuf::from(flag);
    }
    if let Some(path) = std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty()) {
        return PathBuf::from(path);
    }
    PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".kube/config")
}
