//! The client of the certificate authority. One connection per request, no
//! pings, no client certificate: the server is pinned by its SPIFFE id, the
//! caller proves itself with a token. Mirrors Dapr 1.18 pkg/security/sentry.go.

use std::time::Duration;

use api::sentry::v1::ca_client::CaClient;
use api::sentry::v1::{SignCertificateRequest, SignCertificateResponse};
use arc_swap::ArcSwap;
use tokio::time::{sleep, timeout};
use tonic::Code;

use crate::SCOPE;
use crate::anchors::TrustAnchors;
use crate::channel::{Connector, Session};
use crate::key::{KeyError, KeyKind, WorkloadKey};
use crate::pem;
use crate::spiffe::{SpiffeId, SpiffeIdError, TrustDomain};
use crate::svid::{Svid, SvidError};
use crate::tls::client_without_identity;
use crate::token::{TokenError, TokenSource};

/// Tries of one request once a connection stands.
const ATTEMPTS: u32 = 5;
/// Time for one try.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// Pause between tries, ±10 %.
const PAUSE: Duration = Duration::from_millis(50);
/// Counts the tries after the first. Spelled as peers spell it.
const ATTEMPT_HEADER: &str = "x-retry-attempty";

/// Where sentry is and how to know it.
#[derive(Clone, Debug)]
pub struct SentrySettings {
    /// `host:port`.
    pub address: String,
    /// Of the control plane.
    pub trust_domain: TrustDomain,
    /// Of the control plane.
    pub namespace: String,
    /// Roots given by configuration; always trusted.
    pub anchors: TrustAnchors,
}

/// What to ask for.
#[derive(Clone, Debug)]
pub struct SvidRequest {
    /// Our app id.
    pub app_id: String,
    /// Our namespace.
    pub namespace: String,
    /// `None` for apps: the authority decides. Control-plane services name theirs.
    pub trust_domain: Option<TrustDomain>,
    /// What proves it.
    pub token: TokenSource,
    /// Audiences of JWTs wanted beside the certificate; usually empty.
    pub jwt_audiences: Vec<String>,
    /// Algorithm of our keys.
    pub key: KeyKind,
}

/// Asks sentry for SVIDs.
#[derive(Debug)]
pub struct SentryClient {
    address: String,
    server: SpiffeId,
    configured: ArcSwap<TrustAnchors>,
    /// The configured anchors and those of the latest answer, so that a root
    /// can be replaced while we run.
    current: ArcSwap<TrustAnchors>,
}

/// Why there is no SVID.
#[derive(Debug, thiserror::Error)]
pub enum RequestSvidError {
    /// Key or signing request.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The authority refused, or did not answer after all tries.
    #[error("error from sentry SignCertificate: rpc error: code = {} desc = {message}", go_name(*code))]
    Sign {
        /// Code of the last try.
        code: Code,
        /// Its message.
        message: String,
    },
    /// The answer has no usable end of validity.
    #[error("error parsing ValidUntil")]
    ValidUntil,
    /// The certificates in the answer are damaged.
    #[error("failed to parse the certificate chain from sentry: {0}")]
    Chain(rustls_pki_types::pem::Error),
    /// The answer does not make an identity.
    #[error("unusable certificate from sentry: {0}")]
    Svid(#[from] SvidError),
}

// === impl SentryClient ===

impl SentryClient {
    /// # Errors
    /// The namespace of the control plane cannot be part of a SPIFFE id.
    pub fn new(settings: SentrySettings) -> Result<Self, SpiffeIdError> {
        let SentrySettings {
            address,
            trust_domain,
            namespace,
            anchors,
        } = settings;
        Ok(Self {
            address,
            server: SpiffeId::workload(&trust_domain, &namespace, "dapr-sentry")?,
            current: ArcSwap::from_pointee(anchors.clone()),
            configured: ArcSwap::from_pointee(anchors),
        })
    }

    /// Replaces the configured roots, for a process whose root file changed.
    /// Roots of earlier answers are forgotten with them.
    pub fn trust(&self, anchors: TrustAnchors) {
        self.current.store(anchors.clone().into());
        self.configured.store(anchors.into());
    }

    /// Gets a new SVID with a new key. Connecting is retried for ever, each
    /// failure in the log; a refusal by a sentry that answers is final.
    ///
    /// # Errors
    /// Token unreadable, refused by sentry, or an unusable answer.
    pub async fn request(&self, request: &SvidRequest) -> Result<Svid, RequestSvidError> {
        let key = WorkloadKey::generate(request.key)?;
        // A missing token is told at once, not when sentry answers.
        request.token.read()?;
        let message = SignCertificateRequest {
            id: request.app_id.clone(),
            trust_domain: request
                .trust_domain
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            namespace: request.namespace.clone(),
            certificate_signing_request: key.signing_request()?.into(),
            jwt_audiences: request.jwt_audiences.clone(),
            ..SignCertificateRequest::default()
        };
        let answer = self.sign(message, &request.token).await?;
        self.accept(key, &answer)
    }

    async fn sign(
        &self,
        mut message: SignCertificateRequest,
        token: &TokenSource,
    ) -> Result<SignCertificateResponse, RequestSvidError> {
        let anchors = TrustAnchors::clone(&self.current.load());
        let tls = client_without_identity(anchors, self.server.clone());
        let connector = Connector::new("sentry", &self.address, tls);
        let mut attempt = 0;
        loop {
            let session = connector.connect().await;
            // While we waited for the connection the token may have been replaced.
            let (text, validator) = token.read()?;
            message.token = text;
            message.set_token_validator(validator);
            match call(session, &connector, message.clone(), attempt).await {
                Ok(answer) => return Ok(answer),
                Err(status) => {
                    attempt += 1;
                    if attempt >= ATTEMPTS || !is_retryable(status.code()) {
                        return Err(RequestSvidError::Sign {
                            code: status.code(),
                            message: status.message().to_owned(),
                        });
                    }
                    sleep(PAUSE.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
                }
            }
        }
    }

    fn accept(
        &self,
        key: WorkloadKey,
        answer: &SignCertificateResponse,
    ) -> Result<Svid, RequestSvidError> {
        answer
            .valid_until
            .filter(|until| until.seconds > 0 && (0..1_000_000_000).contains(&until.nanos))
            .ok_or(RequestSvidError::ValidUntil)?;
        let chain =
            pem::certificates(&answer.workload_certificate).map_err(RequestSvidError::Chain)?;
        let anchors = self.anchors_with(&answer.trust_chain_certificates.concat());
        let svid = Svid::new(chain, key.into_private_key(), anchors.clone())?;
        self.current.store(anchors.into());
        Ok(svid)
    }

    /// The answer came over a connection verified with anchors we trust, so
    /// its anchors are trusted too; without them we stay with the configured ones.
    fn anchors_with(&self, answer: &[u8]) -> TrustAnchors {
        match TrustAnchors::from_pem(answer) {
            Ok(anchors) => self.configured.load().union(&anchors),
            Err(error) => {
                tracing::debug!(target: SCOPE, %error, "no trust anchors in the answer of sentry");
                TrustAnchors::clone(&self.configured.load())
            }
        }
    }
}

async fn call(
    session: Session,
    connector: &Connector,
    message: SignCertificateRequest,
    attempt: u32,
) -> Result<SignCertificateResponse, tonic::Status> {
    let Session {
        channel,
        connection,
    } = session;
    let origin = connector
        .origin()
        .map_err(|error| tonic::Status::invalid_argument(error.to_string()))?;
    let mut client = CaClient::with_origin(channel, origin);
    let mut request = tonic::Request::new(message);
    request.set_timeout(ATTEMPT_TIMEOUT);
    if attempt > 0 {
        request
            .metadata_mut()
            .insert(ATTEMPT_HEADER, attempt.into());
    }
    let answer = async {
        let mut answer = std::pin::pin!(client.sign_certificate(request));
        tokio::select! {
            // The answer first: a server may close right behind it.
            biased;
            answer = &mut answer => answer,
            () = connection => answer.await,
        }
    };
    timeout(ATTEMPT_TIMEOUT, answer)
        .await
        .unwrap_or_else(|_| {
            Err(tonic::Status::deadline_exceeded(
                "context deadline exceeded",
            ))
        })
        .map(tonic::Response::into_inner)
}

fn is_retryable(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled
    )
}

fn go_name(code: Code) -> &'static str {
    api::grpc::Code::from_wire(i64::from(i32::from(code))).name()
}
