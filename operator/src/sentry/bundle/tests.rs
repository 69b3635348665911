use rustls_pki_types::UnixTime;

use super::*;
use crate::sentry::bundle_of::{child, ed25519, every_kind, files, params, root};

fn now() -> i64 {
    i64::try_from(UnixTime::now().as_secs()).unwrap()
}

fn verify(files: &Files) -> Result<Bundle, BundleError> {
    security::install_crypto_provider();
    Bundle::verify(files, now())
}

#[test]
fn bundles_of_every_kind_are_accepted() {
    for (name, files) in every_kind() {
        let bundle = verify(&files).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = match name {
            "intermediate" | "root behind the chain" | "two anchors" => 2,
            _ => 1,
        };
        assert_eq!(bundle.chain.len(), expected, "{name}");
    }
}

#[test]
fn refusals_have_the_texts_of_dapr() {
    let trusted = root("root");
    let issuer = child("issuer", ed25519(), &trusted);
    let good = files(&trusted.pem(), &issuer.pem(), issuer.key());
    let (anchors, chain) = (trusted.pem(), issuer.pem());

    let other = child("issuer", ed25519(), &root("root"));
    let expired =
        rcgen::CertifiedIssuer::signed_by(params("issuer", -1), ed25519(), &trusted).unwrap();
    let mut leaf = params("issuer", 10);
    leaf.is_ca = rcgen::IsCa::NoCa;
    let leaf = rcgen::CertifiedIssuer::signed_by(leaf, ed25519(), &trusted).unwrap();
    let old_root = rcgen::CertifiedIssuer::self_signed(params("old", -1), ed25519()).unwrap();
    let under_old = child("issuer", ed25519(), &old_root);

    let rows = [
        (
            files("", &chain, issuer.key()),
            "trust anchors: no certificates found",
        ),
        (
            files(&anchors, "no PEM", issuer.key()),
            "issuer chain: no certificates found",
        ),
        (
            files(&chain, &chain, issuer.key()),
            "certificate in trust anchor is not self-signed: O=issuer",
        ),
        (
            files(&anchors, &(chain.clone() + &other.pem()), issuer.key()),
            "certificate chain is not valid",
        ),
        (
            files(&anchors, &leaf.pem(), leaf.key()),
            "intermediate certificate is not valid for signing",
        ),
        (
            Files {
                key: b"secret".to_vec(),
                ..good.clone()
            },
            "key is not PEM encoded",
        ),
        (
            files(&anchors, &chain, other.key()),
            "issuer key does not match issuer certificate",
        ),
        (
            files(&anchors, &other.pem(), other.key()),
            "issuer chain does not belong to trust anchors: certificate signed by unknown authority",
        ),
        (
            files(&anchors, &expired.pem(), expired.key()),
            "issuer chain does not belong to trust anchors: certificate has expired or is not yet valid: O=issuer",
        ),
        (
            files(&old_root.pem(), &under_old.pem(), under_old.key()),
            "issuer chain does not belong to trust anchors: certificate has expired or is not yet valid: O=old",
        ),
    ];
    assert!(verify(&good).is_ok());
    for (files, text) in rows {
        let error = verify(&files).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error:?} instead of {text:?}");
        assert!(!error.contains('\n'), "{error:?}");
    }
}

#[test]
fn damaged_files_are_refused_without_panic() {
    let trusted = root("root");
    let issuer = child("issuer", ed25519(), &trusted);
    let good = files(&trusted.pem(), &issuer.pem(), issuer.key());
    for cut in 0..good.certificate.len() - 1 {
        let mut broken = good.clone();
        broken.certificate.truncate(cut);
        assert!(verify(&broken).is_err(), "cut at {cut}");
    }
    for index in 30..good.anchors.len() - 30 {
        let mut broken = good.clone();
        broken.anchors[index] ^= 0x01;
        // Whitespace inside base64 is the only thing that may change for free.
        if let Ok(bundle) = verify(&broken) {
            assert_eq!(
                bundle.anchors.certificates(),
                verify(&good).unwrap().anchors.certificates()
            );
        }
    }
}

#[test]
fn what_is_generated_verifies_and_expires_together() {
    security::install_crypto_provider();
    let files = generate(
        &"cp.local".parse().unwrap(),
        "default",
        std::time::Duration::from_mins(15),
    )
    .unwrap();
    let bundle = verify(&files).unwrap();
    let days = (bundle.not_after - now()) / 86_400;
    assert!((364..=365).contains(&days), "{days}");
    assert!(Bundle::verify(&files, bundle.not_after + 1).is_err());
}
