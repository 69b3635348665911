//! Tokens: identities from either sentry for either sidecar, and the same
//! verdict on the same token.

use std::path::Path;

use serde_json::{Value, json};
use tests::{Ca, Names, RawApp, Sentry, Sidecar, sentry, sidecar};

use super::given;
use crate::security::jwks::issuer::{Issuer, claims, in_seconds, key_set};
use crate::security::jwks::{Files, judge, validator, with_token};
use crate::table::Table;

fn sentry_by(program: Option<&Path>, ca: &Ca, keys: &Value) -> Sentry {
    let builder = sentry(ca).mtls(&validator(&json!({ "source": keys })));
    match program {
        Some(program) => builder.program(program).run(),
        None => builder.run(),
    }
}

/// Our sidecar and a real one call each other with identities from `sentry`.
fn call_each_other(sentry: &Sentry, issuer: &Issuer, daprd: &Path) {
    let (files, names) = (Files::new(), Names::new());
    let apps = [RawApp::scripted(), RawApp::scripted()];
    let start = |app_id: &str, app: &RawApp, program: Option<&Path>| -> Sidecar {
        let token = files.write(app_id, &issuer.token(app_id));
        let member = sidecar(app_id).names(&names).mtls(sentry).app(app);
        let member = with_token(member, &token);
        match program {
            Some(program) => member.program(program).run(),
            None => member.run(),
        }
    };
    let ours = start("ours", &apps[0], None);
    let theirs = start("theirs", &apps[1], Some(daprd));
    ours.invoke("theirs", "x").expect(200, "ok");
    theirs.invoke("ours", "x").expect(200, "ok");
    for app in &apps {
        assert_eq!(app.take().len(), 1);
    }
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn a_token_gets_a_real_sidecar_its_identity_from_our_sentry() {
    let (ca, issuer, files) = (Ca::new(), Issuer::new("a"), Files::new());
    let keys = files.write("keys.json", &key_set(&[&issuer]));
    let sentry = sentry_by(None, &ca, &json!(keys));
    call_each_other(&sentry, &issuer, &given().0);
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn a_token_gets_our_sidecar_its_identity_from_a_real_sentry() {
    let (daprd, real) = given();
    let (ca, issuer) = (Ca::new(), Issuer::new("a"));
    let sentry = sentry_by(Some(&real), &ca, &json!(key_set(&[&issuer])));
    call_each_other(&sentry, &issuer, &daprd);
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn both_sentries_judge_a_token_alike() {
    let (_, real) = given();
    let ca = Ca::new();
    let (issuer, stranger, unknown) = (Issuer::new("a"), Issuer::new("a"), Issuer::new("b"));
    let keys = json!(key_set(&[&issuer]));
    let [ours, theirs] = [None, Some(&*real)].map(|program| sentry_by(program, &ca, &keys));
    let changed = |claim: &str, value: Value| {
        let mut claims = claims("app");
        claims[claim] = value;
        issuer.sign(&claims)
    };
    let without = |claim: &str| {
        let mut claims = claims("app");
        claims.as_object_mut().unwrap().remove(claim);
        issuer.sign(&claims)
    };
    let good = issuer.token("app");
    let mut table = Table::default();
    for (name, token, about) in [
        ("good", good.clone(), ""),
        ("with a line end", format!("{good}\n"), ""),
        (
            "late within the skew",
            changed("exp", json!(in_seconds(-240))),
            "",
        ),
        ("late", changed("exp", json!(in_seconds(-400))), "\"exp\""),
        (
            "early within the skew",
            changed("nbf", json!(in_seconds(240))),
            "",
        ),
        ("early", changed("nbf", json!(in_seconds(400))), "\"nbf\""),
        ("without an end", without("exp"), ""),
        ("without an audience", without("aud"), "\"aud\""),
        ("for others", changed("aud", json!("others")), "\"aud\""),
        ("without a subject", without("sub"), "\"sub\""),
        ("of another app", issuer.token("other"), "\"sub\""),
        (
            "of another issuer",
            stranger.token("app"),
            "could not verify message",
        ),
        ("of an unknown key", unknown.token("app"), ""),
        (
            "of a nameless key",
            issuer.sign_namelessly(&claims("app")),
            "",
        ),
        ("no token", "secret".to_owned(), ""),
        (
            "nothing",
            String::new(),
            "the request does not contain a token",
        ),
    ] {
        table.row(name, || {
            let [ours, theirs] = [&ours, &theirs].map(|sentry| judge(sentry, &token));
            assert_eq!(ours.0, theirs.0, "{ours:?} {theirs:?}");
            for (_, message) in [&ours, &theirs] {
                assert!(message.contains(about), "{ours:?} {theirs:?}");
            }
        });
    }
}
