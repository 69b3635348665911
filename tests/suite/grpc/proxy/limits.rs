//! How much may be said at once.

use tests::grpc_app::wire::GrpcStatus;
use tests::grpc_app::{Listen, kinds};
use tests::{GrpcApp, GrpcRequest, Sidecar};

use super::super::{NONE, Stage, connect, kind};
use crate::table::Table;

/// Limit of one sidecar in each test.
const LIMIT: usize = 64 << 10;

/// Answers one message of as many bytes as `x-answer` says.
fn sized() -> GrpcApp {
    GrpcApp::new(|mut call| async move {
        call.receive_all().await;
        let length = call.header("x-answer").and_then(|n| n.parse().ok());
        call.send(vec![b'a'; length.unwrap_or(0)]).await;
        call.end(&GrpcStatus::ok());
    })
}

fn answering(length: usize) -> GrpcRequest {
    kind("Any").metadata("x-answer", &length.to_string())
}

#[test]
fn one_message_is_limited_and_their_sum_is_not() {
    let limited = |builder: tests::SidecarBuilder| builder.flag("max-body-size", "64Ki");
    let at_caller = Stage::with(sized(), |callee| callee, limited);
    let at_callee = Stage::with(sized(), limited, |caller| caller);
    let mut table = Table::default();
    let places: [(&str, &Stage, &Sidecar); 3] = [
        ("the caller's", &at_caller, &at_caller.caller),
        ("the callee's", &at_callee, &at_callee.caller),
        ("the own", &at_callee, &at_callee.callee),
    ];
    for (place, stage, sidecar) in places {
        let client = connect(sidecar);
        table.row(&format!("{place} limit, at it"), || {
            let answer = client
                .call(&answering(LIMIT), &[vec![b'q'; LIMIT]])
                .unwrap();
            answer.expect(0, "");
            assert_eq!(answer.messages[0].data.len(), LIMIT);
            assert_eq!(stage.app.take_one().messages[0].data.len(), LIMIT);
        });
        table.row(&format!("{place} limit, many messages"), || {
            let piece = vec![b'q'; LIMIT / 2];
            let answer = client.call(&answering(0), &vec![piece; 10]).unwrap();
            answer.expect_ok(&[""]);
            assert_eq!(stage.app.take_one().messages.len(), 10);
        });
        let text = format!(
            "grpc: received message larger than max ({} vs. {LIMIT})",
            LIMIT + 1
        );
        table.row(&format!("{place} limit, request over it"), || {
            let answer = client
                .call(&answering(0), &[vec![b'q'; LIMIT + 1]])
                .unwrap();
            answer.expect(8, &text);
            for seen in stage.app.take() {
                assert_eq!(seen.messages, [], "the app got it");
            }
        });
        table.row(&format!("{place} limit, answer over it"), || {
            let answer = client.call(&answering(LIMIT + 1), NONE).unwrap();
            answer.expect(8, &text);
            assert_eq!(answer.messages, []);
            stage.app.take();
        });
    }
}

/// The length is refused, not the bytes: they need not come.
#[test]
fn a_length_over_the_limit_is_refused_before_its_bytes() {
    let stage = Stage::new(sized());
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        table.row(way, || {
            let mut stream = client.open(&answering(0)).unwrap();
            stream
                .send_raw(vec![0, 0xff, 0xff, 0xff, 0xff, b'q'].into())
                .unwrap();
            let answer = stream.answer().unwrap();
            answer.expect(
                8,
                "grpc: received message larger than max (4294967295 vs. 4194304)",
            );
            stage.app.take();
        });
    }
}

#[test]
fn the_default_limit_is_four_mebibytes() {
    let stage = Stage::new(sized());
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        table.row(way, || {
            let whole = 4 << 20;
            let answer = client
                .call(&answering(whole), &[vec![b'q'; whole]])
                .unwrap();
            answer.expect(0, "");
            assert_eq!(answer.messages[0].data.len(), whole);
            let answer = client
                .call(&answering(0), &[vec![b'q'; whole + 1]])
                .unwrap();
            assert_eq!(answer.code(), 8, "{answer:?}");
            stage.app.take();
        });
    }
}

#[test]
fn metadata_may_be_large() {
    let big = "m".repeat(15 << 10);
    let names = ["x-a", "x-b", "x-c", "x-d"];
    let app = GrpcApp::new(move |mut call| async move {
        call.receive_all().await;
        let entries: Vec<_> = names
            .iter()
            .map(|name| (*name, call.header(name).unwrap_or_default().to_owned()))
            .collect();
        let entries: Vec<_> = entries.iter().map(|(n, v)| (*n, v.as_str())).collect();
        call.head(&entries);
        call.send("x").await;
        let status = entries
            .iter()
            .fold(GrpcStatus::ok(), |status, (name, value)| {
                status.trailer(name, value)
            });
        call.end(&status);
    });
    let stage = Stage::new(app);
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        table.row(way, || {
            let request = names
                .iter()
                .fold(kind("Any"), |request, name| request.metadata(name, &big));
            let answer = client.call(&request, &["x"]).unwrap();
            answer.expect_ok(&["x"]);
            let seen = stage.app.take_one();
            for name in names {
                assert_eq!(seen.header(name), Some(big.as_str()));
                assert_eq!(answer.header(name), Some(big.as_str()));
                assert_eq!(answer.trailer(name), Some(big.as_str()));
            }
        });
    }
}

/// What ends inside a message is no message.
#[test]
fn half_a_message_is_a_failure() {
    let app = GrpcApp::new(|mut call| async move {
        call.receive_all().await;
        call.send_raw(vec![0, 0, 0, 0, 9, b'h'].into()).await;
        call.end(&GrpcStatus::ok());
    });
    let stage = Stage::new(app);
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        table.row(&format!("{way}, in the answer"), || {
            if let Ok(answer) = client.call(&kind("Any"), &["x"]) {
                assert_ne!(answer.code(), 0, "{answer:?}");
                assert_eq!(answer.messages, []);
            }
            stage.app.take();
        });
        table.row(&format!("{way}, in the request"), || {
            let mut stream = client.open(&kind("Any")).unwrap();
            stream.send_raw(vec![0, 0, 0, 0, 9, b'h'].into()).unwrap();
            stream.finish();
            if let Ok(answer) = stream.answer() {
                assert_ne!(answer.code(), 0, "{answer:?}");
            }
            for seen in stage.app.take() {
                assert_eq!(seen.messages, []);
            }
        });
    }
}

/// An app says how many calls it takes at a time; the others wait for it.
#[test]
fn calls_wait_for_an_app_that_takes_few_at_a_time() {
    let listen = Listen {
        streams: Some(10),
        ..Listen::default()
    };
    let stage = Stage::new(GrpcApp::listening(listen, kinds));
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        table.row(way, || {
            let mut streams: Vec<_> = (0..50)
                .map(|_| client.open(&kind("Bidi")).unwrap())
                .collect();
            for (number, stream) in streams.iter_mut().enumerate() {
                stream.send(number.to_string()).unwrap();
                stream.finish();
            }
            for (number, stream) in streams.into_iter().enumerate() {
                let answer = stream.answer().unwrap();
                answer.expect_ok(&[&number.to_string()]);
            }
            assert_eq!(stage.app.take().len(), 50);
        });
    }
}
