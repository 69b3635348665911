//! The handshake matrix: every refusal beside the twin that is accepted, over
//! an in-memory connection.
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare must fail")]

mod pki;

use std::io;
use std::sync::Arc;

use pki::{Authority, Leaf, raw_client};
use rustls::{ClientConfig, ServerConfig};
use security::{
    Identity, TrustAnchors, handshake_error_text, peer_identity, peer_name, require_h2,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// What each side made of one handshake.
struct Outcome {
    server: io::Result<server::TlsStream<DuplexStream>>,
    client: io::Result<client::TlsStream<DuplexStream>>,
}

impl Outcome {
    fn server_text(&self) -> String {
        self.server
            .as_ref()
            .err()
            .map(handshake_error_text)
            .unwrap_or_default()
    }

    fn client_text(&self) -> String {
        self.client
            .as_ref()
            .err()
            .map(handshake_error_text)
            .unwrap_or_default()
    }
}

async fn handshake(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> Outcome {
    let (ours, theirs) = duplex(64 * 1024);
    let accepting = async {
        let mut stream = TlsAcceptor::from(server).accept(ours).await?;
        // With TLS 1.3 the client learns of a refusal only by reading.
        stream.write_all(b"!").await?;
        stream.flush().await?;
        Ok(stream)
    };
    let connecting = async {
        let mut stream = TlsConnector::from(client)
            .connect(peer_name(), theirs)
            .await?;
        stream.read_u8().await?;
        Ok(stream)
    };
    let (server, client) = tokio::join!(accepting, connecting);
    Outcome { server, client }
}

fn callee(authority: &Authority) -> Identity {
    security::install_crypto_provider();
    Identity::new(authority.svid(&Leaf::app("default", "callee")))
}

#[tokio::test]
async fn server_accepts_only_current_leaves_of_its_root() {
    let authority = Authority::new("root");
    let foreign = Authority::new("root");
    let server = callee(&authority).server_config();

    let twin = Leaf::app("default", "caller");
    let accepted = handshake(
        Arc::clone(&server),
        raw_client(Some(authority.issue(&twin))),
    )
    .await;
    let stream = accepted.server.unwrap();
    assert!(require_h2(stream.get_ref().1).is_ok());
    let peer = peer_identity(stream.get_ref().1).unwrap();
    assert_eq!(peer.to_string(), "spiffe://public/ns/default/caller");

    let app = |change: fn(&mut Leaf)| {
        let mut leaf = twin.clone();
        change(&mut leaf);
        Some(authority.issue(&leaf))
    };
    for (name, certificate, text) in [
        ("no certificate", None, "peer sent no certificates"),
        (
            "other root",
            Some(foreign.issue(&twin)),
            "BadSignature|UnknownIssuer",
        ),
        ("expired", app(|leaf| leaf.days = (-2, -1)), "Expired"),
        (
            "not yet valid",
            app(|leaf| leaf.days = (1, 2)),
            "NotValidYet",
        ),
        (
            "CA as leaf",
            app(|leaf| leaf.ca = true),
            "CaUsedAsEndEntity",
        ),
        (
            "signing usage",
            app(|leaf| leaf.signs = true),
            "must not be allowed to sign",
        ),
        (
            "no name",
            app(|leaf| leaf.uris.clear()),
            "exactly one URI SAN, it has 0",
        ),
        (
            "two names",
            app(|leaf| leaf.uris.push("spiffe://public/ns/a/b".into())),
            "exactly one URI SAN, it has 2",
        ),
        (
            "foreign scheme",
            app(|leaf| leaf.uris = vec!["https://public/ns/a/b".into()]),
            "scheme is missing or invalid",
        ),
        (
            "malformed id",
            app(|leaf| leaf.uris = vec!["spiffe://public/ns//b".into()]),
            "empty segments",
        ),
        (
            "server only",
            app(|leaf| leaf.usages = (true, false)),
            "ExtendedKeyUsage|RequiredEku",
        ),
    ] {
        let outcome = handshake(Arc::clone(&server), raw_client(certificate)).await;
        let error = outcome.server_text();
        assert!(
            text.split('|').any(|text| error.contains(text)),
            "{name}: {error:?}"
        );
        assert!(outcome.client.is_err(), "{name}: the client must notice");
    }
    for (name, certificate) in [
        (
            "other trust domain",
            app(|leaf| leaf.uris = vec!["spiffe://other/ns/a/b".into()]),
        ),
        (
            "no key usage list",
            app(|leaf| leaf.usages = (false, false)),
        ),
    ] {
        let outcome = handshake(Arc::clone(&server), raw_client(certificate)).await;
        assert!(outcome.server.is_ok(), "{name}: {}", outcome.server_text());
    }
}

#[tokio::test]
async fn client_accepts_only_the_app_it_calls() {
    let authority = Authority::new("root");
    security::install_crypto_provider();
    let caller = Identity::new(authority.svid(&Leaf::app("default", "caller")));
    let config = caller.client_config("default", "callee");

    let serve = |leaf: &Leaf| Identity::new(authority.svid(leaf)).server_config();
    for id in [
        "spiffe://public/ns/default/callee",
        "spiffe://other/ns/default/callee",
    ] {
        let outcome = handshake(serve(&Leaf::id(id)), Arc::clone(&config)).await;
        let stream = outcome.client.unwrap();
        assert!(require_h2(stream.get_ref().1).is_ok());
    }
    for id in [
        "spiffe://public/ns/other/callee",
        "spiffe://public/ns/default/other",
        "spiffe://public/ns/default/callee/more",
        "spiffe://public/ns/default",
        "spiffe://public",
    ] {
        let outcome = handshake(serve(&Leaf::id(id)), Arc::clone(&config)).await;
        assert_eq!(
            outcome.client_text(),
            format!("unexpected SPIFFE ID: \"{id}\"")
        );
    }
    let mut expired = Leaf::app("default", "callee");
    expired.days = (-2, -1);
    let outcome = handshake(serve(&expired), Arc::clone(&config)).await;
    assert!(
        outcome.client_text().contains("Expired"),
        "{}",
        outcome.client_text()
    );

    let foreign = callee(&Authority::new("foreign"));
    let outcome = handshake(foreign.server_config(), config).await;
    assert!(
        outcome.client_text().contains("UnknownIssuer"),
        "{}",
        outcome.client_text()
    );
}

#[tokio::test]
async fn control_plane_clients_insist_on_the_whole_id() {
    let authority = Authority::new("root");
    security::install_crypto_provider();
    let caller = Identity::new(authority.svid(&Leaf::app("default", "caller")));
    let id = "spiffe://cp/ns/default/dapr-sentry";
    let config = caller.client_config_for(id.parse().unwrap());
    for (presented, accepted) in [(id, true), ("spiffe://other/ns/default/dapr-sentry", false)] {
        let server = Identity::new(authority.svid(&Leaf::id(presented)));
        let outcome = handshake(server.server_config(), Arc::clone(&config)).await;
        assert_eq!(outcome.client.is_ok(), accepted, "{presented}");
    }
}

#[tokio::test]
async fn h2_must_be_negotiated() {
    let authority = Authority::new("root");
    let server = callee(&authority).server_config();
    let offer = |protocols: &[&[u8]]| {
        let certificate = Some(authority.issue(&Leaf::app("default", "caller")));
        let mut config = (*raw_client(certificate)).clone();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    };
    let both = handshake(Arc::clone(&server), offer(&[b"http/1.1", b"h2"])).await;
    assert!(require_h2(both.server.unwrap().get_ref().1).is_ok());
    let none = handshake(Arc::clone(&server), offer(&[])).await;
    assert!(require_h2(none.server.unwrap().get_ref().1).is_err());
    let other = handshake(Arc::clone(&server), offer(&[b"http/1.1"])).await;
    assert!(other.server.is_err());
}

#[tokio::test]
async fn plaintext_is_refused() {
    let authority = Authority::new("root");
    let (ours, mut theirs) = duplex(1024);
    theirs
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let config = callee(&authority).server_config();
    assert!(TlsAcceptor::from(config).accept(ours).await.is_err());
}

#[tokio::test]
async fn expired_roots_vouch_for_nobody() {
    for (days, accepted) in [((-1, 10), true), ((-10, -1), false), ((1, 10), false)] {
        let authority = Authority::valid("root", days);
        let caller = authority.issue(&Leaf::app("default", "caller"));
        let outcome = handshake(callee(&authority).server_config(), raw_client(Some(caller))).await;
        assert_eq!(outcome.server.is_ok(), accepted, "{days:?}");
    }
}

#[tokio::test]
async fn every_key_kind_and_mixed_chains_are_accepted() {
    for issuer in pki::Kind::ALL {
        let authority = Authority::of_kind("root", issuer);
        for leaf in pki::Kind::ALL {
            for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
                let mut caller = Leaf::app("default", "caller");
                caller.kind = leaf;
                let certificate = Some(authority.issue(&caller));
                let client = pki::raw_client_of_version(certificate, version);
                let outcome = handshake(callee(&authority).server_config(), client).await;
                let stream = outcome
                    .server
                    .unwrap_or_else(|error| panic!("{issuer:?} {leaf:?} {version:?}: {error}"));
                let suite = stream.get_ref().1.negotiated_cipher_suite().unwrap();
                assert!(format!("{suite:?}").contains("AES_128_GCM"), "{suite:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_renewed_svid_and_new_roots_reach_existing_configurations() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let identity = callee(&old);
    let server = identity.server_config();
    let caller = || raw_client(Some(new.issue(&Leaf::app("default", "caller"))));
    assert!(
        handshake(Arc::clone(&server), caller())
            .await
            .server
            .is_err()
    );

    let both = old.anchors().union(&new.anchors());
    let renewed = new.svid_with(&Leaf::app("default", "callee"), both);
    let leaf = renewed.chain()[0].clone();
    identity.replace(renewed);
    let outcome = handshake(Arc::clone(&server), caller()).await;
    let stream = outcome.client.unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap()[0], leaf);
    let caller = raw_client(Some(old.issue(&Leaf::app("default", "caller"))));
    assert!(handshake(server, caller).await.server.is_ok());
}

#[tokio::test]
async fn sessions_are_never_resumed() {
    let authority = Authority::new("root");
    let server = callee(&authority).server_config();
    // A client that keeps tickets, which ours does not.
    let client = raw_client(Some(authority.issue(&Leaf::app("default", "caller"))));
    for _ in 0..2 {
        let outcome = handshake(Arc::clone(&server), Arc::clone(&client)).await;
        let stream = outcome.client.unwrap();
        assert_eq!(
            stream.get_ref().1.handshake_kind(),
            Some(rustls::HandshakeKind::Full)
        );
    }
}

#[test]
fn anchors_skip_foreign_blocks_and_need_a_certificate() {
    let authority = Authority::new("root");
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let pem = format!("comment\n{key}{}\n{key}", authority.anchors().pem());
    let anchors = TrustAnchors::from_pem(pem.as_bytes()).unwrap();
    assert_eq!(anchors, authority.anchors());
    for pem in ["", "nonsense", key] {
        let error = TrustAnchors::from_pem(pem.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "trust anchors are required");
    }
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(TrustAnchors::from_pem(damaged.as_bytes()).is_err());
    assert!(TrustAnchors::from_pem(&damaged.as_bytes()[..30]).is_err());
}
