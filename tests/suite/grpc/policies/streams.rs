//! Streams under policies: what `dapr-stream` exempts, and what is refused
//! without it.

use tests::GrpcApp;
use tests::grpc_app::wire::GrpcStatus;

use super::Guarded;
use crate::grpc::{Stage, kind};
use crate::table::Table;

const RETRIED: &str = "{policies: {retries: {r: {duration: 5ms, maxRetries: 3}}}, targets: {apps: {callee: {retry: r}}}}";
const ALL: &str = "{policies: {timeouts: {short: 2s}, retries: {r: {duration: 5ms, maxRetries: 3}}, circuitBreakers: {cb: {timeout: 10m, trip: 'consecutiveFailures >= 1'}}}, targets: {apps: {callee: {timeout: short, retry: r, circuitBreaker: cb}}}}";
const REFUSAL: &str = "cannot use resiliency policies with retries on streaming RPCs";

#[test]
fn a_second_message_is_refused_where_calls_are_tried_again() {
    let guarded = Guarded::new(RETRIED, GrpcApp::held());
    let stage = &guarded.stage;
    let client = stage.client();
    let mut table = Table::default();
    table.row("two at once", || {
        let answer = client.call(&kind("Any"), &["a", "b"]).unwrap();
        answer.expect(9, REFUSAL);
    });
    table.row("the second later", || {
        let before = stage.app.count();
        let mut stream = client.open(&kind("Any")).unwrap();
        stream.send("a").unwrap();
        stage.app.wait_for(before + 1);
        stream.send("b").unwrap();
        stream.answer().unwrap().expect(9, REFUSAL);
        assert!(stage.app.count() <= before + 1, "it was tried again");
    });
}

#[test]
fn one_message_may_have_a_long_answer() {
    let guarded = Guarded::new(RETRIED, GrpcApp::kinds());
    let answer = kind("ServerStream").send(guarded.stage.caller.grpc(), &["50"]);
    answer.expect(0, "");
    assert_eq!(answer.messages.len(), 50);
    let answer = kind("Bidi").send(guarded.stage.caller.grpc(), &["one"]);
    answer.expect_ok(&["one"]);
}

/// A stream that says so is on its own once it is open.
#[test]
fn a_stream_is_exempt_once_it_is_open() {
    let guarded = Guarded::new(ALL, GrpcApp::held());
    let stage: &Stage = &guarded.stage;
    let client = stage.client();
    let mut table = Table::default();
    for truth in ["true", "TRUE", "1", "yes", "y", "t", "on"] {
        table.row(truth, || {
            let request = kind("Any").metadata("dapr-stream", truth);
            let mut stream = client.open(&request).unwrap();
            let call = stage.app.next();
            for text in ["a", "b", "c"] {
                stream.send(text).unwrap();
                assert_eq!(call.receive().unwrap().text(), text);
                call.send(text);
                stream.expect_text(text);
            }
            assert_eq!(call.seen().header("dapr-stream"), Some(truth));
            // Neither tried again, nor counted by the breaker.
            call.end(GrpcStatus::error(14, "enough"));
            stream.answer().unwrap().expect(14, "enough");
            assert_eq!(stage.app.take().len(), 1);
        });
    }
    table.row("longer than the timeout", || {
        let request = kind("Any").metadata("dapr-stream", "true");
        let mut stream = client.open(&request).unwrap();
        let call = stage.app.next();
        call.head(&[]);
        // Twice the timeout, in which it must say nothing.
        assert!(stream.is_silent(std::time::Duration::from_secs(4)));
        stream.send("still here").unwrap();
        assert_eq!(call.receive().unwrap().text(), "still here");
        call.end(GrpcStatus::ok());
        stream.finish();
        stream.answer().unwrap().expect(0, "");
    });
    table.row("not true", || {
        let request = kind("Any").metadata("dapr-stream", "maybe");
        let answer = client.call(&request, &["a", "b"]).unwrap();
        answer.expect(9, REFUSAL);
    });
}

/// Without retries messages flow, until the time is over.
#[test]
fn a_timeout_bounds_a_stream_that_does_not_say_so() {
    let spec = "{policies: {timeouts: {short: 3s}}, targets: {apps: {callee: {timeout: short}}}}";
    let guarded = Guarded::new(spec, GrpcApp::kinds());
    let mut stream = guarded.stage.client().open(&kind("Bidi")).unwrap();
    for text in ["a", "b"] {
        stream.send(text).unwrap();
        stream.expect_text(text);
    }
    let answer = stream.answer().unwrap();
    answer.expect(4, "context deadline exceeded");
    let seen = guarded.stage.app.take_one();
    assert!(!seen.half_closed, "it looks like a whole request");
}
