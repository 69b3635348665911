//! Circuit breakers of forwarded calls.

use super::{Guarded, failing};
use crate::grpc::kind;

/// Opens at the third failure in a row, for a time no test waits for.
const THREE: &str = "{policies: {circuitBreakers: {cb: {timeout: 10m, trip: 'consecutiveFailures >= 3'}}}, targets: {apps: {callee: {circuitBreaker: cb}}}}";
const OPEN: &str = "circuit breaker is open";

#[test]
fn an_open_breaker_keeps_calls_from_the_app() {
    let guarded = Guarded::new(THREE, failing());
    let stage = &guarded.stage;
    let client = stage.client();
    let call = |method: &str, code: u32| {
        let request = kind(method).metadata("x-code", &code.to_string());
        client.call(&request, &["x"]).unwrap()
    };
    for code in [5, 14, 0, 5, 14, 2] {
        assert_eq!(call("Any", code).code(), code);
    }
    assert_eq!(stage.app.take().len(), 6);
    for code in [5, 0] {
        call("Any", code).expect(2, OPEN);
    }
    let stream = kind("Any").metadata("dapr-stream", "true");
    client.call(&stream, &["x"]).unwrap().expect(2, OPEN);
    assert_eq!(stage.app.take().len(), 0);
    call("Other", 0).expect(0, "");
    assert_eq!(stage.app.take().len(), 1);
    tests::holds("the change is logged", || {
        stage.caller.stdout().contains(
            "Circuit breaker \\\"callee:/testing.Kinds/Any\\\" changed state from closed to open",
        )
    });
}

#[test]
fn a_breaker_that_opens_ends_the_retries() {
    let spec = "{policies: {circuitBreakers: {cb: {timeout: 10m, trip: 'consecutiveFailures >= 3'}}, retries: {r: {duration: 5ms, maxRetries: 5}}}, targets: {apps: {callee: {circuitBreaker: cb, retry: r}}}}";
    let guarded = Guarded::new(spec, failing());
    let request = kind("Any").metadata("x-code", "14");
    let answer = request.send(guarded.stage.caller.grpc(), &["x"]);
    answer.expect(2, OPEN);
    assert_eq!(guarded.stage.app.take().len(), 3);
}

#[test]
fn a_probe_closes_it_again() {
    let spec = "{policies: {circuitBreakers: {cb: {timeout: 50ms, trip: 'totalFailures > 0'}}}, targets: {apps: {callee: {circuitBreaker: cb}}}}";
    let guarded = Guarded::new(spec, failing());
    let client = guarded.stage.client();
    let call = |code: u32| {
        let request = kind("Any").metadata("x-code", &code.to_string());
        client.call(&request, &["x"]).unwrap()
    };
    call(14).expect(14, "failed");
    tests::holds("a probe is let through", || call(0).code() == 0);
    call(0).expect(0, "");
}
