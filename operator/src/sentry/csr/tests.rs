use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    PKCS_RSA_SHA256, PublicKeyData as _, RsaKeySize,
};
use security::pem;

use super::*;

/// `openssl req -newkey rsa:1024`
const WEAK: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIIBPzCBqQIBADAAMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDAuBUQ3v21
uvP+r7K8fGIp+frXqCJM9CzhCj4GWNxHzbIRUrr778woYuzDXcnkYBCvQ4MN0euG
K5xOeV/39s4V64Sd2skKhKfWDjl93B+SxrNT/TcEmXeLeyMx7j0UYKxy/1lMS5Wy
5+SMp9LIK32qbqySSIhS8WnQtYzXTuijEwIDAQABoAAwDQYJKoZIhvcNAQELBQAD
gYEAp/zATwxWiEO1IJ2TpC9NF2u2lbCsoDNoNsnsEsCmwkREZ03cQOYOIZ+LN0Pj
DsyZdHH261hY7NxmnVRzVX1y1sFMM14k3soMv2ZLLmt5KKNt/lk8sccFRVO3kK5O
772Cmo/Yv7ySKSnThRc8OnhUaifwl+JnGf+YcBN55/BmWKc=
-----END CERTIFICATE REQUEST-----
";

fn request(key: &KeyPair) -> Vec<u8> {
    // Names a request must not be believed.
    let params = CertificateParams::new(["evil".to_owned()]).unwrap();
    params.serialize_request(key).unwrap().der().to_vec()
}

fn keys() -> Vec<KeyPair> {
    security::install_crypto_provider();
    vec![
        KeyPair::generate_for(&PKCS_ED25519).unwrap(),
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
        KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap(),
    ]
}

#[test]
fn every_usual_key_is_accepted_under_both_labels() {
    for key in keys() {
        for label in ["CERTIFICATE REQUEST", "CERTIFICATE"] {
            let accepted = public_key(pem::encode(label, &request(&key)).as_bytes()).unwrap();
            assert_eq!(accepted.as_ref(), key.subject_public_key_info(), "{key:?}");
        }
    }
}

#[test]
fn a_request_of_the_sidecars_client_is_accepted() {
    security::install_crypto_provider();
    let key = security::WorkloadKey::generate(security::KeyKind::default()).unwrap();
    let accepted = public_key(key.signing_request().unwrap().as_bytes()).unwrap();
    assert_eq!(accepted.as_ref(), key.public_key());
}

#[test]
fn refusals_have_the_texts_of_dapr() {
    let key = &keys()[0];
    let request = request(key);
    let labelled = |label| pem::encode(label, &request);
    for text in [
        String::new(),
        "nonsense".to_owned(),
        labelled("PUBLIC KEY"),
        labelled("NEW CERTIFICATE REQUEST"),
        labelled("PRIVATE KEY"),
        labelled("CERTIFICATE REQUEST").replace("END", "BEGIN"),
    ] {
        let error = public_key(text.as_bytes()).unwrap_err();
        assert_eq!(error, CsrError::NotPem, "{text}");
        assert_eq!(error.to_string(), "invalid certificate signing request");
    }
    for der in [&request[..request.len() - 1], &request[1..], b"x", b""] {
        let error = public_key(pem::encode("CERTIFICATE REQUEST", der).as_bytes()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("failed to parse certificate signing request: "),
            "{text}"
        );
    }
    let mut forged = request.clone();
    *forged.last_mut().unwrap() ^= 1;
    let error = public_key(pem::encode("CERTIFICATE REQUEST", &forged).as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "invalid signature");
}

#[test]
fn short_rsa_keys_are_refused() {
    let error = public_key(WEAK.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to parse certificate signing request: RSA key of 1024 bits is too short, at least 2048 are needed"
    );
}
