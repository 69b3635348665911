//! Circuit breakers: when calls are not made, and when they are again.

use std::sync::Arc;

use tests::{After, Exchange, Gate, RawApp, Request, eventually, invoke_path};

use super::{Stage, direct_invoke};

/// Opens at the third failure in a row, for a time no test waits for.
const THREE: &str = "{policies: {circuitBreakers: {cb: {timeout: 10m, trip: 'consecutiveFailures >= 3'}}, retries: {r: {duration: 5ms, maxRetries: 5}}}, targets: {apps: {callee: {circuitBreaker: cb}, caller: {circuitBreaker: cb, retry: r}}}}";
const FAILED: &str = "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn an_open_breaker_keeps_calls_from_the_app() {
    let stage = Stage::new(THREE, RawApp::scripted());
    let call = |method| stage.caller.invoke("callee", method);
    call("x").expect(200, "ok");
    stage.app.script(FAILED, After::Keep);
    call("x").expect(500, "no");
    call("x").expect(500, "no");
    stage.app.script(OK, After::Keep);
    call("x").expect(200, "ok");
    stage.app.script(FAILED, After::Keep);
    for _ in 0..3 {
        call("x").expect(500, "no");
    }
    assert_eq!(stage.app.take().len(), 7);
    let open = direct_invoke("callee", "circuit breaker is open");
    call("x").expect(500, &open);
    // Neither verb nor query make another call of it, another method does.
    call("x?y=1").expect(500, &open);
    let posted = Request::post(&invoke_path("callee", "x"), "").send(stage.caller.http());
    posted.expect(500, &open);
    assert_eq!(stage.app.take().len(), 0);
    call("z").expect(500, "no");
    assert_eq!(stage.app.take().len(), 1);
    stage.expect_logged(
        "Circuit breaker \\\"callee:x\\\" changed state from closed to open",
        1,
    );
}

#[test]
fn a_breaker_that_opens_ends_the_retries() {
    let stage = Stage::new(THREE, RawApp::scripted());
    stage.own_app.script(FAILED, After::Keep);
    let open = direct_invoke("caller", "circuit breaker is open");
    stage.caller.invoke("caller", "x").expect(500, &open);
    assert_eq!(stage.own_app.take().len(), 3);
}

#[test]
fn a_probe_decides_whether_calls_are_made_again() {
    let spec = "{policies: {circuitBreakers: {DefaultCircuitBreakerPolicy: {timeout: 50ms, trip: 'totalFailures > 0'}}}, targets: {}}";
    let gate = Arc::new(Gate::new());
    let door = Arc::clone(&gate);
    let app = RawApp::new(move |exchange: &mut Exchange| {
        let body = exchange.body();
        match body.as_slice() {
            b"fail" => exchange.send(FAILED),
            b"wait" => {
                door.wait();
                exchange.ok("waited")
            }
            _ => exchange.ok("ok"),
        };
    });
    let stage = Stage::new(spec, app);
    let send =
        |body: &str| Request::post(&invoke_path("callee", "x"), body).send(stage.caller.http());
    send("fail").expect(500, "no");
    std::thread::scope(|scope| {
        let probe = scope.spawn(|| {
            eventually("a probe is admitted", || {
                let answer = send("wait");
                (answer.status == 200).then_some(answer)
            })
        });
        stage.app.wait_for(2);
        let busy = direct_invoke("callee", "too many requests");
        send("").expect(500, &busy);
        gate.open();
        probe.join().unwrap().expect(200, "waited");
    });
    send("").expect(200, "ok");
    for line in ["closed to open", "open to half-open", "half-open to closed"] {
        let line = format!("Circuit breaker \\\"callee:x\\\" changed state from {line}");
        stage.expect_logged(&line, 1);
    }
}

#[test]
fn an_answer_cut_short_counts_as_a_failure() {
    let spec = "{policies: {circuitBreakers: {cb: {timeout: 10m, trip: 'requests == 1 && totalFailures == 1'}}}, targets: {apps: {callee: {circuitBreaker: cb}}}}";
    let app = RawApp::new(|exchange: &mut Exchange| {
        exchange.body();
        if exchange.target() == "/whole" {
            exchange.ok("ok");
            return;
        }
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
        exchange.close();
    });
    let stage = Stage::new(spec, app);
    stage.caller.invoke("callee", "whole").expect(200, "ok");
    stage.caller.invoke("callee", "whole").expect(200, "ok");
    let request = Request::get(&invoke_path("callee", "short"));
    let short = request.try_send(stage.caller.http());
    assert!(!short.is_ok_and(|short| short.is_whole_success()));
    let open = direct_invoke("callee", "circuit breaker is open");
    stage.caller.invoke("callee", "short").expect(500, &open);
}
