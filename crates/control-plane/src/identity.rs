//! The identity of operator and injector: asked from sentry with the pod's
//! projected token, renewed for ever, and replaced at once when the root file
//! no longer vouches for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lifecycle::task::AbortOnDrop;
use security::{
    Identity, KeyKind, Mode, RequestSvidError, SentryClient, SentrySettings, SpiffeIdError,
    SvidRequest, TokenSource, TrustAnchors, TrustDomain,
};
use tokio::sync::watch;
use tokio::time::sleep;

const SCOPE: &str = "dapr.runtime.security";
/// Mounted files change by a symbolic link that is swapped; reading one small
/// file is cheaper than watching its directory.
const POLL: Duration = Duration::from_secs(1);
/// Pauses between tries to replace an identity that the new roots reject.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Who asks, and whom.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// For example `dapr-operator`.
    pub service: &'static str,
    /// Namespace of the control plane.
    pub namespace: String,
    /// Trust domain of the control plane.
    pub trust_domain: TrustDomain,
    /// `host:port` of sentry.
    pub sentry_address: String,
    /// PEM file with the roots; waited for.
    pub anchors_file: PathBuf,
    /// Algorithm of our keys.
    pub key: KeyKind,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The namespace cannot be part of an id.
    #[error("invalid control plane namespace {namespace:?}: {source}")]
    Namespace {
        /// As it was given.
        namespace: String,
        /// What is wrong with it.
        source: SpiffeIdError,
    },
    /// Sentry refused.
    #[error("failed to retrieve the initial identity: {0}")]
    Request(#[from] RequestSvidError),
}

/// An identity that stays fresh while this value lives.
#[derive(Debug)]
pub struct OwnIdentity {
    /// The current SVID.
    pub identity: Identity,
    /// The roots of file and sentry together. A change is announced only when
    /// the SVID in use is one that the new roots accept.
    pub anchors: watch::Receiver<TrustAnchors>,
    _tasks: [AbortOnDrop; 2],
}

/// Waits for the root file, then for sentry.
///
/// # Errors
/// Sentry refuses, or a setting makes no id.
pub async fn obtain_identity(settings: IdentitySettings) -> Result<OwnIdentity, IdentityError> {
    let IdentitySettings {
        service,
        namespace,
        trust_domain,
        sentry_address,
        anchors_file,
        key,
    } = settings;
    let roots = wait_for_anchors(&anchors_file).await;
    let client = SentryClient::new(SentrySettings {
        address: sentry_address,
        trust_domain: trust_domain.clone(),
        namespace: namespace.clone(),
        anchors: roots.clone(),
    });
    let client = Arc::new(client.map_err(|source| IdentityError::Namespace {
        namespace: namespace.clone(),
        source,
    })?);
    let request = SvidRequest {
        app_id: std::env::var("SENTRY_LOCAL_IDENTITY")
            .ok()
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| service.to_owned()),
        namespace,
        trust_domain: Some(trust_domain),
        token: TokenSource {
            mode: Mode::Kubernetes,
            file: std::env::var_os("DAPR_SENTRY_TOKEN_FILE").map(PathBuf::from),
        },
        jwt_audiences: Vec::new(),
        key,
    };
    let identity = Identity::new(client.request(&request).await?);
    tracing::info!(target: SCOPE, id = %identity.spiffe_id(), "identity obtained");
    let (announce, anchors) = watch::channel(identity.trust_anchors());
    let renewal = {
        let (client, request) = (Arc::clone(&client), request.clone());
        let identity = identity.clone();
        lifecycle::spawn("identity renewal", async move {
            security::renew_with(identity, || client.request(&request)).await;
        })
        .abort_on_drop()
    };
    let following = Following {
        file: anchors_file,
        client,
        request,
        identity: identity.clone(),
        announce,
    };
    let following = lifecycle::spawn("trust anchors", following.run(roots)).abort_on_drop();
    Ok(OwnIdentity {
        identity,
        anchors,
        _tasks: [renewal, following],
    })
}

/// Keeps the identity in step with the root file.
struct Following {
    file: PathBuf,
    client: Arc<SentryClient>,
    request: SvidRequest,
    identity: Identity,
    announce: watch::Sender<TrustAnchors>,
}

impl Following {
    async fn run(self, mut roots: TrustAnchors) {
        loop {
            sleep(POLL).await;
            if let Some(new) = read(&self.file).filter(|new| *new != roots) {
                tracing::info!(target: SCOPE, "trust anchors changed");
                self.client.trust(new.clone());
                if !self.identity.is_trusted_by(&new) {
                    self.replace().await;
                }
                roots = new;
            }
            // A renewal may have brought roots of its own.
            let current = self.identity.trust_anchors().union(&roots);
            self.announce.send_if_modified(|announced| {
                let changed = *announced != current;
                if changed {
                    *announced = current;
                }
                changed
            });
        }
    }

    /// Asks until sentry signs with an issuer of the new roots.
    async fn replace(&self) {
        let mut pause = RETRY.0;
        loop {
            match self.client.request(&self.request).await {
                Ok(svid) => {
                    self.identity.replace(svid);
                    tracing::info!(target: SCOPE, "identity replaced, as the old one belongs to an old root");
                    return;
                }
                Err(error) => {
                    let seconds = pause.as_secs_f32();
                    tracing::error!(target: SCOPE, "Error renewing identity, trying again in {seconds} seconds: {error}");
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(RETRY.1);
        }
    }
}

async fn wait_for_anchors(file: &Path) -> TrustAnchors {
    let mut told = false;
    loop {
        if let Some(anchors) = read(file) {
            return anchors;
        }
        if !told {
            told = true;
            tracing::warn!(target: SCOPE, "waiting for trust anchors in {}: sentry writes them when it starts", file.display());
        }
        sleep(POLL).await;
    }
}

/// `None` while the file is missing, empty or damaged: it is being written.
fn read(file: &Path) -> Option<TrustAnchors> {
    TrustAnchors::from_pem(&std::fs::read(file).ok()?).ok()
}
