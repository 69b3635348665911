use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls_pki_types::UnixTime;
use security::{Identity, TrustDomain, pem};
use x509_parser::extensions::GeneralName;

use super::*;
use crate::sentry::bundle::{Files, generate};
use crate::sentry::bundle_of;

const SKEW: Duration = Duration::from_mins(15);

fn files() -> Files {
    security::install_crypto_provider();
    let trust_domain: TrustDomain = "cp.local".parse().unwrap();
    generate(&trust_domain, "default", SKEW).unwrap()
}

fn now() -> i64 {
    i64::try_from(UnixTime::now().as_secs()).unwrap()
}

fn authority(lifetime: Lifetime) -> Authority {
    Authority::new(Bundle::verify(&files(), now()).unwrap(), lifetime).unwrap()
}

fn id() -> SpiffeId {
    SpiffeId::workload(&TrustDomain::public(), "default", "app").unwrap()
}

fn key() -> SubjectPublicKeyInfoDer<'static> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    key.subject_public_key_info().into()
}

#[test]
fn leaf_has_exactly_the_shape_of_dapr() {
    let authority = authority(Lifetime::default());
    let key = key();
    let before = now();
    let issued = authority.sign(&key, &id().into()).unwrap();
    let [leaf, parent] = &issued.chain[..] else {
        panic!("expected leaf and issuer");
    };
    let (_, leaf) = X509Certificate::from_der(leaf).unwrap();
    let (_, parent) = X509Certificate::from_der(parent).unwrap();

    assert_eq!(leaf.version().0, 2);
    assert_eq!(leaf.subject().iter().count(), 0);
    assert_eq!(leaf.issuer().as_raw(), parent.subject().as_raw());
    assert_eq!(
        leaf.issuer().to_string(),
        "O=spiffe://cp.local/ns/default/dapr-sentry"
    );
    assert_eq!(leaf.public_key().raw, key.as_ref());
    assert_eq!(leaf.raw_serial().len(), 16);

    let validity = leaf.validity();
    let lived = validity.not_after.timestamp() - validity.not_before.timestamp();
    // Rounding up may add one second.
    assert!((24 * 3600 + 15 * 60..=24 * 3600 + 15 * 60 + 1).contains(&lived));
    assert!(validity.not_before.timestamp() >= before - 15 * 60);
    let end = issued.not_after.duration_since(UNIX_EPOCH).unwrap();
    assert_eq!(
        i64::try_from(end.as_secs()).unwrap(),
        validity.not_after.timestamp()
    );

    let mut seen: Vec<_> = leaf
        .extensions()
        .iter()
        .map(|extension| (extension.oid.to_id_string(), extension.critical))
        .collect();
    seen.sort();
    assert_eq!(
        seen,
        [
            ("2.5.29.15".to_owned(), true),
            ("2.5.29.17".to_owned(), true),
            ("2.5.29.35".to_owned(), false),
            ("2.5.29.37".to_owned(), false),
        ]
    );
    let usage = leaf.key_usage().unwrap().unwrap().value;
    assert_eq!(usage.flags, 1, "digitalSignature alone");
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && usage.client_auth && usage.other.is_empty());
    let names = leaf.subject_alternative_name().unwrap().unwrap().value;
    assert_eq!(
        names.general_names,
        [GeneralName::URI("spiffe://public/ns/default/app")]
    );
}

#[test]
fn names_and_images_are_encoded_as_go_encodes_them() {
    let authority = authority(Lifetime::default());
    let json = br#"[{"role":"daprd","containerName":"daprd","image":"localhost/dapr/daprd:edge"}]"#;
    let subject = Subject {
        dns_names: vec!["a.svc".into(), "b.svc".into()],
        images: Some(json.to_vec()),
        ..id().into()
    };
    let issued = authority.sign(&key(), &subject).unwrap();
    let (_, leaf) = X509Certificate::from_der(&issued.chain[0]).unwrap();
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    assert!(names.critical);
    assert_eq!(
        names.value.general_names,
        [
            GeneralName::DNSName("a.svc"),
            GeneralName::DNSName("b.svc"),
            GeneralName::URI("spiffe://public/ns/default/app")
        ]
    );
    // Written by Go's encoding/asn1 and crypto/x509: the object id, no
    // criticality, and an octet string within the octet string.
    let mut golden = b"\x30\x5e\x06\x0a\x2b\x06\x01\x04\x01\x83\xc2\x53\x64\x01".to_vec();
    golden.extend(b"\x04\x50\x04\x4e");
    golden.extend(json);
    assert_eq!(json.len(), 0x4e);
    let der = &issued.chain[0];
    assert!(der.windows(golden.len()).any(|window| window == golden));
    let last = leaf.extensions().last().unwrap();
    assert_eq!(last.oid.to_id_string(), "1.3.6.1.4.1.57683.100.1");
    assert!(!last.critical);
}

#[test]
fn serial_numbers_differ() {
    let authority = authority(Lifetime::default());
    let serial = || {
        let issued = authority.sign(&key(), &id().into()).unwrap();
        let (_, leaf) = X509Certificate::from_der(&issued.chain[0]).unwrap();
        leaf.raw_serial().to_vec()
    };
    assert_ne!(serial(), serial());
}

#[test]
fn leaf_never_outlives_its_issuer() {
    let authority = authority(Lifetime {
        ttl: Duration::from_hours(24 * 3650),
        skew: SKEW,
    });
    let issued = authority.sign(&key(), &id().into()).unwrap();
    let end = issued.not_after.duration_since(UNIX_EPOCH).unwrap();
    assert_eq!(i64::try_from(end.as_secs()).unwrap(), authority.not_after());
}

#[test]
fn an_expired_issuer_signs_nothing() {
    let files = files();
    let mut bundle = Bundle::verify(&files, now()).unwrap();
    bundle.not_after = now() - 1;
    let authority = Authority::new(bundle, Lifetime::default()).unwrap();
    assert!(matches!(
        authority.sign(&key(), &id().into()),
        Err(SignError::IssuerExpired)
    ));
    assert!(authority.own_svid(&id()).is_err());
}

#[test]
fn every_issuer_key_signs_leaves_that_peers_accept() {
    security::install_crypto_provider();
    for (name, files) in bundle_of::every_kind() {
        let bundle =
            Bundle::verify(&files, now()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let authority = Authority::new(bundle, Lifetime::default()).unwrap();
        let answering = Identity::new(authority.own_svid(&id()).unwrap());
        let asking = Identity::new(authority.own_svid(&id()).unwrap());
        let mut server = rustls::ServerConnection::new(answering.server_config()).unwrap();
        let mut client = rustls::ClientConnection::new(
            asking.client_config("default", "app"),
            security::peer_name(),
        )
        .unwrap();
        while server.is_handshaking() || client.is_handshaking() {
            shovel(&mut client, &mut server, name);
            shovel(&mut server, &mut client, name);
        }
        assert!(security::peer_identity(&server).is_some(), "{name}");
        assert!(
            pem::encode_certificates(answering.svid().chain()).len() > 100,
            "{name}"
        );
    }
}

/// Moves what one side has to say to the other.
fn shovel<A, B>(
    from: &mut rustls::ConnectionCommon<A>,
    to: &mut rustls::ConnectionCommon<B>,
    name: &str,
) {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut bytes = &bytes[..];
    while !bytes.is_empty() {
        to.read_tls(&mut bytes).unwrap();
        to.process_new_packets()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
