//! Streams in flight when a sidecar ends: they finish, in every role it has,
//! and streams of others never notice.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use tests::grpc_app::wire::GrpcStatus;
use tests::{GrpcApp, GrpcClient, GrpcStream, HeldCall, Mesh, Sidecar, holds};

use super::{Stage, connect, kind};

/// Says something there and back.
#[track_caller]
fn exchange(stream: &mut GrpcStream, call: &HeldCall, text: &str) {
    stream.send(text).unwrap();
    assert_eq!(call.receive().expect("a message").text(), text);
    assert!(call.send(text), "the stream is broken");
    stream.expect_text(text);
}

/// A stream over `sidecar` through which something was said.
fn open(stage: &Stage, sidecar: &Sidecar) -> (GrpcClient, GrpcStream, HeldCall) {
    let client = connect(sidecar);
    let mut stream = client.open(&kind("Any")).unwrap();
    let call = stage.app.next();
    exchange(&mut stream, &call, "before");
    (client, stream, call)
}

/// Both sides end in good order.
#[track_caller]
fn finish(mut stream: GrpcStream, call: &HeldCall) {
    stream.finish();
    assert_eq!(call.receive(), None);
    call.end(GrpcStatus::ok().trailer("x-last", "1"));
    let answer = stream.answer().unwrap();
    answer.expect_ok(&[]);
    assert_eq!(answer.trailer("x-last"), Some("1"));
}

fn ends_gracefully(stage: &Stage, caller: &Sidecar, ending: &Sidecar) {
    let (client, mut stream, call) = open(stage, caller);
    ending.signal(Signal::SIGTERM);
    ending.wait_for_output("beginning shutdown");
    for text in ["during", "the end"] {
        exchange(&mut stream, &call, text);
    }
    // Nothing new is begun.
    holds("new calls are refused", || {
        let opened = GrpcClient::connect(caller.grpc()).ok();
        // The line is written before the doors are shut: until then a call may
        // reach the app, which does not answer it.
        let short = kind("Unary").timeout("500m");
        let refused = |client: GrpcClient| match client.call(&short, &["x"]) {
            Ok(answer) => answer.code() != 4,
            Err(broken) => broken.reset != Some(h2::Reason::CANCEL),
        };
        opened.is_none_or(refused)
    });
    let before = stage.app.count();
    if caller.app_id() == ending.app_id() {
        holds("the connection takes no new call", || {
            client.open(&kind("Unary")).is_err()
        });
    }
    exchange(&mut stream, &call, "after");
    finish(stream, &call);
    ending.wait_for_code(0);
    assert_eq!(stage.app.count(), before, "a new call reached the app");
}

#[test]
fn a_stream_finishes_while_the_callee_ends() {
    let stage = Stage::new(GrpcApp::held());
    ends_gracefully(&stage, &stage.caller, &stage.callee);
}

#[test]
fn a_stream_finishes_while_the_caller_ends() {
    let stage = Stage::new(GrpcApp::held());
    ends_gracefully(&stage, &stage.caller, &stage.caller);
}

#[test]
fn a_stream_to_the_own_app_finishes_while_the_sidecar_ends() {
    let stage = Stage::new(GrpcApp::held());
    ends_gracefully(&stage, &stage.callee, &stage.callee);
}

/// What outlives the grace period is cut, and does not look whole.
#[test]
fn a_stream_is_cut_when_the_time_is_over() {
    let short =
        |builder: tests::SidecarBuilder| builder.flag("dapr-graceful-shutdown-seconds", "1");
    let stage = Stage::with(GrpcApp::held(), short, |caller| caller);
    let (_client, stream, call) = open(&stage, &stage.caller);
    stage.callee.signal(Signal::SIGTERM);
    stage.callee.wait_for_code(1);
    if let Ok(answer) = stream.answer() {
        assert_ne!(answer.code(), 0, "{answer:?}");
    }
    call.wait_until("the app is told", |seen| seen.reset.is_some() || seen.lost);
}

/// An idle connection is told to go at once.
#[test]
fn idle_connections_do_not_hold_it_up() {
    let stage = Stage::new(GrpcApp::kinds());
    let client = stage.client();
    client
        .call(&kind("Unary"), &["x"])
        .unwrap()
        .expect_ok(&["x"]);
    stage.caller.signal(Signal::SIGTERM);
    stage.caller.wait_for_code(0);
    assert!(client.open(&kind("Unary")).is_err());
    stage.callee.signal(Signal::SIGTERM);
    stage.callee.wait_for_code(0);
}

/// Ends one of two replicas while both have streams and the caller goes on
/// calling.
#[test]
fn the_end_of_one_replica_is_nothing_to_the_other() {
    let mesh = Mesh::mtls();
    // A call named `Any` is held by the test, others are answered.
    let (first, second) = (GrpcApp::held(), GrpcApp::held());
    let unary = [GrpcApp::kinds(), GrpcApp::kinds()];
    let replicas = [&first, &second].map(|app| mesh.sidecar("callee").grpc_app(app).run());
    let others = [&unary[0], &unary[1]].map(|app| mesh.sidecar("plain").grpc_app(app).run());
    let caller = mesh.sidecar("caller").run();
    let client = connect(&caller);

    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut stream = client.open(&kind("Any")).unwrap();
        stream.send("hello").unwrap();
        let before = (first.count(), second.count());
        let (app, call) = reached(&first, &second);
        let _ = before;
        assert_eq!(call.receive().unwrap().text(), "hello");
        streams.push((app, stream, call));
    }
    let of_first = streams.iter().filter(|(app, ..)| *app == 0).count();
    assert!(
        (1..8).contains(&of_first),
        "one replica got all: {of_first}"
    );

    let stop = AtomicBool::new(false);
    let called = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let calling = scope.spawn(|| {
            let client = connect(&caller);
            while !stop.load(Ordering::SeqCst) {
                let request = super::path("Unary").to("plain");
                let answer = client.call(&request, &["x"]).unwrap();
                answer.expect_ok(&["x"]);
                called.fetch_add(1, Ordering::SeqCst);
            }
        });
        let go_on = |count: usize| {
            let goal = called.load(Ordering::SeqCst) + count;
            holds("calls go on", || {
                called.load(Ordering::SeqCst) >= goal || calling.is_finished()
            });
        };
        go_on(50);
        replicas[0].signal(Signal::SIGTERM);
        others[0].signal(Signal::SIGTERM);
        replicas[0].wait_for_output("beginning shutdown");
        others[0].wait_for_code(0);
        go_on(50);
        // Streams of both go on, those of the one that stays even after the
        // other has gone.
        for (number, (_, stream, call)) in streams.iter_mut().enumerate() {
            exchange(stream, call, &number.to_string());
        }
        let (ending, staying): (Vec<_>, Vec<_>) =
            streams.into_iter().partition(|(app, ..)| *app == 0);
        for (_, stream, call) in ending {
            finish(stream, &call);
        }
        replicas[0].wait_for_code(0);
        go_on(50);
        for (_, mut stream, call) in staying {
            exchange(&mut stream, &call, "still here");
            finish(stream, &call);
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert_ne!(unary[0].count(), 0, "one replica got all");
    assert_ne!(unary[1].count(), 0, "one replica got all");
}

/// The call that has just reached one of two apps, and which.
fn reached(first: &GrpcApp, second: &GrpcApp) -> (usize, HeldCall) {
    tests::eventually("a call reaches a replica", || {
        let of_first = first.try_next().map(|call| (0, call));
        of_first.or_else(|| second.try_next().map(|call| (1, call)))
    })
}
