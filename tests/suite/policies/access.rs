//! The access control list of a callee.

use api::common::v1::http_extension::Verb;
use tests::peer::{CALL_LOCAL, message};
use tests::{Mesh, PeerClient, RawApp, Request, Sidecar, invoke_path};

use super::direct_invoke;
use crate::table::Table;

/// `caller` may POST `/op` and anything to `/public`; others nothing.
const LIST: &str = "accessControl: {defaultAction: deny, policies: [{appId: caller, defaultAction: deny, trustDomain: public, namespace: default, operations: [{name: /op, httpVerb: [POST], action: allow}, {name: /public*, httpVerb: ['*'], action: allow}]}]}";

struct Stage {
    mesh: Mesh,
    app: RawApp,
    caller: Sidecar,
    stranger: Sidecar,
    callee: Sidecar,
}

impl Stage {
    fn new(list: &str) -> Self {
        let mesh = Mesh::mtls();
        let app = RawApp::scripted();
        let callee = mesh.sidecar("callee").app(&app).spec(list).start();
        let caller = mesh.sidecar("caller").start();
        let stranger = mesh.sidecar("stranger").start();
        for sidecar in [&callee, &caller, &stranger] {
            sidecar.wait_until_ready();
        }
        Self {
            mesh,
            app,
            caller,
            stranger,
            callee,
        }
    }
}

fn denial(id: &str, operation: &str, verb: &str) -> String {
    format!(
        "access control policy has denied access to id: {id} operation: {operation} verb: {verb}"
    )
}

fn denied(id: &str, operation: &str, verb: &str) -> String {
    let text = denial(&format!("spiffe://public/ns/default/{id}"), operation, verb);
    direct_invoke(
        "callee",
        &format!("rpc error: code = PermissionDenied desc = {text}"),
    )
}

#[test]
fn calls_are_allowed_by_caller_operation_and_verb() {
    let stage = Stage::new(LIST);
    let mut table = Table::default();
    for (verb, method, target) in [
        ("POST", "op", Some("/op")),
        ("POST", "OP/deeper?x=1", Some("/OP/deeper?x=1")),
        ("GET", "op", None),
        ("GET", "public", Some("/public")),
        ("GET", "public///extra", Some("/public/extra")),
        ("GET", "admin%2F..%2Fpublic", Some("/public")),
        ("GET", "admin", None),
        ("GET", "", None),
    ] {
        table.row(&format!("{verb} {method}"), || {
            let request = Request::new(verb, &invoke_path("callee", method));
            let answer = request.send(stage.caller.http());
            let Some(target) = target else {
                answer.expect(403, &denied("caller", method, verb));
                assert_eq!(answer.header("content-type"), Some("application/json"));
                assert_eq!(stage.app.take().len(), 0, "the app saw it");
                return;
            };
            answer.expect(200, "ok");
            assert_eq!(stage.app.take_one().target, target);
            let refused = request.send(stage.stranger.http());
            assert_eq!(refused.status, 403, "{refused:?}");
            assert_eq!(stage.app.take().len(), 0, "the app saw the stranger");
        });
    }
}

#[test]
fn no_spelling_of_a_path_gets_past_the_list() {
    let stage = Stage::new(LIST);
    let mut table = Table::default();
    for (path, status) in [
        ("public%23../../admin", 403),
        ("public%2F..%2Fadmin", 403),
        ("public/%2E%2E/admin", 403),
        ("admin%25stream", 403),
        ("admin%22", 403),
        ("admin%2A", 403),
        ("%5C..%5Cadmin", 403),
        ("admin%3Fignored", 500),
        ("admin%00public", 500),
        ("admin%23%3F%25bypass", 500),
        // The app would decode these once more.
        ("public%252F..%252Fadmin", 403),
        ("public%253Fx", 403),
    ] {
        table.row(path, || {
            let answer = stage.caller.invoke("callee", path);
            assert_eq!(answer.status, status, "{answer:?}");
            assert_eq!(stage.app.take().len(), 0, "the app saw it");
        });
    }
}

#[test]
fn who_calls_is_what_the_certificate_says() {
    let stage = Stage::new(LIST);
    let spoofed = Request::post(&invoke_path("callee", "op"), "")
        .header("dapr-caller-app-id", "caller")
        .header("dapr-caller-namespace", "default");
    spoofed
        .send(stage.stranger.http())
        .expect(403, &denied("stranger", "op", "POST"));
    let mut table = Table::default();
    for (id, text) in [
        ("spiffe://public/ns/default/caller", None),
        ("spiffe://public/ns/default/caller/more", None),
        (
            "spiffe://public/ns/elsewhere/caller",
            Some(denial("spiffe://public/ns/elsewhere/caller", "op", "POST")),
        ),
        (
            "spiffe://other/ns/default/caller",
            Some(denial("spiffe://other/ns/default/caller", "op", "POST")),
        ),
        (
            "spiffe://public/ns/default/Caller",
            Some(denial("spiffe://public/ns/default/Caller", "op", "POST")),
        ),
        (
            "spiffe://public/app/default/caller",
            Some("malformed SPIFFE ID: spiffe://public/app/default/caller".to_owned()),
        ),
    ] {
        table.row(id, || {
            let svid = stage.mesh.ca().svid(id).issue();
            let client = PeerClient::tls(stage.callee.internal(), Some(&svid)).unwrap();
            let request = message::request("caller", "callee", Verb::Post, "op");
            let streamed = client.invoke(request.clone()).unwrap();
            let unary = client.unary(CALL_LOCAL, &request).unwrap();
            let Some(text) = text else {
                assert_eq!((streamed.code(), unary.code()), (0, 0), "{streamed:?}");
                assert_eq!(stage.app.take().len(), 2);
                return;
            };
            for answer in [streamed, unary] {
                assert_eq!((answer.code(), answer.message()), (7, text.clone()));
            }
            assert_eq!(stage.app.take().len(), 0, "the app saw it");
        });
    }
}

#[test]
fn a_call_without_a_verb_follows_the_default_of_its_policy() {
    let stage = Stage::new(
        "accessControl: {defaultAction: allow, policies: [{appId: caller, trustDomain: public, namespace: default, operations: [{name: /op, httpVerb: ['*'], action: allow}]}]}",
    );
    let svid = stage.mesh.ca().app("caller");
    let client = PeerClient::tls(stage.callee.internal(), Some(&svid)).unwrap();
    let call = |verb| {
        let request = message::request("caller", "callee", verb, "op");
        client.invoke(request).unwrap()
    };
    assert_eq!(call(Verb::Get).code(), 0);
    let answer = call(Verb::None);
    let text = denial("spiffe://public/ns/default/caller", "op", "NONE");
    assert_eq!((answer.code(), answer.message()), (7, text));
}

#[test]
fn without_certificates_nobody_has_a_name() {
    let mesh = Mesh::plain();
    let app = RawApp::scripted();
    let _callee = mesh.sidecar("callee").app(&app).spec(LIST).run();
    let caller = mesh.sidecar("caller").run();
    let text = denial("", "op", "POST");
    Request::post(&invoke_path("callee", "op"), "")
        .send(caller.http())
        .expect(
            403,
            &direct_invoke(
                "callee",
                &format!("rpc error: code = PermissionDenied desc = {text}"),
            ),
        );
    assert_eq!(app.take().len(), 0);
}

#[test]
fn an_app_may_always_call_itself() {
    let stage = Stage::new("accessControl: {defaultAction: deny}");
    stage.callee.invoke("callee", "op").expect(200, "ok");
    assert_eq!(stage.caller.invoke("callee", "op").status, 403);
    assert_eq!(stage.app.take().len(), 1);
}

#[test]
fn a_list_that_does_not_say_whom_it_is_about_ends_the_start() {
    let mesh = Mesh::plain();
    let sidecar = mesh
        .sidecar("callee")
        .spec("accessControl: {defaultAction: deny, policies: [{appId: a, namespace: x}, {appId: b, trustDomain: public}]}")
        .start();
    sidecar.wait_for_code(1);
    let text = "invalid access control spec. missing trustdomain for apps: [a], missing namespace for apps: [b], missing app name on at least one of the app policies: false";
    assert!(sidecar.stdout().contains(text), "{}", sidecar.stdout());
}

#[test]
fn rules_that_cannot_work_are_remarked() {
    let mesh = Mesh::plain();
    let app = RawApp::scripted();
    let sidecar = mesh
        .sidecar("callee")
        .app(&app)
        .spec("accessControl: {defaultAction: allow, policies: [{appId: a, trustDomain: public, namespace: x, operations: [{name: /op, action: deny}]}]}")
        .run();
    sidecar.wait_for_output(
        "operation \\\"/op\\\" has no httpVerb and never matches calls of an HTTP app",
    );
}
