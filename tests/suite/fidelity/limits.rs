//! Sizes at and over their limit, and how many calls an app gets at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tests::{After, Gate, RawApp, RawClient};

use super::{Stage, WAYS};
use crate::table::Table;

const LIMIT: usize = 4 << 20;

#[test]
fn a_body_at_the_limit_passes_and_one_byte_more_does_not() {
    let stage = Stage::new();
    let body = vec![b'x'; LIMIT + 1];
    let chunks = |size: usize| body[..size].chunks(65_536).collect::<Vec<_>>();
    let mut table = Table::default();
    for way in WAYS {
        let post = |path| way.request("POST", path);
        for (framing, request) in [
            ("sized", post("exact").body(&body[..LIMIT])),
            ("chunked", post("exact").chunked(&chunks(LIMIT))),
        ] {
            table.row(&format!("at the limit, {framing}, {way}"), || {
                request.send(stage.caller.http()).expect(200, "ok");
                let mut seen = stage.app(way).seen();
                seen.retain(|seen| seen.target == "/exact");
                let seen = seen.last().unwrap();
                assert_eq!((seen.body.len(), seen.complete), (LIMIT, true));
            });
        }
        for (framing, request) in [
            ("sized", post("over").body(&body)),
            ("chunked", post("over").chunked(&chunks(LIMIT + 1))),
        ] {
            table.row(&format!("one byte more, {framing}, {way}"), || {
                let answer = request.send(stage.caller.http());
                assert_eq!(answer.status, 500, "{answer:?}");
                let json = answer.json();
                assert_eq!(json["errorCode"], "ERR_DIRECT_INVOKE");
                let message = json["message"].as_str().unwrap();
                assert!(message.contains("stream too large"), "{message}");
            });
        }
    }
    for (name, app) in [("own", &stage.own_app), ("other", &stage.other_app)] {
        table.row(
            &format!("the {name} app never believes in the whole"),
            || {
                tests::holds("every request has ended", || {
                    app.seen().iter().all(|seen| seen.ended)
                });
                let seen = app.take();
                let whole = seen
                    .iter()
                    .find(|seen| seen.target == "/over" && seen.complete);
                assert!(whole.is_none(), "{whole:?}");
            },
        );
    }
}

#[test]
fn a_raised_limit_lets_more_through() {
    let stage = Stage::with_flags(
        RawApp::scripted(),
        RawApp::scripted(),
        &[("max-body-size", "8Mi")],
    );
    let body = vec![b'x'; 6 << 20];
    for way in WAYS {
        way.request("POST", "x")
            .body(&body)
            .send(stage.caller.http())
            .expect(200, "ok");
        assert_eq!(stage.app(way).take_one().body.len(), body.len(), "{way}");
    }
}

#[test]
fn answers_have_no_limit() {
    let stage = Stage::new();
    let length = 9 << 20;
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + length, b'y');
    stage.script(&answer, After::Keep);
    for way in WAYS {
        let answer = way.request("GET", "x").send(stage.caller.http());
        assert_eq!((answer.body.len(), answer.cut), (length, None), "{way}");
    }
}

#[test]
fn an_answer_to_an_unread_body_ends_the_connection() {
    let caller = tests::sidecar("caller").run();
    let target = tests::invoke_path("nobody", "x");
    for (unsent, closes) in [(1_000_000, true), (0, false)] {
        let mut client = RawClient::connect(caller.http());
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\nbody",
            4 + unsent
        );
        client.send(head).unwrap();
        let answer = client.response("POST").unwrap();
        assert_eq!(answer.status, 500, "{answer:?}");
        let told = answer.header("connection") == Some("close");
        assert_eq!(told, closes, "{answer:?}");
        if closes {
            assert!(client.is_closed(), "the connection stays open");
        } else {
            client
                .send(format!(
                    "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
                ))
                .unwrap();
            assert_eq!(client.response("POST").unwrap().status, 500);
        }
    }
}

#[test]
fn clients_may_finish_sending_what_nobody_reads() {
    let caller = tests::sidecar("caller").run();
    let target = tests::invoke_path("nobody", "x");
    let request =
        |framing: &str| format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
    let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
    for (chunks, stays) in [(10, true), (500, false)] {
        let mut client = RawClient::connect(caller.http());
        client.send(request("Transfer-Encoding: chunked")).unwrap();
        for _ in 0..chunks {
            client.send(&chunk).unwrap();
        }
        client.send("0\r\n\r\n").unwrap();
        let answer = client.response("POST").unwrap();
        assert_eq!(answer.status, 500, "{answer:?}");
        let told = answer.header("connection") == Some("close");
        assert_eq!(told, !stays, "{chunks} chunks: {answer:?}");
        if stays {
            client.send(request("Content-Length: 0")).unwrap();
            assert_eq!(client.response("POST").unwrap().status, 500);
        }
    }
}

#[test]
fn a_header_block_over_the_limit_is_refused() {
    let stage = Stage::new();
    let mut table = Table::default();
    for way in WAYS {
        for (size, passes) in [(7_900, true), (8_600, false)] {
            table.row(&format!("{size} bytes of headers, {way}"), || {
                stage.forget();
                let empty = way
                    .request("GET", "x")
                    .header("X-Pad", "")
                    .to_bytes(12_345)
                    .len();
                let request = way
                    .request("GET", "x")
                    .header("X-Pad", &"p".repeat(size - empty));
                let mut client = RawClient::connect(stage.caller.http());
                let answer = client.call(&request).unwrap();
                if passes {
                    answer.expect(200, "ok");
                    assert_eq!(stage.app(way).take().len(), 1);
                } else {
                    assert_eq!(answer.status, 431, "{answer:?}");
                    assert!(client.is_closed(), "the connection stays open");
                    assert_eq!(stage.app(way).take().len(), 0);
                }
            });
        }
    }
}

#[test]
fn answer_headers_over_the_limit_are_an_error() {
    let stage = Stage::new();
    let mut table = Table::default();
    for (size, passes) in [(3_900, true), (4_400, false)] {
        stage.script(
            format!(
                "HTTP/1.1 200 OK\r\nX-Pad: {}\r\nContent-Length: 2\r\n\r\nok",
                "p".repeat(size - 50)
            ),
            After::Keep,
        );
        for way in WAYS {
            table.row(&format!("{size} bytes of headers, {way}"), || {
                let answer = way.request("GET", "x").send(stage.caller.http());
                if passes {
                    answer.expect(200, "ok");
                } else {
                    assert_eq!(answer.status, 500, "{answer:?}");
                    assert!(
                        answer
                            .text()
                            .contains("server response headers exceeded 4096 bytes; aborted"),
                        "{answer:?}"
                    );
                }
            });
        }
    }
}

#[test]
fn an_app_gets_no_more_calls_at_once_than_it_wants() {
    for way in [WAYS[0], WAYS[2]] {
        let proceed = Arc::new(Gate::new());
        let gate = proceed.clone();
        let busy = Arc::new(AtomicBool::new(false));
        let handler = move |exchange: &mut tests::Exchange| {
            let alone = !busy.swap(true, Ordering::SeqCst);
            if exchange.target() == "/slow" {
                gate.wait();
            }
            busy.store(false, Ordering::SeqCst);
            exchange.ok(if alone { "ok" } else { "not alone" });
        };
        let stage = Stage::with_flags(
            RawApp::new(handler.clone()),
            RawApp::new(handler),
            &[("app-max-concurrency", "1")],
        );
        let mut first = RawClient::connect(stage.caller.http());
        first.send(way.request("GET", "slow").to_bytes(1)).unwrap();
        stage.app(way).wait_for(1);
        let mut leaver = RawClient::connect(stage.caller.http());
        leaver.send(way.request("GET", "left").to_bytes(1)).unwrap();
        let mut second = RawClient::connect(stage.caller.http());
        second
            .send(way.request("GET", "second").to_bytes(1))
            .unwrap();
        // Whoever leaves the queue takes no turn and keeps no place.
        drop(leaver);
        let other_calls_go_on = stage.caller.get("/v1.0/metadata");
        assert_eq!(other_calls_go_on.status, 200, "{way}");
        assert_eq!(stage.app(way).seen().len(), 1, "{way}");
        proceed.open();
        first.response("GET").unwrap().expect(200, "ok");
        second.response("GET").unwrap().expect(200, "ok");
        way.request("GET", "third")
            .send(stage.caller.http())
            .expect(200, "ok");
    }
}
