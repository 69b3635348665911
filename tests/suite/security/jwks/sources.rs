//! Sources that are no good, at the start or at all.

use serde_json::json;
use tests::ports::reserve;
use tests::{Ca, sentry, sidecar};

use super::issuer::{Answer, Issuer, KeyServer, key_set};
use super::{Files, UNAVAILABLE, judge, validator, with_token};
use crate::table::Table;

#[test]
fn a_server_that_is_away_at_the_start_is_waited_for() {
    let (ca, files, issuer) = (Ca::new(), Files::new(), Issuer::new("a"));
    let port = reserve();
    let address = format!("http://localhost:{port}/keys");
    let sentry = sentry(&ca)
        .mtls(&validator(&json!({ "source": address })))
        .start();
    sentry.process().wait_for_output(&format!(
        "token validator jwks: failed to fetch {address}: client error (Connect): "
    ));
    sentry
        .process()
        .wait_for_output("sentry certificate authority is running");
    assert!(!sentry.is_healthy());
    let (code, message) = judge(&sentry, &issuer.token("app"));
    assert_eq!(
        (code, message.as_str()),
        (
            UNAVAILABLE,
            "the source of the keys of token validator jwks has not answered yet"
        )
    );
    let token = files.write("token", &issuer.token("app"));
    let sidecar = with_token(sidecar("app").mtls(&sentry), &token).start();
    sidecar.wait_for_output("requesting an identity");
    let _server = KeyServer::http(port, Answer::Say("200 OK", key_set(&[&issuer])));
    sentry.wait_until_healthy();
    sidecar.wait_until_ready();
}

#[test]
fn a_source_without_keys_is_named_with_the_reason() {
    let ca = Ca::new();
    let issuer = Issuer::new("a");
    let say = |status, body: &str| Answer::Say(status, body.to_owned());
    let mut table = Table::default();
    for (name, answer, reason) in [
        (
            "not found",
            say("404 Not Found", ""),
            "the server answered 404 Not Found, expected 200 OK",
        ),
        (
            "elsewhere",
            say("302 Found", ""),
            "the server answered 302 Found, expected 200 OK",
        ),
        ("a page", say("200 OK", "<html>"), "not JSON: "),
        (
            "other JSON",
            say("200 OK", "{}"),
            "not a JSON Web Key Set: expected an object with an array named \\\"keys\\\"",
        ),
        (
            "endless",
            say("200 OK", &" ".repeat(2 << 20)),
            "length limit exceeded",
        ),
        ("silent", Answer::Hang, "no answer within 1 seconds"),
        ("gone", Answer::Hide, "client error (SendRequest): "),
    ] {
        table.row(name, || {
            let server = KeyServer::http(0, answer);
            let options = json!({ "source": server.address(), "requestTimeout": 1 });
            let sentry = sentry(&ca).mtls(&validator(&options)).start();
            sentry.process().wait_for_output(reason);
            assert!(!sentry.is_healthy());
            server.show(&[&issuer]);
            sentry.wait_until_healthy();
            assert_eq!(judge(&sentry, &issuer.token("app")).0, 0);
        });
    }
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_believed() {
    let (ca, other) = (Ca::new(), Ca::new());
    let server = KeyServer::https(&ca, key_set(&[&Issuer::new("a")]));
    // This machine's own authorities, or none at all.
    let of_the_machine = json!({ "source": server.address() });
    let of_others = json!({ "source": server.address(), "caCertificate": other.anchors() });
    // The name must fit, too.
    let numeric = server.address().replace("localhost", "127.0.0.1");
    let of_another_name = json!({ "source": numeric, "caCertificate": ca.anchors() });
    for options in [of_the_machine, of_others, of_another_name] {
        let sentry = sentry(&ca).mtls(&validator(&options)).start();
        sentry
            .process()
            .wait_for_output("token validator jwks: failed to fetch https://");
        let log = sentry.process().stdout();
        assert!(
            log.contains("invalid peer certificate")
                || log.contains("this machine has no certificate authorities"),
            "{log}"
        );
        assert!(!sentry.is_healthy());
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_configuration_that_cannot_be_used_ends_sentry() {
    let ca = Ca::new();
    for (line, text) in [
        (
            validator(&json!({ "source": "/nonexistent/keys.json" })),
            "invalid spec.mtls.tokenValidators[0].options.source: \\\"/nonexistent/keys.json\\\": must be an http:// or https:// URL, an existing file, or a JSON Web Key Set as JSON or in base64",
        ),
        (
            validator(&json!({ "source": "http://localhost", "minRefreshInterval": "often" })),
            "invalid spec.mtls.tokenValidators[0].options.minRefreshInterval: \\\"often\\\": must be a duration such as 10m, or a number of seconds, above zero",
        ),
        (
            "tokenValidators: [{name: insecure}]".to_owned(),
            "invalid token validator: the built-in 'kubernetes' and 'insecure' validators cannot be configured manually",
        ),
        (
            "tokenValidators: [{name: x509}]".to_owned(),
            "invalid token validator name: 'x509'; supported values: 'jwks'",
        ),
    ] {
        let sentry = sentry(&ca).mtls(&line).start();
        sentry.process().wait_for_code(1);
        let log = sentry.process().stdout();
        let fatal: Vec<_> = log
            .lines()
            .filter(|line| line.contains("level=fatal"))
            .collect();
        assert_eq!(fatal.len(), 1, "{log}");
        assert!(fatal[0].contains(text), "{log}");
    }
}
