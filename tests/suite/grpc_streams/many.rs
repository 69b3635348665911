//! A thousand streams at once: nobody gets another's message, and nothing is
//! left of them afterwards.

use tests::{GrpcApp, GrpcClient, GrpcStream};

use super::{Stage, call_of, stream_of};

const STREAMS: usize = 1000;
const MESSAGES: usize = 5;
/// What an allocator may keep more after thousands of streams than before.
const SLACK: u64 = 2 << 20;
/// What one idle stream may cost a sidecar.
const IDLE_STREAM: u64 = 6 << 10;

/// The message of a stream in a round; sizes differ from stream to stream.
fn text(tag: usize, round: usize) -> String {
    let padding = "x".repeat(tag * 7 % 2000);
    format!("{tag} {round} {padding}")
}

/// All streams are open before the first message, and each round is sent on
/// all of them before any answer is read.
fn round_trip(clients: &[GrpcClient]) {
    let mut streams: Vec<GrpcStream> = (0..STREAMS)
        .map(|tag| {
            let request = match tag % 2 {
                0 => stream_of("Bidi"),
                _ => call_of("Bidi"),
            };
            let request = request.metadata("x-tag", &tag.to_string());
            clients[tag % clients.len()].open(&request).unwrap()
        })
        .collect();
    for round in 0..MESSAGES {
        for (tag, stream) in streams.iter_mut().enumerate() {
            stream.send(text(tag, round)).unwrap();
        }
        for (tag, stream) in streams.iter_mut().enumerate() {
            stream.expect_text(&text(tag, round));
        }
    }
    for stream in &mut streams {
        stream.finish();
    }
    for stream in streams {
        stream.answer().unwrap().expect_ok(&[]);
    }
}

#[test]
fn a_thousand_streams_keep_apart_and_leave_nothing() {
    let stage = Stage::new(GrpcApp::kinds());
    // One connection alone has to carry most of what an SDK opens.
    let clients = [stage.client()];
    round_trip(&clients);
    let seen = stage.app.take();
    assert_eq!(seen.len(), STREAMS);
    for call in &seen {
        let tag: usize = call.header("x-tag").unwrap().parse().unwrap();
        let expected: Vec<_> = (0..MESSAGES).map(|round| text(tag, round)).collect();
        assert_eq!(call.texts(), expected);
        assert!(call.half_closed && call.reset.is_none(), "{tag}");
    }
    let mut warm = [0, 0];
    for _ in 0..4 {
        round_trip(&clients);
        stage.app.take();
        // How much stands at a time differs from round to round.
        let now = stage.rss();
        warm = [warm[0].max(now[0]), warm[1].max(now[1])];
    }
    for _ in 0..4 {
        round_trip(&clients);
        stage.app.take();
    }
    let now = stage.rss();
    println!("up to 5,000 streams {warm:?} bytes, after 4,000 more {now:?}");
    tests::holds("memory is back to where it was", || {
        let now = stage.rss();
        now[0] <= warm[0] + SLACK && now[1] <= warm[1] + SLACK
    });
}

#[test]
fn an_idle_stream_costs_little() {
    let stage = Stage::new(GrpcApp::kinds());
    let client = stage.client();
    client
        .call(&call_of("Bidi"), &["x"])
        .unwrap()
        .expect_ok(&["x"]);
    let before = stage.rss();
    let streams: Vec<GrpcStream> = (0..STREAMS)
        .map(|_| {
            let mut stream = client.open(&stream_of("Bidi")).unwrap();
            stream.send("x").unwrap();
            stream.expect_text("x");
            stream
        })
        .collect();
    let open = stage.rss();
    let each = [0, 1].map(|side| open[side].saturating_sub(before[side]) / STREAMS as u64);
    println!("an idle stream costs caller and callee {each:?} bytes");
    assert!(each.iter().all(|each| *each <= IDLE_STREAM), "{each:?}");
    drop(streams);
    tests::holds("the app knows that they are gone", || {
        let seen = stage.app.seen();
        seen.iter().filter(|call| call.reset.is_some()).count() == STREAMS
    });
}

#[test]
fn streams_of_several_clients_keep_apart() {
    let stage = Stage::new(GrpcApp::kinds());
    let clients = [stage.client(), stage.client(), stage.client()];
    round_trip(&clients);
    assert_eq!(stage.app.take().len(), STREAMS);
}
