//! Retries of the user's: which failures, how often, and what comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tests::{After, Exchange, RawApp, Request, invoke_path, ports};

use super::{Stage, direct_invoke};
use crate::names::insert;
use crate::table::Table;

const THREE_MORE: &str = "{policies: {retries: {r: {duration: 5ms, maxRetries: 3, matching: {httpStatusCodes: '500,502-503'}}}}, targets: {apps: {callee: {retry: r}, caller: {retry: r}}}}";

fn answer(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Custom\r\nContent-Type: text/x\r\nX-Mark: 1\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn listed_statuses_are_tried_again_and_the_last_answer_is_the_apps() {
    let stage = Stage::new(THREE_MORE, RawApp::scripted());
    let mut table = Table::default();
    for (status, calls) in [
        (200, 1),
        (302, 1),
        (400, 1),
        (404, 1),
        (500, 4),
        (501, 1),
        (502, 4),
        (503, 4),
        (504, 1),
    ] {
        for (target, app) in [("callee", &stage.app), ("caller", &stage.own_app)] {
            table.row(&format!("{status} of {target}"), || {
                app.script(answer(status, "words"), After::Keep);
                let request = Request::post(&invoke_path(target, "x"), "hello");
                let answer = request.send(stage.caller.http());
                answer.expect(status, "words");
                assert_eq!(answer.header("x-mark"), Some("1"));
                assert_eq!(answer.header("content-type"), Some("text/x"));
                let seen = app.take();
                assert_eq!(seen.len(), calls);
                assert!(seen.iter().all(|seen| seen.body == b"hello"));
            });
        }
    }
    let line = |target: &str| {
        format!(
            "Error processing operation endpoint[{target}, {target}:x]. Retrying in 5ms\u{2026}"
        )
    };
    for target in ["callee", "caller"] {
        // Once for each of the three calls that were tried again.
        stage.expect_logged(&line(target), 3);
    }
}

#[test]
fn a_success_ends_it() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let app = RawApp::new(move |exchange: &mut Exchange| {
        exchange.body();
        if count.fetch_add(1, Ordering::SeqCst) < 2 {
            exchange.send(answer(503, "not yet"));
        } else {
            exchange.ok("at last");
        }
    });
    let stage = Stage::new(THREE_MORE, app);
    stage.caller.invoke("callee", "x").expect(200, "at last");
    assert_eq!(begun.load(Ordering::SeqCst), 3);
    let recovered = "Recovered processing operation endpoint[callee, callee:x] after 3 attempts";
    stage.expect_logged(recovered, 1);
}

#[test]
fn a_body_of_unknown_length_is_sent_once() {
    let stage = Stage::new(THREE_MORE, RawApp::scripted());
    stage.app.script(answer(500, "no"), After::Keep);
    let request = Request::post(&invoke_path("callee", "x"), "").chunked(&["hello", "world"]);
    request.send(stage.caller.http()).expect(500, "no");
    assert_eq!(stage.app.take_one().body, b"helloworld");
}

#[test]
fn a_large_body_that_was_begun_is_sent_once() {
    let stage = Stage::new(THREE_MORE, RawApp::scripted());
    stage.app.script(answer(500, "no"), After::Keep);
    let large = vec![b'x'; 1 << 20];
    let request = Request::post(&invoke_path("callee", "x"), &large);
    request.send(stage.caller.http()).expect(500, "no");
    assert_eq!(stage.app.take_one().body.len(), large.len());
}

#[test]
fn defaults_hold_for_targets_without_an_entry_and_an_entry_inherits_nothing() {
    let spec = "{policies: {retries: {DefaultAppRetryPolicy: {duration: 5ms, maxRetries: 1}, DefaultRetryPolicy: {duration: 5ms, maxRetries: 7}}}, targets: {apps: {caller: {}}}}";
    let stage = Stage::new(spec, RawApp::scripted());
    for (target, app, calls) in [
        ("callee", &stage.app, 2),
        // Another name of the same app: the text counts.
        ("caller.default", &stage.own_app, 2),
        ("caller", &stage.own_app, 1),
    ] {
        app.script(answer(500, "no"), After::Keep);
        stage.caller.invoke(target, "x").expect(500, "no");
        assert_eq!(app.take().len(), calls, "{target}");
    }
}

#[test]
fn an_entry_stands_the_built_in_policy_down() {
    let spec = "{policies: {}, targets: {apps: {gone: {}}}}";
    let stage = Stage::new(spec, RawApp::scripted());
    let nobody = format!("127.0.0.1:{}", ports::reserve());
    insert(&stage.mesh.names().open(), "gone", &nobody, "");
    let answer = stage.caller.invoke("gone", "x");
    assert_eq!(answer.status, 500);
    let text = answer.text();
    assert!(
        text.contains("err: rpc error: code = Unavailable"),
        "{text}"
    );
    stage.expect_logged("DaprBuiltInServiceRetries. Retrying", 0);
}

#[test]
fn a_built_in_policy_of_the_users_has_at_least_three_retries() {
    let spec = "{policies: {retries: {DaprBuiltInServiceRetries: {duration: 5ms, maxRetries: 1}}}, targets: {}}";
    let stage = Stage::new(spec, RawApp::scripted());
    let nobody = format!("127.0.0.1:{}", ports::reserve());
    insert(&stage.mesh.names().open(), "gone", &nobody, "");
    let answer = stage.caller.invoke("gone", "x");
    let text = answer.text();
    assert!(
        text.contains(
            "failed to invoke target gone after 3 retries. Error: rpc error: code = Unavailable"
        ),
        "{text}"
    );
    for line in [
        "Attempted override of DaprBuiltInServiceRetries did not meet minimum retry count, resetting to 3.",
        "Error processing operation DaprBuiltInServiceRetries. Retrying in 5ms\u{2026}",
    ] {
        stage.expect_logged(line, 1);
    }
}

#[test]
fn a_name_nobody_has_is_tried_again_by_the_users_policy() {
    let spec = "{policies: {retries: {r: {duration: 5ms, maxRetries: 2}}}, targets: {apps: {nobody: {retry: r}}}}";
    let stage = Stage::new(spec, RawApp::scripted());
    let absent = direct_invoke("nobody", "no host found with the given ID");
    stage.caller.invoke("nobody", "x").expect(500, &absent);
    let tried = "Error for operation endpoint[nobody, nobody:x] was: no host found";
    stage.expect_logged(tried, 2);
}

#[test]
fn what_can_never_succeed_is_not_tried_again() {
    let stage = Stage::new(
        "{policies: {retries: {DefaultRetryPolicy: {duration: 5ms, maxRetries: 3}}}, targets: {}}",
        RawApp::scripted(),
    );
    assert_eq!(stage.caller.invoke("callee", "a%23b").status, 500);
    let guarded = stage
        .mesh
        .sidecar("guarded")
        .app(&stage.app)
        .spec("accessControl: {defaultAction: deny}")
        .run();
    assert_eq!(stage.caller.invoke("guarded", "x").status, 403);
    stage.expect_logged("Error processing operation", 0);
    assert_eq!(stage.app.take().len(), 0);
    drop(guarded);
}
