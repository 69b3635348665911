//! Streams larger than any buffer: memory stays flat, every byte arrives,
//! and who reads slowly holds back who writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tests::grpc_app::wire::GrpcStatus;
use tests::grpc_app::{Listen, passed};
use tests::pattern::Pattern;
use tests::{Gate, GrpcApp, GrpcCall, GrpcClient, GrpcStream, PATIENCE};

use super::{Stage, call_of, stream_of};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// Bytes of one message.
const MESSAGE: usize = 64 * 1024;
/// What a stream may cost a sidecar, whatever its size.
const BUDGET: u64 = 32 * MIB;
/// Windows and buffers of the whole way: two ends, two sidecars.
const IN_FLIGHT: u64 = 4 * MIB;
/// More than that.
const MUCH: u64 = 16 * MIB;
/// Window of a client that is to feel the end of the way soon.
const WINDOW: u32 = 64 * 1024;

/// How much of the 1 GiB is streamed; 64 MiB with `DAPR_RS_SHORT_STREAMS`.
fn gibibyte() -> u64 {
    match std::env::var_os("DAPR_RS_SHORT_STREAMS") {
        Some(_) => 64 * MIB,
        None => 1024 * MIB,
    }
}

/// Sends so many bytes of the pattern; says how many in `sent`.
async fn pour(call: &mut GrpcCall, size: u64, sent: &AtomicU64) {
    let mut pattern = Pattern::new(size);
    while pattern.position() < size {
        let rest = usize::try_from(size - pattern.position()).unwrap();
        if !call.send(pattern.take(MESSAGE.min(rest))).await {
            return;
        }
        sent.store(pattern.position(), Ordering::SeqCst);
    }
    call.end(&GrpcStatus::ok());
}

/// Streams as many bytes as the first message says.
fn pouring(sent: &Arc<AtomicU64>) -> GrpcApp {
    let sent = sent.clone();
    GrpcApp::new(move |mut call| {
        let sent = sent.clone();
        async move {
            if call.method() == "Unary" {
                return tests::grpc_app::kinds(call).await;
            }
            let size = call.receive().await.and_then(|m| m.text().parse().ok());
            pour(&mut call, size.unwrap_or(0), &sent).await;
        }
    })
}

/// Reads the pattern to the end of the stream.
fn expect_pattern(stream: &mut GrpcStream, size: u64) {
    let mut pattern = Pattern::new(size);
    while let Some(message) = stream.receive().unwrap() {
        assert!(
            pattern.check(&message.data),
            "a wrong byte before {}",
            pattern.position()
        );
    }
    assert_eq!(pattern.position(), size);
}

/// The value at which a counter stays.
fn stands(what: &str, counter: &AtomicU64) -> u64 {
    const LOOKS: u32 = 10;
    let (mut before, mut equal) = (u64::MAX, 0);
    tests::eventually(what, || {
        thread::sleep(Duration::from_millis(20));
        let now = counter.load(Ordering::SeqCst);
        equal = if now > 0 && now == before {
            equal + 1
        } else {
            0
        };
        before = now;
        (equal == LOOKS).then_some(now)
    })
}

fn assert_memory_is_flat(stage: &Stage, before: [u64; 2], what: &str) {
    let grown = stage.peak_growth(before);
    println!(
        "{what}: caller grew by {} KiB, callee by {} KiB",
        grown[0] / KIB,
        grown[1] / KIB
    );
    assert!(
        grown.iter().all(|grown| *grown < BUDGET),
        "{what}: {grown:?}"
    );
}

#[test]
fn a_gibibyte_costs_no_memory() {
    let size = gibibyte();
    let stage = Stage::new(pouring(&Arc::default()));
    let before = stage.rss();
    let mut stream = stage.client().open(&stream_of("Down")).unwrap();
    stream.send(size.to_string()).unwrap();
    stream.finish();
    expect_pattern(&mut stream, size);
    stream.answer().unwrap().expect_ok(&[]);
    assert_memory_is_flat(&stage, before, "a server stream");
}

#[test]
fn a_client_that_does_not_read_holds_the_app_back() {
    let sent = Arc::new(AtomicU64::new(0));
    let stage = Stage::new(pouring(&sent));
    let before = stage.rss();
    let client = GrpcClient::with_window(stage.caller.grpc(), WINDOW).unwrap();
    let mut stream = client.open(&stream_of("Down")).unwrap();
    stream.hold();
    stream.send((4 * MUCH).to_string()).unwrap();
    stream.finish();
    stream.head().unwrap();
    let stood_at = stands("the app is held back", &sent);
    println!("the app was held back after {} KiB", stood_at / KIB);
    assert!(stood_at < IN_FLIGHT, "{stood_at} bytes are on their way");
    stream.release();
    expect_pattern(&mut stream, 4 * MUCH);
    stream.answer().unwrap().expect_ok(&[]);
    assert_memory_is_flat(&stage, before, "a client that reads late");
}

/// Checks what comes, but takes nothing before the gate opens.
fn late_reader(gate: &Arc<Gate>) -> GrpcApp {
    let gate = gate.clone();
    let listen = Listen {
        window: Some(WINDOW),
        forgets: true,
        ..Listen::default()
    };
    GrpcApp::listening(listen, move |mut call| {
        let gate = gate.clone();
        async move {
            call.hold();
            call.head(&[]);
            passed(&gate).await;
            call.release();
            let mut pattern = Pattern::new(0);
            let mut sound = true;
            while let Some(message) = call.receive().await {
                sound &= pattern.check(&message.data);
            }
            call.send(format!("{sound} {}", pattern.position())).await;
            call.end(&GrpcStatus::ok());
        }
    })
}

/// Sends so many bytes of the pattern, waiting for room; says how many.
fn push(stream: &mut GrpcStream, size: u64, sent: &AtomicU64) {
    let mut pattern = Pattern::new(0);
    while pattern.position() < size {
        let piece = pattern.take(MESSAGE);
        assert!(stream.send_within(PATIENCE, piece).unwrap());
        sent.store(pattern.position(), Ordering::SeqCst);
    }
    stream.finish();
}

#[test]
fn an_app_that_does_not_read_holds_the_client_back() {
    let gate = Arc::new(Gate::new());
    let stage = Stage::new(late_reader(&gate));
    let before = stage.rss();
    let size = 4 * MUCH;
    let mut stream = stage.client().open(&stream_of("Up")).unwrap();
    let sent = AtomicU64::new(0);
    let stream = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            push(&mut stream, size, &sent);
            stream
        });
        let stood_at = stands("the client is held back", &sent);
        println!("the client was held back after {} KiB", stood_at / KIB);
        assert!(stood_at < IN_FLIGHT, "{stood_at} bytes are on their way");
        gate.open();
        writer.join().unwrap()
    });
    stream
        .answer()
        .unwrap()
        .expect_ok(&[&format!("true {size}")]);
    assert_memory_is_flat(&stage, before, "an app that reads late");
}

/// Takes everything and streams as much back, independently.
fn both_ways(gate: &Arc<Gate>) -> GrpcApp {
    let gate = gate.clone();
    let listen = Listen {
        window: Some(WINDOW),
        forgets: true,
        ..Listen::default()
    };
    GrpcApp::listening(listen, move |mut call| {
        let gate = gate.clone();
        async move {
            if !gate.is_open() {
                call.hold();
            }
            let mut out = Pattern::new(MUCH);
            while out.position() < MUCH {
                if !call.send(out.take(MESSAGE)).await {
                    return;
                }
            }
            passed(&gate).await;
            call.release();
            let mut pattern = Pattern::new(0);
            let mut sound = true;
            while let Some(message) = call.receive().await {
                sound &= pattern.check(&message.data);
            }
            let code = u32::from(!sound || pattern.position() != MUCH);
            call.end(&GrpcStatus::error(code, ""));
        }
    })
}

#[test]
fn a_client_may_send_everything_before_it_reads_anything() {
    let gate = Arc::new(Gate::new());
    gate.open();
    let stage = Stage::new(both_ways(&gate));
    let client = GrpcClient::with_window(stage.caller.grpc(), WINDOW).unwrap();
    let mut stream = client.open(&stream_of("Both")).unwrap();
    stream.hold();
    push(&mut stream, MUCH, &AtomicU64::new(0));
    stream.release();
    expect_pattern(&mut stream, MUCH);
    stream.answer().unwrap().expect_ok(&[]);
}

#[test]
fn an_app_may_send_everything_before_it_reads_anything() {
    let gate = Arc::new(Gate::new());
    let stage = Stage::new(both_ways(&gate));
    let mut stream = stage.client().open(&stream_of("Both")).unwrap();
    thread::scope(|scope| {
        let mut pattern = Pattern::new(0);
        while pattern.position() < MUCH {
            stream.send(pattern.take(MESSAGE)).unwrap();
        }
        stream.finish();
        let mut out = Pattern::new(MUCH);
        while out.position() < MUCH {
            let message = stream.receive().unwrap().unwrap();
            assert!(out.check(&message.data), "{}", out.position());
        }
        scope.spawn(|| gate.open());
    });
    stream.answer().unwrap().expect_ok(&[]);
}

/// Sixteen readers that stopped hold more than any window of a connection.
#[test]
fn streams_that_stand_still_do_not_stop_others() {
    let sent = Arc::new(AtomicU64::new(0));
    let stage = Stage::new(pouring(&sent));
    let client = GrpcClient::with_window(stage.caller.grpc(), WINDOW).unwrap();
    let mut standing: Vec<_> = (0..16)
        .map(|_| {
            let mut stream = client.open(&stream_of("Down")).unwrap();
            stream.hold();
            stream.send(MUCH.to_string()).unwrap();
            stream.finish();
            stream.head().unwrap();
            stream
        })
        .collect();
    stands("the app is held back", &sent);
    others_are_served(&stage, &client);
    let mut stream = standing.remove(0);
    drop(standing);
    stream.release();
    expect_pattern(&mut stream, MUCH);
}

/// As many small messages as fill every window many times over in number,
/// though hardly in bytes.
const SMALL: u64 = 50_000;

/// Calls go on beside whatever stands still.
fn others_are_served(stage: &Stage, client: &GrpcClient) {
    for client in [client, &stage.client()] {
        for _ in 0..20 {
            let answer = client.call(&call_of("Unary"), &["x"]).unwrap();
            answer.expect_ok(&["x"]);
        }
    }
}

#[test]
fn a_client_that_does_not_read_small_messages_harms_nobody() {
    let stage = Stage::new(GrpcApp::kinds());
    let client = stage.client();
    let before = stage.rss();
    let mut stream = client.open(&stream_of("ServerStream")).unwrap();
    stream.hold();
    stream.send(SMALL.to_string()).unwrap();
    stream.finish();
    stream.head().unwrap();
    others_are_served(&stage, &client);
    thread::sleep(Duration::from_millis(500));
    others_are_served(&stage, &client);
    stream.release();
    for number in 0..SMALL {
        stream.expect_text(&number.to_string());
    }
    stream.answer().unwrap().expect_ok(&[]);
    assert_memory_is_flat(&stage, before, "small messages to a client");
}

/// Takes numbers in their order once the gate is open; `Unary` at any time.
fn late_counter(gate: &Arc<Gate>) -> GrpcApp {
    let gate = gate.clone();
    let listen = Listen {
        window: Some(WINDOW),
        forgets: true,
        ..Listen::default()
    };
    GrpcApp::listening(listen, move |mut call| {
        let gate = gate.clone();
        async move {
            if call.method() == "Unary" {
                return tests::grpc_app::kinds(call).await;
            }
            call.hold();
            call.head(&[]);
            passed(&gate).await;
            call.release();
            let (mut count, mut sound) = (0_u64, true);
            while let Some(message) = call.receive().await {
                sound &= message.text() == count.to_string();
                count += 1;
            }
            call.send(format!("{sound} {count}")).await;
            call.end(&GrpcStatus::ok());
        }
    })
}

#[test]
fn an_app_that_does_not_read_small_messages_harms_nobody() {
    let gate = Arc::new(Gate::new());
    let stage = Stage::new(late_counter(&gate));
    let client = stage.client();
    let before = stage.rss();
    let mut stream = client.open(&stream_of("Up")).unwrap();
    let sent = AtomicU64::new(0);
    let stream = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..SMALL {
                assert!(stream.send_within(PATIENCE, number.to_string()).unwrap());
                sent.store(number + 1, Ordering::SeqCst);
            }
            stream.finish();
            stream
        });
        stands("the client is held back, or done", &sent);
        others_are_served(&stage, &client);
        gate.open();
        writer.join().unwrap()
    });
    stream
        .answer()
        .unwrap()
        .expect_ok(&[&format!("true {SMALL}")]);
    assert_memory_is_flat(&stage, before, "small messages to an app");
}
