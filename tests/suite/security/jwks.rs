//! Identities for tokens of an issuer that sentry knows by its keys.

pub(crate) mod issuer;
mod keys;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

use api::sentry::v1::{SignCertificateRequest, SignCertificateResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    Ca, Names, PeerClient, RawApp, RpcAnswer, Sentry, SidecarBuilder, eventually, sentry, sidecar,
};

use self::issuer::{Issuer, KeyServer, claims, in_seconds, key_set};
use crate::table::Table;

/// Validator of tokens.
const JWKS: i32 = 3;
const PERMISSION_DENIED: u32 = 7;
const INVALID_ARGUMENT: u32 = 3;
const UNAVAILABLE: u32 = 14;

/// Files of one test.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// A path inside.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file as a whole, as issuers of tokens do.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let (file, draft) = (self.path(name), self.path(&format!("{name}.new")));
        fs::write(&draft, text).unwrap();
        fs::rename(draft, &file).unwrap();
        file
    }
}

/// The line of a Configuration that enables the validator.
pub(crate) fn validator(options: &Value) -> String {
    // YAML reads JSON.
    let validators = json!([{ "name": "jwks", "options": options }]);
    format!("tokenValidators: {validators}")
}

/// A healthy sentry whose keys come from here.
pub(crate) fn sentry_with(ca: &Ca, options: &Value) -> Sentry {
    sentry(ca).mtls(&validator(options)).run()
}

/// What a sidecar asks for with this token.
fn request(app_id: &str, token: &str) -> SignCertificateRequest {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::default();
    let csr = params.serialize_request(&key).unwrap().pem().unwrap();
    SignCertificateRequest {
        id: app_id.to_owned(),
        namespace: "default".to_owned(),
        token: token.to_owned(),
        token_validator: JWKS,
        certificate_signing_request: csr.into_bytes().into(),
        ..SignCertificateRequest::default()
    }
}

#[track_caller]
fn ask(sentry: &Sentry, request: &SignCertificateRequest) -> RpcAnswer {
    PeerClient::tls(sentry.port(), None)
        .unwrap()
        .unary("/dapr.proto.sentry.v1.CA/SignCertificate", request)
        .unwrap()
}

/// Code and message of what is said to a token for app `app`.
#[track_caller]
pub(crate) fn judge(sentry: &Sentry, token: &str) -> (u32, String) {
    let answer = ask(sentry, &request("app", token));
    (answer.code(), answer.message())
}

pub(crate) fn with_token(member: SidecarBuilder, file: &Path) -> SidecarBuilder {
    member.env("DAPR_SENTRY_TOKEN_FILE", file.to_str().unwrap())
}

#[test]
fn sidecars_with_tokens_call_each_other_wherever_the_keys_are() {
    let (ca, files, issuer) = (Ca::new(), Files::new(), Issuer::new("a"));
    let keys = key_set(&[&issuer]);
    let server = KeyServer::https(&ca, keys.clone());
    let file = files.write("keys.json", &keys);
    let root = files.write("root.pem", ca.anchors());
    let mut table = Table::default();
    for (name, options) in [
        ("file", json!({ "source": file })),
        ("JSON", json!({ "source": keys })),
        ("base64", json!({ "source": STANDARD.encode(&keys) })),
        (
            "HTTPS, a file of roots",
            json!({ "source": server.address(), "caCertificate": root }),
        ),
        (
            "HTTPS, roots as PEM",
            json!({ "source": server.address(), "caCertificate": ca.anchors() }),
        ),
    ] {
        table.row(name, || {
            let sentry = sentry_with(&ca, &options);
            let (names, app) = (Names::new(), RawApp::scripted());
            let member = |app_id: &str| {
                let token = files.write(app_id, &issuer.token(app_id));
                with_token(sidecar(app_id).names(&names).mtls(&sentry), &token)
            };
            let callee = member("callee").app(&app).run();
            let caller = member("caller").run();
            caller.invoke("callee", "x").expect(200, "ok");
            assert_eq!(app.take_one().values("dapr-caller-app-id"), ["caller"]);
            callee.wait_for_output("spiffe://public/ns/default/callee");
        });
    }
}

#[test]
fn wrong_tokens_get_no_identity_and_their_twins_do() {
    let (ca, files) = (Ca::new(), Files::new());
    let (issuer, stranger) = (Issuer::new("a"), Issuer::new("a"));
    let unknown = Issuer::new("b");
    let sentry = sentry_with(&ca, &json!({ "source": key_set(&[&issuer]) }));
    let changed = |claim: &str, value: Value| {
        let mut claims = claims("app");
        claims[claim] = value;
        issuer.sign(&claims)
    };
    let mut table = Table::default();
    for (name, token, reason) in [
        (
            "expired",
            changed("exp", json!(in_seconds(-3600))),
            "\\\"exp\\\" not satisfied: the token has expired",
        ),
        (
            "of tomorrow",
            changed("nbf", json!(in_seconds(3600))),
            "\\\"nbf\\\" not satisfied: the token is not valid yet",
        ),
        (
            "for another audience",
            changed("aud", json!("spiffe://localhost/ns/other/dapr-sentry")),
            "\\\"aud\\\" not satisfied: must contain spiffe://localhost/ns/default/dapr-sentry",
        ),
        (
            "of another app",
            issuer.token("other"),
            "\\\"sub\\\" not satisfied: must be spiffe://public/ns/default/app",
        ),
        (
            "of another issuer",
            stranger.token("app"),
            "could not verify message: the signature is not of key \\\"a\\\"",
        ),
        (
            "of an unknown key",
            unknown.token("app"),
            "could not verify message: no key with ID \\\"b\\\" in the key set",
        ),
        (
            "no token at all",
            "secret".to_owned(),
            "could not verify message: not a signed JWT: expected three parts with dots between",
        ),
    ] {
        table.row(name, || {
            let file = files.write("token", &token);
            let refused = with_token(sidecar("app").mtls(&sentry), &file).start();
            refused.wait_for_code(1);
            let output = refused.stdout();
            let text = format!(
                "error from sentry SignCertificate: rpc error: code = PermissionDenied desc = token validation failed: {reason}"
            );
            let told = output.lines().filter(|line| line.contains(&text)).count();
            assert_eq!(told, 1, "{output}");
            assert!(!output.contains("identity obtained"), "{output}");
            assert!(!output.contains(&token), "{output}");
            assert_eq!(judge(&sentry, &issuer.token("app")).0, 0, "the twin");
        });
    }
    let log = sentry.process().stdout();
    assert!(!log.contains(&stranger.token("app")[..20]), "{log}");
}

#[test]
fn a_promised_token_that_is_missing_ends_the_sidecar() {
    let (ca, files, issuer) = (Ca::new(), Files::new(), Issuer::new("a"));
    let sentry = sentry_with(&ca, &json!({ "source": key_set(&[&issuer]) }));
    let empty = files.write("empty", "");
    let missing = files.path("missing");
    for (file, text) in [
        (
            Path::new(""),
            "environment variable DAPR_SENTRY_TOKEN_FILE is set but empty".to_owned(),
        ),
        (
            &missing,
            format!(
                "failed to read token file {}: No such file",
                missing.display()
            ),
        ),
        (&empty, format!("token file {} is empty", empty.display())),
    ] {
        let sidecar = with_token(sidecar("app").mtls(&sentry), file).start();
        sidecar.wait_for_code(1);
        let output = sidecar.stdout();
        assert!(output.contains(&text), "{output}");
    }
}

#[test]
fn with_keys_nobody_is_believed_without_a_token() {
    let (ca, issuer) = (Ca::new(), Issuer::new("a"));
    let sentry = sentry_with(&ca, &json!({ "source": key_set(&[&issuer]) }));
    let good = issuer.token("app");
    for (validator, token, code, message) in [
        (
            0,
            "",
            INVALID_ARGUMENT,
            "a validator name must be specified in this environment",
        ),
        (
            0,
            good.as_str(),
            INVALID_ARGUMENT,
            "a validator name must be specified in this environment",
        ),
        (
            1,
            "",
            INVALID_ARGUMENT,
            "the requested validator is not enabled",
        ),
        (
            2,
            &good,
            INVALID_ARGUMENT,
            "the requested validator is not enabled",
        ),
        (
            JWKS,
            "",
            PERMISSION_DENIED,
            "the request does not contain a token",
        ),
    ] {
        let asked = SignCertificateRequest {
            token_validator: validator,
            ..request("app", token)
        };
        let answer = ask(&sentry, &asked);
        assert_eq!((answer.code(), answer.message().as_str()), (code, message));
    }
    let answer = ask(&sentry, &request("app", &good));
    assert_eq!(answer.code(), 0, "{}", answer.message());
    let signed: SignCertificateResponse =
        prost::Message::decode(answer.messages[0].clone()).unwrap();
    assert!(!signed.workload_certificate.is_empty());

    let nameless = sidecar("app").mtls(&sentry).start();
    nameless.wait_for_code(1);
    let output = nameless.stdout();
    let text =
        "code = InvalidArgument desc = a validator name must be specified in this environment";
    assert!(output.contains(text), "{output}");
}

#[test]
fn identities_of_the_control_plane_are_not_for_tokens() {
    let (ca, issuer) = (Ca::new(), Issuer::new("a"));
    let sentry = sentry_with(&ca, &json!({ "source": key_set(&[&issuer]) }));
    for id in ["dapr-sentry", "dapr-operator"] {
        let answer = ask(&sentry, &request(id, &issuer.token(id)));
        assert_eq!(answer.code(), PERMISSION_DENIED);
        let text = format!("control plane identity '{id}' is not issued for the token of an app");
        assert_eq!(answer.message(), text);
    }
    // A trust domain is the issuer's to give.
    let mut claims = claims("app");
    claims["sub"] = json!("spiffe://elsewhere/ns/default/app");
    let asked = SignCertificateRequest {
        trust_domain: "elsewhere".to_owned(),
        ..request("app", &issuer.sign(&claims))
    };
    assert_eq!(ask(&sentry, &asked).code(), 0);
}

#[test]
fn renewals_use_the_token_of_their_time() {
    let (ca, files) = (Ca::new(), Files::new());
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let keys = files.write("keys.json", &key_set(&[&old, &new]));
    let sentry = sentry(&ca)
        .mtls("workloadCertTTL: 2s")
        .mtls(&validator(&json!({ "source": keys })))
        .run();
    let token = files.write("token", &old.token("app"));
    let sidecar = with_token(sidecar("app").mtls(&sentry), &token).run();
    let renewals = || sidecar.stdout().matches("identity renewed").count();
    sidecar.wait_for_output("identity renewed");
    // The old key is withdrawn; only the new token is any good.
    files.write("token", &new.token("app"));
    files.write("keys.json", &key_set(&[&new]));
    eventually("the old key is forgotten", || {
        (judge(&sentry, &old.token("app")).0 != 0).then_some(())
    });
    let before = renewals();
    eventually("the identity is renewed", || {
        (renewals() > before + 1).then_some(())
    });

    // A token that is no good any more costs nothing but renewals.
    files.write("token", &old.token("app"));
    sidecar.wait_for_output("Error renewing identity, trying again");
    assert!(sidecar.exited().is_none());
    files.write("token", &new.token("app"));
    let before = renewals();
    eventually("the identity is renewed again", || {
        (renewals() > before).then_some(())
    });
}
