//! How calls begin and end: in what order, and who learns of it.

use std::time::Duration;

use h2::Reason;
use tests::grpc_app::wire::GrpcStatus;
use tests::{GrpcApp, GrpcClient, GrpcStream, HeldCall};

use super::super::{Stage, kind};
use crate::table::Table;

/// A call that has reached the app, with nothing read of it.
fn begun(stage: &Stage, client: &GrpcClient) -> (GrpcStream, HeldCall) {
    let mut stream = client.open(&kind("Any")).unwrap();
    stream.send("first").unwrap();
    (stream, stage.app.next())
}

#[test]
fn each_side_speaks_when_it_wants() {
    let stage = Stage::new(GrpcApp::held());
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        table.row(&format!("{way}, metadata before any message"), || {
            let mut stream = client.open(&kind("Any")).unwrap();
            let call = stage.app.next();
            call.head(&[("x-early", "1")]);
            let (status, headers) = stream.head().unwrap();
            assert_eq!(status, 200);
            assert_eq!(headers.get("x-early").unwrap(), "1");
            assert_eq!(call.seen().messages, []);
            stream.send("a").unwrap();
            assert_eq!(call.receive().unwrap().text(), "a");
            assert!(call.send("b"));
            stream.expect_text("b");
        });
        table.row(&format!("{way}, the app speaks first"), || {
            let mut stream = client.open(&kind("Any")).unwrap();
            let call = stage.app.next();
            for text in ["a", "b"] {
                assert!(call.send(text));
                stream.expect_text(text);
            }
            stream.send("c").unwrap();
            assert_eq!(call.receive().unwrap().text(), "c");
        });
        table.row(&format!("{way}, the caller ends first"), || {
            let (mut stream, call) = begun(&stage, &client);
            stream.finish();
            assert_eq!(call.receive().unwrap().text(), "first");
            assert_eq!(call.receive(), None);
            assert!(call.seen().half_closed);
            for text in ["a", "b"] {
                assert!(call.send(text));
                stream.expect_text(text);
            }
            call.end(GrpcStatus::ok().trailer("x-last", "1"));
            let answer = stream.answer().unwrap();
            answer.expect_ok(&[]);
            assert_eq!(answer.trailer("x-last"), Some("1"));
        });
        table.row(&format!("{way}, the app ends first"), || {
            let (stream, call) = begun(&stage, &client);
            call.send("a");
            call.end(GrpcStatus::error(9, "enough"));
            let answer = stream.answer().unwrap();
            answer.expect(9, "enough");
            assert_eq!(answer.texts(), ["a"]);
        });
        table.row(&format!("{way}, refused before anything was sent"), || {
            let stream = client.open(&kind("Any")).unwrap();
            stage.app.next().end(GrpcStatus::error(9, "no"));
            stream.answer().unwrap().expect(9, "no");
        });
    }
}

#[test]
fn a_status_arrives_whatever_its_caller_is_still_sending() {
    let stage = Stage::new(GrpcApp::new(|mut call| async move {
        call.receive().await;
        call.end(&GrpcStatus::error(9, "enough"));
    }));
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        table.row(way, || {
            for _ in 0..300 {
                let mut stream = client.open(&kind("Any")).unwrap();
                // Refused once the app has hung up.
                let _ = (0..50).try_for_each(|_| stream.send([b'x'; 1000]));
                stream.answer().unwrap().expect(9, "enough");
            }
        });
    }
}

#[test]
fn a_call_given_up_is_given_up_at_the_app() {
    let stage = Stage::new(GrpcApp::held());
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        table.row(&format!("{way}, while speaking"), || {
            let (mut stream, call) = begun(&stage, &client);
            assert_eq!(call.receive().unwrap().text(), "first");
            stream.reset(Reason::CANCEL);
            assert_eq!(call.wait_until_reset(), Reason::CANCEL);
            let seen = call.seen();
            assert_eq!(seen.texts(), ["first"], "something came before the reset");
            assert!(!seen.half_closed, "it looks like a whole request");
        });
        table.row(&format!("{way}, after the answer began"), || {
            let (mut stream, call) = begun(&stage, &client);
            call.send("a");
            stream.expect_text("a");
            stream.reset(Reason::CANCEL);
            assert_eq!(call.wait_until_reset(), Reason::CANCEL);
            assert!(!call.seen().half_closed, "it looks like a whole request");
        });
        table.row(&format!("{way}, while only listening"), || {
            let (mut stream, call) = begun(&stage, &client);
            stream.finish();
            call.wait_until("the half-close", |seen| seen.half_closed);
            stream.reset(Reason::CANCEL);
            assert_eq!(call.wait_until_reset(), Reason::CANCEL);
        });
    }
    // The client is gone with its connection, which here is the only handle.
    for (way, client) in stage.ways() {
        table.row(&format!("{way}, with the connection"), || {
            let (stream, call) = begun(&stage, &client);
            drop((stream, client));
            call.wait_until_reset();
            assert!(!call.seen().half_closed, "it looks like a whole request");
        });
    }
}

#[test]
fn a_call_the_app_gives_up_fails_at_the_caller() {
    let stage = Stage::new(GrpcApp::held());
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        for reason in [
            Reason::CANCEL,
            Reason::INTERNAL_ERROR,
            Reason::REFUSED_STREAM,
        ] {
            table.row(&format!("{way}, {reason:?} before the answer"), || {
                let (stream, call) = begun(&stage, &client);
                call.reset(reason);
                not_good(stream);
            });
            table.row(&format!("{way}, {reason:?} in the answer"), || {
                let (mut stream, call) = begun(&stage, &client);
                call.send("a");
                stream.expect_text("a");
                call.reset(reason);
                not_good(stream);
            });
        }
    }
    table.row("with all connections", || {
        let streams: Vec<_> = stage
            .ways()
            .iter()
            .map(|(_, client)| {
                let (mut stream, call) = begun(&stage, client);
                call.send("a");
                stream.expect_text("a");
                (stream, call)
            })
            .collect();
        stage.app.stop();
        for (stream, _) in streams {
            not_good(stream);
        }
    });
}

/// It ended, and nobody can take it for a success.
#[track_caller]
fn not_good(stream: GrpcStream) {
    if let Ok(answer) = stream.answer() {
        assert_ne!(answer.code(), 0, "{answer:?}");
    }
}

#[test]
fn the_rest_of_a_deadline_reaches_the_app() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        for (value, whole) in [
            ("20S", Duration::from_secs(20)),
            ("2M", Duration::from_mins(2)),
            ("30000m", Duration::from_secs(30)),
            ("1H", Duration::from_hours(1)),
        ] {
            table.row(&format!("{way}, {value}"), || {
                let request = kind("Unary").timeout(value);
                client.call(&request, &["x"]).unwrap().expect_ok(&["x"]);
                let seen = stage.app.take_one();
                let [left] = seen.values("grpc-timeout")[..] else {
                    panic!("one grpc-timeout: {seen:?}");
                };
                let left = duration(left);
                assert!(left <= whole, "{left:?} of {whole:?}");
                assert!(left > whole / 2, "{left:?} of {whole:?}");
            });
        }
    }
}

/// `grpc-timeout` as time.
#[track_caller]
fn duration(value: &str) -> Duration {
    let (number, unit) = value.split_at(value.len() - 1);
    assert!((1..=8).contains(&number.len()), "{value}");
    let number: u64 = number.parse().unwrap();
    match unit {
        "H" => Duration::from_hours(number),
        "M" => Duration::from_mins(number),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => panic!("{value}"),
    }
}

/// Nobody but the sidecars watches the clock here.
#[test]
fn a_deadline_ends_the_call_on_both_sides() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        for method in ["Silent", "Hang"] {
            table.row(&format!("{way}, {method}"), || {
                // A busy machine may need more time to bring it to the app.
                let seen = ["300m", "3S", "30S"].iter().find_map(|time| {
                    let mut stream = client.open(&kind(method).timeout(time)).unwrap();
                    stream.send("x").unwrap();
                    match stream.answer() {
                        Ok(answer) => assert_eq!(answer.code(), 4, "{answer:?}"),
                        Err(broken) => assert_eq!(broken.reset, Some(Reason::CANCEL)),
                    }
                    tests::holds("the app is told", || {
                        stage.app.seen().iter().all(|seen| seen.reset.is_some())
                    });
                    stage.app.take().pop()
                });
                let seen = seen.expect("the app saw it");
                assert!(!seen.half_closed, "it looks like a whole request");
            });
        }
    }
}

#[test]
fn nonsense_in_the_deadline_is_refused() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    let client = stage.client();
    for value in ["", "5", "S", "x5S", "123456789S", "5X", "-1S"] {
        table.row(&format!("{value:?}"), || {
            match client.call(&kind("Unary").timeout(value), &["x"]) {
                Ok(answer) => assert_ne!(answer.code(), 0, "{answer:?}"),
                Err(broken) => assert_ne!(broken.reset, None, "{broken}"),
            }
            assert_eq!(stage.app.take().len(), 0, "the app saw it");
        });
    }
    table.row("the connection is as good as before", || {
        client
            .call(&kind("Unary"), &["x"])
            .unwrap()
            .expect_ok(&["x"]);
    });
}
