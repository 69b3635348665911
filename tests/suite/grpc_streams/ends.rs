//! A caller that gives up, or whose time is over: the app knows before it
//! sends its next message.

use h2::Reason;
use tests::{GrpcApp, HeldCall};

use super::{Stage, call_of, stream_of};

/// The app has sent one message, and the next finds nobody.
fn next_message_finds_nobody(way: &str, call: &HeldCall) {
    assert_eq!(call.wait_until_reset(), Reason::CANCEL, "{way}");
    assert!(!call.send("too late"), "{way}");
}

#[test]
fn a_cancel_reaches_the_app_before_its_next_message() {
    let stage = Stage::new(GrpcApp::held());
    for (way, client) in stage.ways() {
        let mut stream = client.open(&stream_of("Events")).unwrap();
        stream.send("begin").unwrap();
        let call = stage.app.next();
        assert!(call.send("event"));
        stream.expect_text("event");
        stream.reset(Reason::CANCEL);
        next_message_finds_nobody(way, &call);
        let seen = call.seen();
        assert!(!seen.half_closed && !seen.lost, "{way}: {seen:?}");
    }
}

#[test]
fn a_cancel_reaches_an_app_that_has_not_answered() {
    let stage = Stage::new(GrpcApp::held());
    for (way, client) in stage.ways() {
        for request in [call_of("Unary"), stream_of("Unary")] {
            let mut stream = client.open(&request).unwrap();
            stream.send("question").unwrap();
            stream.finish();
            let call = stage.app.next();
            call.wait_until("the whole question is there", |seen| seen.half_closed);
            stream.reset(Reason::CANCEL);
            assert_eq!(call.wait_until_reset(), Reason::CANCEL, "{way}");
            assert!(!call.send("too late"), "{way}");
        }
    }
}

#[test]
fn a_client_that_is_gone_cancels_its_calls() {
    let stage = Stage::new(GrpcApp::held());
    for (way, client) in stage.ways() {
        let begun: Vec<_> = (0..3)
            .map(|_| {
                let mut stream = client.open(&stream_of("Events")).unwrap();
                stream.send("begin").unwrap();
                let call = stage.app.next();
                assert!(call.send("event"));
                stream.expect_text("event");
                (stream, call)
            })
            .collect();
        let (streams, calls): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
        drop((streams, client));
        for call in &calls {
            next_message_finds_nobody(way, call);
        }
    }
}

#[test]
fn a_deadline_reaches_the_app_before_its_next_message() {
    let stage = Stage::new(GrpcApp::held());
    for (way, client) in stage.ways() {
        for request in [call_of("Events"), stream_of("Events")] {
            // The client itself leaves the deadline to others.
            let mut stream = client.open(&request.timeout("3S")).unwrap();
            stream.send("begin").unwrap();
            let call = stage.app.next();
            assert!(call.seen().header("grpc-timeout").is_some(), "{way}");
            assert!(call.send("event"));
            stream.expect_text("event");
            next_message_finds_nobody(way, &call);
            let answer = stream.answer().unwrap();
            assert_eq!(answer.code(), 4, "{way}: {answer:?}");
        }
    }
}

#[test]
fn a_deadline_ends_a_call_that_is_never_answered() {
    let stage = Stage::new(GrpcApp::kinds());
    for (way, client) in stage.ways() {
        for request in [call_of("Silent"), stream_of("Silent"), stream_of("Hang")] {
            let answer = client.call(&request.timeout("300m"), &["x"]).unwrap();
            assert_eq!(answer.code(), 4, "{way}: {answer:?}");
        }
    }
    tests::holds("the app knows of each", || {
        stage.app.seen().iter().all(|call| call.reset.is_some())
    });
}
