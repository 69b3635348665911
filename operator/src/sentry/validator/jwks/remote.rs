//! A key set on a web server. Each download has its own connection: they are
//! minutes apart.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use control_plane::error_chain;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use tokio::time::timeout;

use super::source::MAX_BYTES;

const USER_AGENT: &str = concat!("dapr-sentry/", env!("CARGO_PKG_VERSION"));

/// Where the set is and how it is asked for.
#[derive(Debug)]
pub(in crate::sentry) struct Remote {
    /// `http` or `https`.
    pub(in crate::sentry) address: Uri,
    /// Who vouches for the server.
    pub(in crate::sentry) roots: Roots,
    /// Shortest time between two downloads that a token can cause.
    pub(in crate::sentry) min_refresh_interval: Duration,
    /// For a whole download.
    pub(in crate::sentry) request_timeout: Duration,
}

/// Certificate authorities of web servers.
#[derive(Debug)]
pub(in crate::sentry) enum Roots {
    /// Those of the machine.
    System,
    /// These only.
    Given(Vec<CertificateDer<'static>>),
    /// Those of a PEM file only, read for every download.
    File(PathBuf),
}

/// Why there is no set.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no answer within {} seconds", .0.as_secs_f32())]
    Timeout(Duration),
    #[error("failed to read caCertificate {path}: {reason}")]
    Roots { path: PathBuf, reason: String },
    #[error("this machine has no certificate authorities: option caCertificate must name one")]
    NoRoots,
    #[error("{}", error_chain(.0))]
    Request(hyper_util::client::legacy::Error),
    /// Differs from Dapr, which follows redirects.
    #[error("the server answered {0}, expected 200 OK")]
    Status(StatusCode),
    #[error("{}", error_chain(&**.0))]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("{0}")]
    Build(#[from] http::Error),
}

// === impl Remote ===

impl Remote {
    /// For the log: a query may hold a secret.
    pub(super) fn shown_address(&self) -> String {
        let authority = self.address.authority().map_or("", |it| it.as_str());
        let scheme = self.address.scheme_str().unwrap_or_default();
        format!("{scheme}://{authority}{}", self.address.path())
    }

    pub(super) async fn fetch(&self) -> Result<Bytes, FetchError> {
        timeout(self.request_timeout, self.download())
            .await
            .map_err(|_| FetchError::Timeout(self.request_timeout))?
    }

    async fn download(&self) -> Result<Bytes, FetchError> {
        let request = Request::get(self.address.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, USER_AGENT)
            .body(Empty::new())?;
        let client = self.client()?;
        let answer = client.request(request).await.map_err(FetchError::Request)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), MAX_BYTES);
        let body = body.collect().await.map_err(FetchError::Body)?;
        Ok(body.to_bytes())
    }

    fn client(&self) -> Result<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>, FetchError> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(security::web_client(self.roots()?))
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Client::builder(lifecycle::task::Executor)
            .pool_max_idle_per_host(0)
            .build(connector))
    }

    fn roots(&self) -> Result<RootCertStore, FetchError> {
        let mut store = RootCertStore::empty();
        match &self.roots {
            // They may be many, and none is needed.
            _ if self.address.scheme() == Some(&http::uri::Scheme::HTTP) => {}
            Roots::System => {
                let found = rustls_native_certs::load_native_certs().certs;
                if store.add_parsable_certificates(found).0 == 0 {
                    return Err(FetchError::NoRoots);
                }
            }
            Roots::Given(certificates) => {
                store.add_parsable_certificates(certificates.iter().cloned());
            }
            Roots::File(path) => {
                let certificates = ca_certificates(path).map_err(|reason| FetchError::Roots {
                    path: path.clone(),
                    reason,
                })?;
                store.add_parsable_certificates(certificates);
            }
        }
        Ok(store)
    }
}

// === impl Roots ===

impl Roots {
    /// From PEM, or the name of a file with it.
    ///
    /// # Errors
    /// There is no usable certificate; the text says why.
    pub(in crate::sentry) fn parse(text: &str) -> Result<Self, String> {
        if text.contains("-----BEGIN ") {
            return Ok(Self::Given(usable(text.as_bytes())?));
        }
        let path = PathBuf::from(text);
        ca_certificates(&path)?;
        Ok(Self::File(path))
    }
}

fn ca_certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    usable(&pem)
}

/// The certificates of a PEM text, all of which can be roots.
fn usable(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = security::pem::certificates(pem).map_err(|error| error.to_string())?;
    let mut store = RootCertStore::empty();
    let (_, bad) = store.add_parsable_certificates(certificates.iter().cloned());
    match (certificates.len(), bad) {
        (0, _) => Err("no certificate found".to_owned()),
        (_, 0) => Ok(certificates),
        _ => Err("a certificate cannot be read".to_owned()),
    }
}
