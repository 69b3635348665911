//! Streams that say nothing for a long time.

use std::thread;
use std::time::Duration;

use tests::GrpcApp;

use super::{Stage, stream_of};

/// One event each way, then silence, and so on. Each event is sent when the
/// one before has been seen.
fn survives(silences: &[Duration]) {
    let stage = Stage::new(GrpcApp::held());
    let client = stage.client();
    let mut stream = client.open(&stream_of("Events")).unwrap();
    stream.send("begin").unwrap();
    let call = stage.app.next();
    assert_eq!(call.receive().unwrap().text(), "begin");
    for (number, silence) in silences.iter().enumerate() {
        thread::sleep(*silence);
        assert!(call.send(format!("event {number}")), "{number}");
        stream.expect_text(&format!("event {number}"));
        stream.send(format!("seen {number}")).unwrap();
        assert_eq!(call.receive().unwrap().text(), format!("seen {number}"));
    }
    stream.finish();
    assert_eq!(call.receive(), None);
    call.end(tests::grpc_app::wire::GrpcStatus::ok());
    stream.answer().unwrap().expect_ok(&[]);
    assert_eq!(stage.app.count(), 1, "the stream was opened once");
    assert!(stage.app.pings().is_empty(), "apps are not pinged");
}

/// Sidecars ping each other after ten seconds without a word and give up five
/// seconds later: the first silence is longer than both together.
#[test]
fn a_silent_stream_outlives_keep_alive() {
    survives(&[Duration::from_secs(16), Duration::from_secs(6)]);
}

/// `cargo test --release --workspace --test suite -- --ignored
/// a_stream_with_long_silences_lives_half_an_hour`
#[test]
#[ignore = "needs 32 minutes"]
fn a_stream_with_long_silences_lives_half_an_hour() {
    survives(&[Duration::from_mins(4); 8]);
}
