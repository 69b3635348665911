//! Forwarded calls that are tried again.

use tests::{GrpcApp, GrpcRequest};

use super::{Guarded, failing};
use crate::grpc::{kind, path};
use crate::table::Table;

const LISTED: &str = "{policies: {retries: {r: {duration: 5ms, maxRetries: 3, matching: {gRPCStatusCodes: '14,8-9'}}}}, targets: {apps: {callee: {retry: r}}}}";
const ANY: &str = "{policies: {retries: {r: {duration: 5ms, maxRetries: 3}}}, targets: {apps: {callee: {retry: r}}}}";

fn failing_with(code: u32) -> GrpcRequest {
    kind("Any").metadata("x-code", &code.to_string())
}

fn text(code: u32) -> &'static str {
    if code == 0 { "" } else { "failed" }
}

#[test]
fn listed_codes_are_tried_again_and_the_last_answer_is_the_apps() {
    let guarded = Guarded::new(LISTED, failing());
    let stage = &guarded.stage;
    let client = stage.client();
    let mut table = Table::default();
    let mut number = 0;
    for (code, calls) in [
        (0, 1),
        (1, 1),
        (4, 1),
        (7, 1),
        (8, 4),
        (9, 4),
        (10, 1),
        (14, 4),
        (16, 1),
        (20, 1),
    ] {
        table.row(&format!("code {code}"), || {
            let answer = client.call(&failing_with(code), &["hello"]).unwrap();
            answer.expect(code, text(code));
            let seen = stage.app.take();
            assert_eq!(seen.len(), calls);
            number += calls;
            // Trailers of earlier attempts are not mixed in.
            let numbers = answer.end().trailers.get_all("x-number").iter();
            let numbers: Vec<_> = numbers.map(|number| number.to_str().unwrap()).collect();
            assert_eq!(numbers, [(number - 1).to_string()]);
            for seen in seen {
                assert_eq!(seen.texts(), ["hello"]);
                assert!(seen.half_closed, "{seen:?}");
                assert_eq!(seen.values("dapr-caller-app-id"), ["caller"]);
            }
        });
    }
}

#[test]
fn without_a_list_every_code_is_tried_again() {
    let guarded = Guarded::new(ANY, failing());
    let client = guarded.stage.client();
    let mut table = Table::default();
    for (code, calls) in [(0, 1), (3, 4), (5, 4), (16, 4), (20, 1)] {
        table.row(&format!("code {code}"), || {
            let answer = client.call(&failing_with(code), &["hello"]).unwrap();
            answer.expect(code, text(code));
            assert_eq!(guarded.stage.app.take().len(), calls);
        });
    }
}

#[test]
fn a_success_ends_it() {
    let guarded = Guarded::new(ANY, failing());
    let request = failing_with(14).metadata("x-until", "2");
    let answer = request.send(guarded.stage.caller.grpc(), &["hello"]);
    answer.expect_ok(&["hello"]);
    assert_eq!(guarded.stage.app.take().len(), 3);
    let target = "endpoint[callee, callee:/testing.Kinds/Any]";
    let log = || guarded.stage.caller.stdout();
    tests::holds("the retry is logged once", || {
        log()
            .matches(&format!(
                "Error processing operation {target}. Retrying in 5ms"
            ))
            .count()
            == 1
            && log().contains(&format!(
                "Recovered processing operation {target} after 3 attempts"
            ))
    });
}

/// The policy is that of the target's name, under which it was called.
#[test]
fn calls_that_do_not_name_the_target_have_no_policy() {
    let guarded = Guarded::new(ANY, failing());
    let stage = &guarded.stage;
    let mut table = Table::default();
    for (name, request, calls) in [
        ("by app id", path("Any").to("callee"), 4),
        (
            "by callee id",
            path("Any").metadata("dapr-callee-app-id", "callee"),
            1,
        ),
        ("with the namespace", path("Any").to("callee.default"), 1),
    ] {
        table.row(name, || {
            let request = request.metadata("x-code", "14");
            let answer = request.send(stage.caller.grpc(), &["x"]);
            answer.expect(14, "failed");
            assert_eq!(stage.app.take().len(), calls);
        });
    }
}

/// What the client has begun to read cannot be repeated.
#[test]
fn nothing_is_tried_again_once_a_message_was_forwarded() {
    let guarded = Guarded::new(ANY, GrpcApp::kinds());
    let stage = &guarded.stage;
    let answer = kind("FailLate").send(stage.caller.grpc(), &["x"]);
    assert_eq!((answer.code(), answer.texts()), (9, vec!["before".into()]));
    assert_eq!(stage.app.take().len(), 1);
    let answer = kind("Fail").send(stage.caller.grpc(), &["x"]);
    assert_eq!(answer.code(), 9);
    assert_eq!(stage.app.take().len(), 4);
}

#[test]
fn a_call_whose_sidecar_is_gone_is_tried_again() {
    let guarded = Guarded::new(ANY, GrpcApp::kinds());
    let stage = &guarded.stage;
    let nobody = tests::ports::reserve();
    crate::names::insert(
        &stage.mesh.names().open(),
        "absent",
        &format!("127.0.0.1:{nobody}"),
        "",
    );
    let answer = path("Unary").to("absent").send(stage.caller.grpc(), &["x"]);
    assert_eq!(answer.code(), 14, "{answer:?}");
}

#[test]
fn a_denied_call_is_not_tried_again() {
    let (_resources, with_policies) = super::policies(
        "{policies: {retries: {r: {duration: 10m, maxRetries: 3}}}, targets: {apps: {callee: {retry: r}}}}",
    );
    let stage = crate::grpc::Stage::with(
        GrpcApp::kinds(),
        |callee| callee.spec("accessControl: {defaultAction: deny, policies: []}"),
        with_policies,
    );
    // With a second try this would take minutes.
    let answer = kind("Unary").send(stage.caller.grpc(), &["x"]);
    assert_eq!(answer.code(), 7, "{answer:?}");
    assert_eq!(stage.app.take().len(), 0);
}
