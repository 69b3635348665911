//! The app and the client against each other: what they claim to have seen.

use h2::Reason;

use super::wire::GrpcStatus;
use super::{GrpcApp, failure};
use crate::grpc_client::{GrpcClient, GrpcRequest};

fn kind(method: &str) -> GrpcRequest {
    GrpcRequest::new(&format!("/testing.Kinds/{method}"))
}

#[test]
fn the_kinds_answer_as_documented() {
    let app = GrpcApp::kinds();
    let client = GrpcClient::connect(app.port()).unwrap();
    let answer = client.call(&kind("Unary"), &["a"]).unwrap();
    answer.expect_ok(&["a"]);
    assert_eq!(answer.header("x-initial"), Some("1"));
    assert_eq!(answer.trailer("x-trailing"), Some("2"));
    let answer = client.call(&kind("ServerStream"), &["3"]).unwrap();
    answer.expect_ok(&["0", "1", "2"]);
    let answer = client.call(&kind("ClientStream"), &["a", "b"]).unwrap();
    answer.expect_ok(&["a,b"]);
    let answer = client.call(&kind("Bidi"), &["a", "b"]).unwrap();
    answer.expect_ok(&["a", "b"]);
    assert_eq!(app.take().len(), 4);

    let answer = client.call(&kind("Fail"), &[""]).unwrap();
    assert!(answer.trailers_only);
    assert_eq!(answer.end().details, failure().details);
    assert_eq!(answer.message(), failure().message);
    let answer = client.call(&kind("FailLate"), &[""]).unwrap();
    assert!(!answer.trailers_only);
    assert_eq!((answer.code(), answer.texts()), (9, vec!["before".into()]));
}

#[test]
fn a_reset_is_seen_before_and_after_the_half_close() {
    let app = GrpcApp::held();
    let client = GrpcClient::connect(app.port()).unwrap();
    for half_close in [false, true] {
        let mut stream = client.open(&kind("Any")).unwrap();
        stream.send("a").unwrap();
        let call = app.next();
        assert_eq!(call.receive().unwrap().text(), "a");
        call.head(&[]);
        stream.head().unwrap();
        if half_close {
            stream.finish();
            assert_eq!(call.receive(), None);
        }
        stream.reset(Reason::CANCEL);
        assert_eq!(call.wait_until_reset(), Reason::CANCEL);
        assert_eq!(call.seen().half_closed, half_close);
        assert!(!call.send("late"));
    }
}

#[test]
fn a_held_window_stops_the_writer() {
    let app = GrpcApp::held();
    let client = GrpcClient::with_window(app.port(), 1000).unwrap();
    let mut stream = client.open(&kind("Any")).unwrap();
    stream.hold();
    let call = app.next();
    call.head(&[]);
    stream.head().unwrap();
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| call.send(vec![0; 3000]));
        assert!(stream.is_silent(std::time::Duration::from_millis(100)));
        assert!(!sending.is_finished());
        stream.release();
        assert_eq!(stream.receive().unwrap().unwrap().data.len(), 3000);
        assert!(sending.join().unwrap());
    });
}

#[test]
fn a_draining_app_answers_what_it_has() {
    let app = GrpcApp::held();
    let client = GrpcClient::connect(app.port()).unwrap();
    let mut stream = client.open(&kind("Any")).unwrap();
    let call = app.next();
    std::thread::scope(|scope| {
        let draining = scope.spawn(|| app.drain());
        crate::holds("nobody can connect", || {
            GrpcClient::connect(app.port()).is_err()
        });
        assert!(!draining.is_finished());
        call.send("late");
        call.end(GrpcStatus::ok());
        stream.finish();
        stream.answer().unwrap().expect_ok(&["late"]);
        draining.join().unwrap();
    });
    client.open(&kind("Any")).unwrap_err();
}
