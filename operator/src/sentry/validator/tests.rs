use super::*;

fn request() -> SignCertificateRequest {
    SignCertificateRequest {
        id: "app".into(),
        namespace: "default".into(),
        certificate_signing_request: "csr".into(),
        ..SignCertificateRequest::default()
    }
}

fn jwks() -> Jwks {
    let keys = jwks::KeySet::parse(br#"{"keys": []}"#).unwrap();
    let audience = "spiffe://cp/ns/default/dapr-sentry".parse().unwrap();
    let loaded = lifecycle::health::Health::default().target("jwks");
    Jwks::start(jwks::Source::Inline(keys), audience, loaded)
}

fn kubernetes() -> Kubernetes {
    let config = kube::Config::new("http://127.0.0.1".parse().unwrap());
    let client = kube::Client::try_from(config).unwrap();
    let cluster = crate::sentry::cluster::Cluster::new(client);
    Kubernetes::new(cluster, "default".into(), TrustDomain::public())
}

#[tokio::test]
async fn enabled_and_default_validators_are_those_of_dapr() {
    use NoValidator::{NotEnabled, NotNamed};
    use TokenValidator::{Insecure, Jwks, Kubernetes};
    security::install_crypto_provider();
    for (validators, unknown, insecure, in_pod, by_keys) in [
        (
            Validators::standalone(None),
            Ok(Insecure),
            Ok(Insecure),
            Err(NotEnabled),
            Err(NotEnabled),
        ),
        (
            Validators::standalone(Some(jwks())),
            Err(NotNamed),
            Err(NotEnabled),
            Err(NotEnabled),
            Ok(Jwks),
        ),
        (
            Validators::kubernetes(kubernetes(), None),
            Ok(Kubernetes),
            Err(NotEnabled),
            Ok(Kubernetes),
            Err(NotEnabled),
        ),
        (
            Validators::kubernetes(kubernetes(), Some(jwks())),
            Ok(Kubernetes),
            Err(NotEnabled),
            Ok(Kubernetes),
            Ok(Jwks),
        ),
    ] {
        let named = [unknown, insecure, in_pod, by_keys];
        for (requested, expected) in (0..).zip(named) {
            assert_eq!(
                validators.choose(requested).map(Validator::name),
                expected,
                "{requested}"
            );
        }
        for requested in [4, -1, i32::MAX] {
            assert_eq!(
                validators.choose(requested).map(Validator::name),
                Err(NotEnabled)
            );
        }
    }
    assert_eq!(
        NotNamed.to_string(),
        "a validator name must be specified in this environment"
    );
    assert_eq!(
        NotEnabled.to_string(),
        "the requested validator is not enabled"
    );
}

fn insecure(request: &SignCertificateRequest) -> Result<TrustDomain, Refusal> {
    insecure::validate(request, common(request)?)
}

#[test]
fn an_app_gets_the_public_trust_domain() {
    for trust_domain in ["", "public", "spiffe://public"] {
        let request = SignCertificateRequest {
            trust_domain: trust_domain.into(),
            ..request()
        };
        assert_eq!(insecure(&request).unwrap(), TrustDomain::public());
    }
}

#[test]
fn refusals_say_what_is_wrong() {
    type Change = fn(&mut SignCertificateRequest);
    let rows: [(Change, &str); 9] = [
        (
            |r| r.id.clear(),
            "invalid request: parameter app-id cannot be empty",
        ),
        (
            |r| r.id = "a.b".into(),
            "invalid request: parameter app-id cannot contain dots",
        ),
        (
            |r| r.id = "a".repeat(65),
            "invalid request: app ID must be 64 characters or less",
        ),
        (
            |r| r.certificate_signing_request.clear(),
            "invalid request: CSR is required",
        ),
        (
            |r| r.namespace.clear(),
            "invalid request: namespace is required",
        ),
        (
            |r| {
                r.id.clear();
                r.namespace.clear();
            },
            "invalid request: parameter app-id cannot be empty\nnamespace is required",
        ),
        (
            |r| r.trust_domain = "Foo".into(),
            "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores",
        ),
        (
            |r| r.trust_domain = "foo".into(),
            "trust domain 'foo' is not issued to a caller without a token",
        ),
        (
            |r| r.id = "dapr-sentry".into(),
            "control plane identity 'dapr-sentry' is not issued to a caller without a token",
        ),
    ];
    for (change, text) in rows {
        let mut request = request();
        change(&mut request);
        assert_eq!(insecure(&request).unwrap_err().to_string(), text);
    }
}
