//! The first certificate, and those that follow.

use security::{
    Identity, KeyKind, Mode, SentryClient, SentrySettings, SvidRequest, TokenSource, TrustAnchors,
    TrustDomain,
};
use tracing::info;

use crate::config::{self, Config};

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// `DAPR_TRUST_ANCHORS` holds no certificate.
    #[error("{0}")]
    Anchors(#[from] security::TrustAnchorsError),
    /// The control plane's trust domain is no trust domain.
    #[error("invalid control plane trust domain: {0}")]
    TrustDomain(security::SpiffeIdError),
    /// The control plane's namespace cannot be part of an identity.
    #[error("invalid control plane namespace: {0}")]
    Namespace(security::SpiffeIdError),
    /// Sentry refused.
    #[error("failed to retrieve the initial identity: {0}")]
    Request(#[from] security::RequestSvidError),
    /// Sentry looks the Configuration of a pod up itself.
    #[error(
        "failed to retrieve the initial identity: {source}; does the Configuration {name:?} of this pod exist in namespace {namespace:?}?"
    )]
    Configuration {
        name: String,
        namespace: String,
        source: security::RequestSvidError,
    },
}

/// Gets an identity, waiting for sentry as long as it takes, and keeps it
/// fresh from then on. `None` without mTLS on a machine of one's own.
pub(super) async fn obtain(config: &Config) -> Result<Option<Identity>, IdentityError> {
    let Some(settings) = &config.identity else {
        return Ok(None);
    };
    let trust_domain: TrustDomain = settings
        .trust_domain
        .parse()
        .map_err(IdentityError::TrustDomain)?;
    let client = SentryClient::new(SentrySettings {
        address: settings.sentry_address.clone(),
        trust_domain,
        namespace: settings.namespace.clone(),
        anchors: TrustAnchors::from_pem(settings.anchors.as_bytes())?,
    })
    .map_err(IdentityError::Namespace)?;
    let request = SvidRequest {
        app_id: settings
            .local_identity
            .clone()
            .unwrap_or_else(|| config.app_id.clone()),
        namespace: config.namespace.clone(),
        trust_domain: None,
        token: TokenSource {
            mode: match config.mode {
                config::Mode::Standalone => Mode::Standalone,
                config::Mode::Kubernetes => Mode::Kubernetes,
            },
            file: settings.token_file.clone(),
        },
        jwt_audiences: settings.jwt_audiences.clone(),
        key: KeyKind::Ed25519,
    };
    info!(target: "dapr.runtime.security", sentry = settings.sentry_address, "requesting an identity");
    let svid = client
        .request(&request)
        .await
        .map_err(|error| explained(config, error))?;
    let identity = Identity::new(svid);
    info!(target: "dapr.runtime.security", id = %identity.spiffe_id(), "identity obtained");
    let renewed = identity.clone();
    lifecycle::spawn(
        "identity renewal",
        security::renew(renewed, client, request),
    )
    .detach();
    Ok(Some(identity))
}

/// Sentry says that there is no Configuration, but not which.
fn explained(config: &Config, source: security::RequestSvidError) -> IdentityError {
    let refused = matches!(
        &source,
        security::RequestSvidError::Sign { message, .. } if message.starts_with("failed to get configuration")
    );
    match config.files.first() {
        Some(name) if refused && config.mode == config::Mode::Kubernetes => {
            IdentityError::Configuration {
                name: name.clone(),
                namespace: config.namespace.clone(),
                source,
            }
        }
        _ => source.into(),
    }
}
