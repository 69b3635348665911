//! How a caller may name its target, and which name wins.

use tests::{Request, invoke_path};

use super::{Stage, To, WAYS, error_body, refusal};
use crate::table::Table;

#[test]
fn every_spelling_of_the_url_form_leads_there() {
    let stage = Stage::new();
    let mut table = Table::default();
    for path in [
        "/v1.0/invoke/callee/method/foo",
        "/v1.0////invoke/callee/method/foo",
        "/v1.0//invoke//callee/method//foo",
        "//v1.0/invoke/callee/method/foo",
        "/v1.0/invoke/callee/method/foo/",
        "/v1.0/invoke/callee.default/method/foo",
        "/v1.0/invoke/c%61llee/method/foo",
    ] {
        table.row(path, || {
            stage.forget();
            stage.caller.get(path).expect(200, "ok");
            assert_eq!(stage.other_app.take_one().target, "/foo");
        });
    }
}

#[test]
fn every_spelling_of_the_header_form_leads_there() {
    let stage = Stage::new();
    // "dapr-app-id:callee" and "DAPR-App-Id:callee".
    let basic = "Basic ZGFwci1hcHAtaWQ6Y2FsbGVl";
    let upper = "Basic REFQUi1BcHAtSWQ6Y2FsbGVl";
    let mut table = Table::default();
    for (path, name, value) in [
        ("/foo", "dapr-app-id", "callee"),
        ("/foo", "Dapr-App-Id", "callee"),
        ("/foo", "DAPR-APP-ID", "callee"),
        ("/foo", "dapr-app-id", "callee.default"),
        ("///foo", "dapr-app-id", "callee"),
        ("/a/../foo/", "dapr-app-id", "callee"),
        ("/foo", "Authorization", basic),
        ("/foo", "Authorization", upper),
    ] {
        table.row(&format!("{path} {name}: {value}"), || {
            stage.forget();
            let answer = stage.caller.send(&Request::get(path).header(name, value));
            answer.expect(200, "ok");
            assert_eq!(answer.header("dapr-app-id"), None);
            let seen = stage.other_app.take_one();
            assert_eq!(seen.target, "/foo");
            assert_eq!(seen.header("dapr-app-id"), None);
            if name == "Authorization" {
                assert_eq!(seen.header("authorization"), Some(value));
            }
        });
    }
}

#[test]
fn the_header_beats_the_url() {
    let stage = Stage::new();
    let path = invoke_path("caller", "b");
    stage
        .caller
        .send(&Request::get(&path).header("dapr-app-id", "callee"))
        .expect(200, "ok");
    assert_eq!(stage.own_app.take().len(), 0);
    assert_eq!(stage.other_app.take_one().target, path);
}

#[test]
fn built_in_routes_beat_the_header() {
    let stage = Stage::new();
    let request = Request::get("/v1.0/metadata").header("dapr-app-id", "callee");
    assert_eq!(stage.caller.send(&request).json()["id"], "caller");
    assert_eq!(stage.other_app.take().len(), 0);
    // No such route: the method belongs to another.
    let request = Request::post("/v1.0/metadata", "x").header("dapr-app-id", "callee");
    stage.caller.send(&request).expect(200, "ok");
    assert_eq!(stage.other_app.take_one().target, "/v1.0/metadata");
}

#[test]
fn without_a_target_the_answer_says_so() {
    let stage = Stage::new();
    let expected = error_body(
        "ERR_DIRECT_INVOKE",
        "failed getting app id either from the URL path or the header dapr-app-id",
    );
    // "dapr-app-id:a:b" has three parts, "user:pass" names nobody.
    let mut table = Table::default();
    for (name, request) in [
        ("unknown path", Request::get("/nowhere")),
        ("root", Request::post("/", "x")),
        ("no method", Request::get("/v1.0/invoke/callee")),
        ("no id", Request::get("/v1.0/invoke//method/x")),
        ("empty header", Request::get("/x").header("dapr-app-id", "")),
        (
            "three parts",
            Request::get("/x").header("Authorization", "Basic ZGFwci1hcHAtaWQ6YTpi"),
        ),
        (
            "other user",
            Request::get("/x").header("Authorization", "Basic dXNlcjpwYXNz"),
        ),
        ("health by POST", Request::post("/v1.0/healthz", "x")),
        (
            "unknown version",
            Request::get("/v9.9/invoke/callee/method/x"),
        ),
    ] {
        table.row(name, || {
            let answer = stage.caller.send(&request);
            answer.expect(404, &expected);
            assert_eq!(answer.header("content-type"), Some("application/json"));
        });
    }
    assert_eq!(stage.other_app.take().len(), 0);
}

#[test]
fn a_target_that_does_not_exist_is_refused_at_once() {
    let stage = Stage::new();
    let mut table = Table::default();
    for (target, cause) in [
        ("nobody", "no host found with the given ID"),
        ("a.b.c", "invalid app id a.b.c"),
    ] {
        for request in [
            Request::get(&invoke_path(target, "x")),
            Request::get("/x").header("dapr-app-id", target),
            Request::post("/x", "body").header("dapr-app-id", target),
        ] {
            table.row(&format!("{target}, {request:?}"), || {
                let answer = stage.caller.send(&request);
                answer.expect(500, &refusal(target, cause));
                assert_eq!(answer.header("content-type"), Some("application/json"));
            });
        }
    }
}

#[test]
fn another_namespace_is_another_app() {
    let stage = Stage::new();
    for request in [
        Request::get(&invoke_path("callee.elsewhere", "x")),
        Request::get(&invoke_path("caller.elsewhere", "x")),
    ] {
        let answer = stage.caller.send(&request);
        assert_eq!(answer.status, 500, "{answer:?}");
    }
    assert_eq!(stage.own_app.take().len(), 0);
    assert_eq!(stage.other_app.take().len(), 0);
    for way in WAYS.into_iter().filter(|way| way.to == To::Other) {
        way.request("GET", "x")
            .send(stage.caller.http())
            .expect(200, "ok");
    }
}
