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
use super::current::Current;
use super::metrics::Metrics;
use super::reload::Reload;
use super::server;
use super::service::Service;
use super::store::{self, Paths};
use super::validator::Validators;

/// An authority with its own root, listening on loopback.
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
        Self::start_on(0, authority(lifetime))
    }

    fn start_on(port: u16, authority: Authority) -> Self {
        let id = SpiffeId::workload(&trust_domain(), "default", "dapr-sentry").unwrap();
        let identity = Identity::new(authority.own_svid(&id).unwrap());
        let anchors = authority.trust_anchors().clone();
        let metrics = Arc::new(Metrics::default());
        let service = Service {
            authority: Arc::new(ArcSwap::from_pointee(authority)),
            metrics: Arc::clone(&metrics),
            validators: Validators::standalone(None),
        };
        let listener = lifecycle::bind::bind("127.0.0.1", port).unwrap();
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
        key: security::KeyKind::default(),
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
async fn a_client_waits_for_a_sentry_that_starts_later() {
    let authority = authority(Lifetime::default());
    let early = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = early.local_addr().unwrap();
    let client = SentryClient::new(SentrySettings {
        address: address.to_string(),
        trust_domain: trust_domain(),
        namespace: "default".into(),
        anchors: authority.trust_anchors().clone(),
    })
    .unwrap();
    let asking = lifecycle::spawn("ask", async move {
        let request = request("app");
        client.request(&request).await
    });
    // The first try is answered by nobody who speaks TLS.
    drop(early.accept().await.unwrap());
    drop(early);
    let _sentry = Sentry::start_on(address.port(), authority);
    assert!(asking.await.unwrap().is_ok());
}

#[tokio::test]
async fn only_the_pinned_sentry_is_believed() {
    let sentry = Sentry::start(Lifetime::default());
    let client = |trust_domain: TrustDomain, namespace: &str, anchors: &TrustAnchors| {
        SentryClient::new(SentrySettings {
            address: sentry.address.to_string(),
            trust_domain,
            namespace: namespace.into(),
            anchors: anchors.clone(),
        })
        .unwrap()
    };
    let foreign = authority(Lifetime::default());
    let strangers = [
        client(trust_domain(), "default", foreign.trust_anchors()),
        client(trust_domain(), "other", &sentry.anchors),
        client(TrustDomain::public(), "default", &sentry.anchors),
    ];
    let asking = strangers.map(|client| {
        lifecycle::spawn("ask", async move { client.request(&request("app")).await })
    });
    let twin = client(trust_domain(), "default", &sentry.anchors);
    // All share one thread, so the strangers have their turns meanwhile.
    for _ in 0..10 {
        assert!(twin.request(&request("app")).await.is_ok());
    }
    for task in asking {
        task.abort();
        assert!(task.await.is_err(), "a stranger was believed");
    }
}

#[tokio::test]
async fn new_roots_in_an_answer_are_adopted_beside_the_configured_ones() {
    let sentry = Sentry::start(Lifetime::default());
    let other = authority(Lifetime::default());
    let client = SentryClient::new(SentrySettings {
        address: sentry.address.to_string(),
        trust_domain: trust_domain(),
        namespace: "default".into(),
        anchors: other.trust_anchors().union(&sentry.anchors),
    })
    .unwrap();
    let svid = client.request(&request("app")).await.unwrap();
    assert_eq!(svid.trust_anchors().certificates().len(), 2);
}

#[tokio::test]
async fn changed_files_are_used_in_place_and_broken_ones_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let paths = paths(directory.path());
    security::install_crypto_provider();
    let generate = || bundle::generate(&trust_domain(), "default", Duration::ZERO);
    let write = |files: &bundle::Files| {
        std::fs::write(&paths.anchors, &files.anchors).unwrap();
        std::fs::write(&paths.certificate, &files.certificate).unwrap();
        std::fs::write(&paths.key, &files.key).unwrap();
    };
    let (old, _) = store::load_or_create(&paths, generate).unwrap();
    let lifetime = Lifetime::default();
    let id = SpiffeId::workload(&trust_domain(), "default", "dapr-sentry").unwrap();
    let health = lifecycle::health::Health::default();
    let current = Current::new(
        &old,
        id,
        lifetime,
        Arc::new(Metrics::default()),
        health.target("issuer"),
    )
    .unwrap();
    assert!(health.is_ready());
    let identity = current.identity.clone();
    let reload = Reload {
        paths: paths.clone(),
        current,
    };
    let before = identity.trust_anchors();
    assert!(reload.load(&old).unwrap().is_none(), "nothing changed");

    let mut broken = old.clone();
    broken.key = generate().unwrap().key;
    write(&broken);
    let error = reload.load(&old).unwrap_err().to_string();
    assert!(error.contains("issuer key does not match"), "{error}");
    assert_eq!(identity.trust_anchors(), before);

    let new = generate().unwrap();
    write(&new);
    assert_eq!(reload.load(&old).unwrap(), Some(new));
    assert_ne!(identity.trust_anchors(), before);
    assert_eq!(
        reload.current.authority.load().trust_anchors(),
        &identity.trust_anchors()
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
