//! Objects to policies, and what a change keeps.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::resources::{AppOperation, AppPolicy};

fn denying(app_id: &str) -> AccessControl {
    AccessControl {
        default_action: "deny".to_owned(),
        trust_domain: "public".to_owned(),
        policies: Some(vec![AppPolicy {
            app_id: app_id.to_owned(),
            default_action: "deny".to_owned(),
            trust_domain: "public".to_owned(),
            namespace: "default".to_owned(),
            operations: vec![AppOperation {
                name: "/op".to_owned(),
                http_verb: vec!["POST".to_owned()],
                action: "allow".to_owned(),
            }],
        }]),
    }
}

fn object(name: &str, scopes: &[&str], timeout: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "scopes": scopes,
        "spec": {
            "policies": { "timeouts": { "t": timeout } },
            "targets": { "apps": { name: { "Timeout": "t" } } },
        },
    })
}

fn live(access: Option<&AccessControl>, objects: &[Value]) -> Live {
    Live::new("me", "http", access, objects).unwrap()
}

fn timeout_of(live: &Live, target: &str) -> Option<Duration> {
    live.resiliency()?.rules(target)?.timeout
}

#[test]
fn nothing_configured_asks_nothing() {
    let allowing = AccessControl {
        default_action: "allow".to_owned(),
        trust_domain: "public".to_owned(),
        policies: None,
    };
    let unconfigured = live(Some(&allowing), &[]);
    assert!(unconfigured.guard().is_none() && unconfigured.has_access_list());
    assert!(unconfigured.resiliency().is_none());
    assert!(!live(None, &[]).has_access_list());
}

#[test]
fn objects_count_within_their_scopes_and_fail_alone() {
    let objects = [
        object("all", &[], "1s"),
        object("mine", &["other", "me", "me"], "1s"),
        object("theirs", &["ME"], "1s"),
        object("broken", &[], "zz"),
    ];
    let live = live(None, &objects);
    for (target, applies) in [
        ("all", true),
        ("mine", true),
        ("theirs", false),
        ("broken", false),
    ] {
        assert_eq!(timeout_of(&live, target).is_some(), applies, "{target}");
    }
    let only_broken = [object("broken", &[], "zz")];
    assert!(
        super::tests::live(None, &only_broken)
            .resiliency()
            .is_none()
    );
}

#[test]
fn a_change_swaps_everything_and_keeps_a_list_that_has_no_successor() {
    let live = live(Some(&denying("a")), &[object("b", &[], "1s")]);
    assert_eq!(timeout_of(&live, "b"), Some(Duration::from_secs(1)));
    live.reload(Some(&denying("")), &[object("b", &[], "2s")]);
    let kept = live.guard().unwrap();
    let caller = policy::access::Caller {
        trust_domain: "public",
        namespace: "default",
        app_id: "a",
    };
    assert!(kept.decide(Some(caller), "op", Some("POST")).is_allowed);
    assert!(!kept.decide(None, "op", Some("POST")).is_allowed);
    assert_eq!(timeout_of(&live, "b"), Some(Duration::from_secs(2)));
    live.reload(None, &[]);
    assert!(live.guard().is_none() && live.resiliency().is_none());
    let invalid = Live::new("me", "http", Some(&denying("")), &[]);
    assert!(invalid.is_err());
}

#[test]
fn keys_and_scalars_are_read_as_go_reads_them() {
    let spec = convert::resiliency(&json!({ "spec": {
        "policies": {
            "timeouts": { "t": 300 },
            "retries": { "r": {
                "maxRetries": 0,
                "DURATION": 5,
                "matching": { "grpcStatusCodes": 400 },
            } },
        },
        "targets": {},
    } }))
    .unwrap();
    let retry = &spec.retries["r"];
    assert_eq!((retry.max_retries, &*retry.duration), (Some(0), "5"));
    assert_eq!(retry.matching.grpc_status_codes, "400");
    assert_eq!(spec.timeouts["t"], "300");
    let wrong = |spec: Value| {
        let error = convert::resiliency(&json!({ "spec": spec })).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        wrong(json!({ "policies": { "retries": { "r": { "maxRetries": "5" } } } })),
        "spec.policies.retries.r.maxRetries: expected an integer, found text"
    );
    assert_eq!(
        wrong(json!({ "policies": { "timeouts": { "t": { "a": 1 } } } })),
        "spec.policies.timeouts.t: expected text, found an object"
    );
    assert_eq!(
        wrong(json!({ "targets": { "apps": ["b"] } })),
        "spec.targets.apps: expected an object, found a list"
    );
}
