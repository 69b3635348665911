//! Timeouts of calls: they end an attempt, and nothing cut short looks whole.
//! They are long enough for a call to reach its app on a busy machine.

use std::sync::Arc;

use tests::{After, Exchange, Gate, RawApp, RawClient, Request, invoke_path};

use super::{Stage, direct_invoke};

const TIMEOUT: &str = "{policies: {timeouts: {short: 3s}}, targets: {apps: {callee: {timeout: short}, caller: {timeout: short}}}}";

/// Answers only once the door is open.
fn patient(gate: &Arc<Gate>) -> RawApp {
    let gate = Arc::clone(gate);
    RawApp::new(move |exchange: &mut Exchange| {
        exchange.body();
        if exchange.target() == "/slow" {
            gate.wait();
        }
        exchange.ok("ok");
    })
}

#[test]
fn a_call_ends_before_its_app_has_answered() {
    let gate = Arc::new(Gate::new());
    let stage = Stage::new(TIMEOUT, patient(&gate));
    let expired = direct_invoke("callee", "context deadline exceeded");
    stage.caller.invoke("callee", "fast").expect(200, "ok");
    stage.caller.invoke("callee", "slow").expect(500, &expired);
    gate.open();
    stage.caller.invoke("callee", "slow").expect(200, "ok");
    assert_eq!(stage.app.take().len(), 3);
}

#[test]
fn a_call_of_the_own_app_ends_as_well() {
    let stage = Stage::new(TIMEOUT, RawApp::scripted());
    // Nothing but a promise of an answer.
    stage.own_app.script("", After::Keep);
    let expired = direct_invoke("caller", "context deadline exceeded");
    stage.caller.invoke("caller", "x").expect(500, &expired);
    assert_eq!(stage.own_app.take().len(), 1);
}

#[test]
fn an_answer_that_takes_too_long_breaks_off_visibly() {
    let app = RawApp::new(|exchange| {
        exchange.body();
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        exchange.chunk("begun");
        exchange.hang();
    });
    let stage = Stage::new(TIMEOUT, app);
    let mut client = RawClient::connect(stage.caller.http());
    let answer = client
        .call(&Request::get(&invoke_path("callee", "x")))
        .unwrap();
    assert_eq!((answer.status, &*answer.text()), (200, "begun"));
    assert!(answer.cut.is_some(), "a short body looks whole: {answer:?}");
    assert_eq!(stage.app.take().len(), 1, "it was called once more");
    stage.expect_logged(
        "HTTP service invocation failed to complete with error: context deadline exceeded",
        1,
    );
}

#[test]
fn every_attempt_has_the_whole_time() {
    let spec = "{policies: {timeouts: {short: 2000}, retries: {twice: {duration: 10ms, maxRetries: 2}}}, targets: {apps: {callee: {timeout: short, retry: twice}}}}";
    let gate = Arc::new(Gate::new());
    let stage = Stage::new(spec, patient(&gate));
    let request = Request::post(&invoke_path("callee", "slow"), "hello");
    let expired = direct_invoke("callee", "context deadline exceeded");
    request.send(stage.caller.http()).expect(500, &expired);
    let seen = stage.app.take();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.body == b"hello"));
    gate.open();
    request.send(stage.caller.http()).expect(200, "ok");
}

#[test]
fn timeouts_of_nothing_never_fire() {
    let spec = "{policies: {timeouts: {DefaultTimeoutPolicy: 0s, none: -1s}}, targets: {apps: {caller: {timeout: none}}}}";
    let stage = Stage::new(spec, RawApp::scripted());
    stage.caller.invoke("callee", "x").expect(200, "ok");
    stage.caller.invoke("caller", "x").expect(200, "ok");
}
