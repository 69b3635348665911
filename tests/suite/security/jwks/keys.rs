//! Keys that change while sentry runs.

use serde_json::json;
use tests::{Ca, eventually, holds, sentry};

use super::issuer::{Answer, Issuer, KeyServer, key_set};
use super::{Files, PERMISSION_DENIED, UNAVAILABLE, judge, sentry_with, validator};

#[test]
fn rotated_keys_of_a_server_are_found() {
    let (ca, old, new) = (Ca::new(), Issuer::new("old"), Issuer::new("new"));
    let server = KeyServer::https(&ca, key_set(&[&old]));
    let sentry = sentry_with(
        &ca,
        &json!({
            "source": server.address(), "caCertificate": ca.anchors(), "minRefreshInterval": "200ms",
        }),
    );
    assert_eq!(judge(&sentry, &old.token("app")).0, 0);
    assert_eq!(judge(&sentry, &new.token("app")).0, PERMISSION_DENIED);
    server.show(&[&old, &new]);
    eventually("a token of the new key is believed", || {
        (judge(&sentry, &new.token("app")).0 == 0).then_some(())
    });
    assert_eq!(judge(&sentry, &old.token("app")).0, 0);
    let asked = server.requests();
    assert_eq!(judge(&sentry, &old.token("app")).0, 0);
    assert_eq!(server.requests(), asked, "known keys are not asked for");

    server.show(&[&new]);
    eventually("a third key makes sentry look", || {
        judge(&sentry, &Issuer::new("none").token("app"));
        (server.requests() > asked).then_some(())
    });
    let (code, message) = judge(&sentry, &old.token("app"));
    assert_eq!(code, PERMISSION_DENIED, "{message}");
}

#[test]
fn strange_tokens_do_not_make_sentry_ask_more_often() {
    let (ca, issuer) = (Ca::new(), Issuer::new("a"));
    let server = KeyServer::https(&ca, key_set(&[&issuer]));
    let sentry = sentry_with(
        &ca,
        &json!({ "source": server.address(), "caCertificate": ca.anchors() }),
    );
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let (code, message) = judge(&sentry, &Issuer::new("x").token("app"));
                    assert_eq!(code, PERMISSION_DENIED, "{message}");
                }
            });
        }
    });
    assert_eq!(server.requests(), 1, "at the start");
}

#[test]
fn keys_outlive_their_server_and_follow_it_when_it_is_back() {
    let (ca, old, new) = (Ca::new(), Issuer::new("old"), Issuer::new("new"));
    let server = KeyServer::https(&ca, key_set(&[&old]));
    let sentry = sentry_with(
        &ca,
        &json!({
            "source": server.address(), "caCertificate": ca.anchors(),
            "minRefreshInterval": "200ms", "requestTimeout": "4s",
        }),
    );
    server.answer(Answer::Hide);
    let kept = "trying again, keeping the keys in use";
    eventually("sentry notices", || {
        judge(&sentry, &new.token("app"));
        sentry.process().stdout().contains(kept).then_some(())
    });
    assert_eq!(judge(&sentry, &old.token("app")).0, 0);
    assert!(sentry.is_healthy());
    let asked = server.requests();
    holds("sentry asks again by itself", || {
        server.requests() > asked + 1
    });
    assert_eq!(sentry.process().stdout().matches(kept).count(), 1);
    // Who waits for a key is not refused while nobody can tell.
    server.answer(Answer::Hang);
    eventually("a question is open", || {
        (judge(&sentry, &new.token("app")).0 == UNAVAILABLE).then_some(())
    });
    server.show(&[&new]);
    eventually("a token of the new key is believed", || {
        (judge(&sentry, &new.token("app")).0 == 0).then_some(())
    });
    assert_eq!(judge(&sentry, &old.token("app")).0, PERMISSION_DENIED);
    sentry
        .process()
        .wait_for_output("token validator jwks: the source of the keys is back");
}

#[test]
fn a_changed_file_is_read_again_and_a_broken_one_is_not_used() {
    let (ca, files) = (Ca::new(), Files::new());
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let keys = files.write("keys.json", &key_set(&[&old]));
    let sentry = sentry(&ca)
        .mtls(&validator(&json!({ "source": keys })))
        .run();
    assert_eq!(judge(&sentry, &old.token("app")).0, 0);
    files.write("keys.json", &key_set(&[&old])[..40]);
    let path = keys.display();
    sentry
        .process()
        .wait_for_output(&format!("token validator jwks: {path}: not JSON: "));
    assert_eq!(judge(&sentry, &old.token("app")).0, 0);
    std::fs::remove_file(&keys).unwrap();
    sentry
        .process()
        .wait_for_output(&format!("failed to read {path}: No such file"));
    assert_eq!(judge(&sentry, &old.token("app")).0, 0);
    // A question makes sentry look at once.
    files.write("keys.json", &key_set(&[&new]));
    assert_eq!(judge(&sentry, &new.token("app")).0, 0);
    assert_eq!(judge(&sentry, &old.token("app")).0, PERMISSION_DENIED);
    // Withdrawing all keys is an answer, too.
    files.write("keys.json", &key_set(&[]));
    sentry
        .process()
        .wait_for_output("without a key no token is accepted");
    assert_eq!(judge(&sentry, &new.token("app")).0, PERMISSION_DENIED);
}
