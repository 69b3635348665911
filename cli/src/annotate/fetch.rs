//! Manifests from the web.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// A server that hangs must not hang a pipeline for ever.
const PATIENCE: Duration = Duration::from_mins(1);

/// Far more than all manifests of a cluster.
const LARGEST: u64 = 256 << 20;

/// Why a URL gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The words are upstream's.
    #[error("unable to read from {url}: {code} - {code} {reason}")]
    Status {
        url: String,
        code: u16,
        reason: &'static str,
    },
    #[error("unable to read from {url}: {source}")]
    Request {
        url: String,
        source: Box<ureq::Error>,
    },
}

/// The body behind a URL. Redirects are followed, proxies taken from the
/// environment, and servers must have a certificate this machine trusts.
pub(super) fn fetch(url: &str) -> Result<Vec<u8>, FetchError> {
    let failed = |source| FetchError::Request {
        url: url.to_owned(),
        source: Box::new(source),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .tls_config(tls)
        .build()
        .into();
    let mut answer = agent.get(url).call().map_err(failed)?;
    let status = answer.status();
    if status.as_u16() != 200 {
        return Err(FetchError::Status {
            url: url.to_owned(),
            code: status.as_u16(),
            reason: status.canonical_reason().unwrap_or_default(),
        });
    }
    let body = answer.body_mut().with_config().limit(LARGEST);
    body.read_to_vec().map_err(failed)
}
