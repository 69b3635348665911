//! The authority over a socket, asked by the client that sidecars use.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use lifecycle::drain::Drain;
use security::{
    Identity, Mode, RequestSvidError, SentryClient, SentrySettings, SpiffeId, SvidRequest,
    TokenSource, TrustAnchors, TrustDomain,
};

use super::bundle::{self, Bundle};
use super::ca::Authority;
use super::config::Lifetime;
use super::metrics::Metrics;
use super::server;
use super::service::Service;
use super::store::{self, Paths};

/// An authority with its own root, listening on loopback until dropped.
struct Sentry {
    address: SocketAddr,
    anchors: TrustAnchors,
    metrics: Arc<Metrics>,
    _drain: Drain,
}

fn now() -> i64 {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

fn trust_domain() -> TrustDomain {
    "cp.local".parse().unwrap()
}

fn paths(directory: &Path) -> Paths {
    Paths {
        anchors: directory.join("ca.crt"),
        certificate: directory.join("issuer.crt"),
        key: directory.join("issuer.key"),
    }
}

fn authority(lifetime: Lifetime) -> Authority {
    security::install_crypto_provider();
    let files = bundle::generate(&trust_domain(), "default", Duration::from_mins(15)).unwrap();
    Authority::new(Bundle::verify(&files, now()).unwrap(), lifetime).unwrap()
}

impl Sentry {
    fn start(lifetime: Lifetime) -> Self {
        let authority = authority(lifetime);
        let id = SpiffeId::workload(&trust_domain(), "default", "dapr-sentry").unwrap();
        let identity = Identity::new(authority.own_svid(&id).unwrap());
        let anchors = authority.trust_anchors().clone();
        let metrics = Arc::new(Metrics::default());
        let service = Service {
            authority: Arc::new(ArcSwap::from_pointee(authority)),
            metrics: Arc::clone(&metrics),
        };
        let listener = lifecycle::bind::bind("127.0.0.1", 0).unwrap();
        let address = listener.local_addr().unwrap();
        let drain = Drain::default();
        lifecycle::spawn(
            "sentry",
            server::serve(listener, identity, service, drain.watch()),
        )
        .detach();
        Self {
            address,
            anchors,
            metrics,
            _drain: drain,
        }
    }

    fn client(&self) -> SentryClient {
        SentryClient::new(SentrySettings {
            address: self.address.to_string(),
            trust_domain: trust_domain(),
            namespace: "default".into(),
            anchors: self.anchors.clone(),
        })
        .unwrap()
    }
}

fn request(app_id: &str) -> SvidRequest {
    SvidRequest {
        app_id: app_id.into(),
        namespace: "default".into(),
        trust_domain: None,
        token: TokenSource {
            mode: Mode::Standalone,
            file: None,
        },
        jwt_audiences: Vec::new(),
    }
}

#[tokio::test]
async fn a_sidecar_gets_its_identity() {
    let sentry = Sentry::start(Lifetime::default());
    let svid = sentry.client().request(&request("app")).await.unwrap();
    assert_eq!(svid.spiffe_id().as_str(), "spiffe://public/ns/default/app");
    assert_eq!(svid.chain().len(), 2, "leaf and issuer, no root");
    assert_eq!(svid.trust_anchors(), &sentry.anchors);
    let text = sentry.metrics.render();
    assert!(text.contains("dapr_sentry_cert_sign_request_received_total 1\n"));
    assert!(text.contains("dapr_sentry_cert_sign_success_total 1\n"));
}

#[tokio::test]
async fn refusals_reach_the_client_with_code_and_text() {
    let sentry = Sentry::start(Lifetime::default());
    for (app_id, text) in [
        (
            "dapr-sentry",
            "error from sentry SignCertificate: rpc error: code = PermissionDenied desc = control plane identity 'dapr-sentry' is not issued to a caller without a token",
        ),
        (
            "a/b",
            "error from sentry SignCertificate: rpc error: code = Internal desc = failed to sign certificate",
        ),
        (
            "",
            "error from sentry SignCertificate: rpc error: code = PermissionDenied desc = invalid request: parameter app-id cannot be empty",
        ),
    ] {
        let error = sentry.client().request(&request(app_id)).await.unwrap_err();
        assert!(matches!(error, RequestSvidError::Sign { .. }));
        assert_eq!(error.to_string(), text);
    }
    assert!(
        sentry
            .metrics
            .render()
            .contains("dapr_sentry_cert_sign_failure_total{reason=\"sign\"} 1\n")
    );
}

#[tokio::test]
async fn renewals_are_seen_through_every_clone() {
    let sentry = Sentry::start(Lifetime {
        ttl: Duration::from_millis(10),
        ..Lifetime::default()
    });
    let client = sentry.client();
    let identity = Identity::new(client.request(&request("app")).await.unwrap());
    let first = identity.svid();
    let renewal = lifecycle::spawn(
        "renewal",
        security::renew(identity.clone(), client, request("app")),
    );
    let mut seen = first;
    for _ in 0..5 {
        eventually(|| identity.svid().chain()[0] != seen.chain()[0]).await;
        seen = identity.svid();
    }
    renewal.abort();
}

/// One patience for everything that happens in its own time.
async fn eventually(condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it never happened");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn one_directory_has_one_authority() {
    security::install_crypto_provider();
    let directory = tempfile::tempdir().unwrap();
    let nested = directory.path().join("new/certs");
    let load = || {
        store::load_or_create(&paths(&nested), || {
            bundle::generate(&trust_domain(), "default", Duration::ZERO)
        })
        .unwrap()
    };
    let starts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let created = starts
        .iter()
        .filter(|(_, origin)| *origin == store::Origin::Created);
    assert_eq!(created.count(), 1);
    let (again, origin) = load();
    assert_eq!(origin, store::Origin::Loaded);
    assert!(starts.iter().all(|(files, _)| *files == again));
}
