//! Timeouts of forwarded calls: long enough for a call to reach its app on a
//! busy machine.

use tests::{GrpcApp, holds};

use super::Guarded;
use crate::grpc::{connect, kind};

#[test]
fn a_timeout_ends_the_call_on_both_sides() {
    let spec = "{policies: {timeouts: {short: 2s}}, targets: {apps: {callee: {timeout: short}}}}";
    let guarded = Guarded::new(spec, GrpcApp::kinds());
    let stage = &guarded.stage;
    let client = stage.client();
    client
        .call(&kind("Unary"), &["x"])
        .unwrap()
        .expect_ok(&["x"]);
    stage.app.take();
    for method in ["Silent", "Hang"] {
        let answer = client.call(&kind(method), &["x"]).unwrap();
        answer.expect(4, "context deadline exceeded");
        holds("the app is told", || {
            stage.app.seen().iter().all(|seen| seen.reset.is_some())
        });
        assert_eq!(stage.app.take().len(), 1);
    }
    // The app's own calls have no policy.
    let mut stream = connect(&stage.callee).open(&kind("Hang")).unwrap();
    stream.send("x").unwrap();
    stream.head().unwrap();
    assert!(stream.is_silent(std::time::Duration::from_secs(4)));
}

#[test]
fn every_attempt_has_its_own_time() {
    let spec = "{policies: {timeouts: {short: 2s}, retries: {r: {duration: 5ms, maxRetries: 2}}}, targets: {apps: {callee: {timeout: short, retry: r}}}}";
    let guarded = Guarded::new(spec, GrpcApp::kinds());
    let stage = &guarded.stage;
    let answer = kind("Silent").send(stage.caller.grpc(), &["x"]);
    answer.expect(4, "context deadline exceeded");
    assert_eq!(stage.app.take().len(), 3);
}

/// The caller's own deadline ends everything, attempts to come as well.
#[test]
fn the_deadline_of_the_caller_is_the_last_word() {
    let spec = "{policies: {retries: {r: {duration: 10m, maxRetries: 2}}}, targets: {apps: {callee: {retry: r}}}}";
    let guarded = Guarded::new(spec, GrpcApp::kinds());
    let request = kind("Fail").timeout("3S");
    match request.try_send(guarded.stage.caller.grpc(), &["x"]) {
        Ok(answer) => assert_eq!(answer.code(), 4, "{answer:?}"),
        Err(broken) => assert_eq!(broken.reset, Some(h2::Reason::CANCEL)),
    }
    assert_eq!(guarded.stage.app.take().len(), 1);
}
