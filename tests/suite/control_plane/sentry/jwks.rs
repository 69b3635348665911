//! Tokens of an issuer beside those of pods.

use api::sentry::v1::SignCertificateRequest;
use serde_json::json;
use tests::ports::reserve;

use super::{Home, TRUST_DOMAIN, leaf, request};
use crate::security::jwks::issuer::{Answer, Issuer, KeyServer, in_seconds, key_set};

const JWKS: i32 = 3;
const UNAVAILABLE: u32 = 14;
const PERMISSION_DENIED: u32 = 7;

#[test]
fn keys_serve_callers_elsewhere_and_cost_pods_nothing() {
    let home = Home::new("jwks");
    let (bare, cp, issuer) = (home.bare, home.namespace.as_str(), Issuer::new("a"));
    let port = reserve();
    let options = json!({ "source": format!("http://localhost:{port}/keys") });
    bare.api().patch(
        &format!("/apis/dapr.io/v1alpha1/namespaces/{cp}/configurations/daprsystem"),
        &json!({ "spec": { "mtls": { "tokenValidators": [{ "name": "jwks", "options": options }] } } }),
    );
    // Nobody is there to ask for keys.
    let sentry = home.start().healthy();
    home.pod("web", "app", "");
    let of_pod = request(bare, cp, "app", "web", "web");
    let by_default = SignCertificateRequest {
        token_validator: 0,
        ..of_pod.clone()
    };
    for asked in [&of_pod, &by_default] {
        let id = format!("spiffe://public/ns/{cp}/web");
        assert_eq!(leaf(&sentry.sign(asked)).id, id);
    }
    let elsewhere = |id: &str| SignCertificateRequest {
        id: id.to_owned(),
        namespace: "elsewhere".to_owned(),
        token: issuer.sign(&json!({
            "sub": "spiffe://public/ns/elsewhere/app",
            "aud": format!("spiffe://{TRUST_DOMAIN}/ns/{cp}/dapr-sentry"),
            "exp": in_seconds(600),
        })),
        token_validator: JWKS,
        ..of_pod.clone()
    };
    assert_eq!(sentry.ask(&elsewhere("app")).code(), UNAVAILABLE);
    let _server = KeyServer::http(port, Answer::Say("200 OK", key_set(&[&issuer])));
    sentry
        .process
        .wait_for_output("token validator jwks: keys in use: 1");
    let signed = leaf(&sentry.sign(&elsewhere("app")));
    assert_eq!(signed.id, "spiffe://public/ns/elsewhere/app");
    assert_eq!(sentry.ask(&elsewhere("web")).code(), PERMISSION_DENIED);
    // Neither takes the other's tokens.
    let mistaken = SignCertificateRequest {
        token_validator: JWKS,
        ..of_pod.clone()
    };
    assert_eq!(sentry.ask(&mistaken).code(), PERMISSION_DENIED);
}
