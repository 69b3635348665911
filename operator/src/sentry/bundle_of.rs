//! Bundles as users bring them, for tests: keys of every kind and format,
//! intermediates, roots that sign themselves, names with several parts.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose as Usage, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    PKCS_RSA_SHA256, RsaKeySize,
};

use super::bundle::Files;

/// A CA and its key.
pub(super) type Ca = CertifiedIssuer<'static, KeyPair>;

pub(super) fn params(name: &str, days: i64) -> CertificateParams {
    let span = Duration::from_hours(24 * days.unsigned_abs());
    let now = SystemTime::now();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![Usage::KeyCertSign];
    params.not_before = (now - Duration::from_hours(24 * 100)).into();
    params.not_after = if days < 0 { now - span } else { now + span }.into();
    params
}

pub(super) fn ed25519() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

pub(super) fn root(name: &str) -> Ca {
    Ca::self_signed(params(name, 10), ed25519()).unwrap()
}

pub(super) fn child(name: &str, key: KeyPair, parent: &Ca) -> Ca {
    Ca::signed_by(params(name, 10), key, parent).unwrap()
}

pub(super) fn files(anchors: &str, chain: &str, key: &KeyPair) -> Files {
    Files {
        anchors: anchors.into(),
        certificate: chain.into(),
        key: key.serialize_pem().into(),
    }
}

/// All of them are valid.
pub(super) fn every_kind() -> Vec<(&'static str, Files)> {
    let root = root("root");
    let keys = [
        ("Ed25519", ed25519()),
        (
            "P-256",
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
        ),
        (
            "P-384",
            KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
        ),
        (
            "RSA",
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap(),
        ),
    ];
    let mut bundles: Vec<_> = keys
        .into_iter()
        .map(|(name, key)| {
            let issuer = child("issuer", key, &root);
            (name, files(&root.pem(), &issuer.pem(), issuer.key()))
        })
        .collect();

    let middle = child("middle", ed25519(), &root);
    let issuer = child("issuer", ed25519(), &middle);
    let chain = issuer.pem() + &middle.pem();
    bundles.push(("intermediate", files(&root.pem(), &chain, issuer.key())));
    let chain = chain + &root.pem();
    bundles.push((
        "root behind the chain",
        files(&root.pem(), &chain, issuer.key()),
    ));
    let namesake = child("root", ed25519(), &root);
    bundles.push((
        "issuer named as its root",
        files(&root.pem(), &namesake.pem(), namesake.key()),
    ));
    bundles.push((
        "root as issuer",
        files(&root.pem(), &root.pem(), root.key()),
    ));
    let anchors = self::root("other").pem() + "comment\n" + &root.pem();
    bundles.push(("two anchors", files(&anchors, &chain, issuer.key())));
    bundles
}
