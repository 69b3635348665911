use super::*;

fn request() -> SignCertificateRequest {
    SignCertificateRequest {
        id: "app".into(),
        namespace: "default".into(),
        certificate_signing_request: "csr".into(),
        ..SignCertificateRequest::default()
    }
}

#[test]
fn only_the_insecure_validator_is_enabled() {
    for requested in [0, 1] {
        assert_eq!(Validator::Insecure.choose(requested), Ok(()));
    }
    for requested in [2, 3, 4, -1, i32::MAX] {
        assert_eq!(Validator::Insecure.choose(requested), Err(NotEnabled));
    }
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
