//! Bodies arrive whole or visibly not at all: nothing cut short looks whole.

use std::sync::Arc;

use tests::http1::Framing;
use tests::{After, Gate, RawClient, Response};

use super::{Stage, To, WAYS};
use crate::table::Table;

#[test]
fn request_bodies_arrive_byte_for_byte() {
    let stage = Stage::new();
    let large = tests::pattern::Pattern::new(1).take(300_000);
    let bodies: [&[u8]; 7] = [
        b"null",
        b"",
        b"false",
        b"0",
        b"\"\"",
        &large[..8192],
        &large,
    ];
    let mut table = Table::default();
    for body in bodies {
        for way in WAYS {
            table.row(&format!("{} bytes with length, {way}", body.len()), || {
                stage.forget();
                way.request("POST", "x")
                    .body(body)
                    .send(stage.caller.http())
                    .expect(200, "ok");
                let seen = stage.app(way).take_one();
                assert!(seen.body == body && seen.complete);
                assert_eq!(seen.values("content-length"), [body.len().to_string()]);
                assert_eq!(seen.header("transfer-encoding"), None);
            });
            table.row(&format!("{} bytes in chunks, {way}", body.len()), || {
                stage.forget();
                let chunks: Vec<&[u8]> = body.chunks(5000).collect();
                way.request("POST", "x")
                    .chunked(&chunks)
                    .send(stage.caller.http())
                    .expect(200, "ok");
                let seen = stage.app(way).take_one();
                assert!(seen.body == body && seen.complete);
                if !body.is_empty() {
                    assert_eq!(seen.values("transfer-encoding"), ["chunked"]);
                    assert_eq!(seen.header("content-length"), None);
                }
            });
        }
    }
}

#[test]
fn response_bodies_arrive_byte_for_byte() {
    let stage = Stage::new();
    let large = tests::pattern::Pattern::new(2).take(300_000);
    let bodies: [&[u8]; 7] = [
        b"null",
        b"",
        b"false",
        b"0",
        b"\"\"",
        &large[..8192],
        &large,
    ];
    let mut table = Table::default();
    for body in bodies {
        for status in ["200 OK", "404 Not Found"] {
            let sized = [
                format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                )
                .as_bytes(),
                body,
            ]
            .concat();
            let until_close = [
                format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n").as_bytes(),
                body,
            ]
            .concat();
            let mut chunked =
                format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
            for chunk in body.chunks(7000) {
                chunked.extend(format!("{:x};ext=1\r\n", chunk.len()).bytes());
                chunked.extend(chunk);
                chunked.extend(b"\r\n");
            }
            chunked.extend(b"0\r\n\r\n");
            for (framing, bytes, after) in [
                ("length", sized, After::Keep),
                ("chunks", chunked, After::Keep),
                ("close", until_close, After::Close),
            ] {
                stage.script(&bytes, after);
                for way in WAYS {
                    table.row(
                        &format!("{status}, {} bytes, {framing}, {way}", body.len()),
                        || {
                            let answer = way.request("GET", "x").send(stage.caller.http());
                            assert_eq!(answer.status.to_string(), status[..3]);
                            assert_eq!(answer.cut, None);
                            assert!(answer.body == body, "{} bytes came", answer.body.len());
                            if let Framing::Length(length) = answer.framing {
                                assert_eq!(length, body.len() as u64);
                            }
                            assert_ne!(answer.framing, Framing::UntilClose);
                        },
                    );
                }
            }
        }
    }
}

#[test]
fn an_answer_cut_short_never_looks_whole() {
    let stage = Stage::new();
    let mut table = Table::default();
    for (name, bytes, after) in [
        (
            "declared 999, sent 4",
            "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nfour",
            After::Close,
        ),
        (
            "declared 999, sent 4, reset",
            "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nfour",
            After::Reset,
        ),
        (
            "a failure, declared 999, sent 4",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 999\r\n\r\nfour",
            After::Close,
        ),
        (
            "inside a chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nfour",
            After::Close,
        ),
        (
            "between chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
            After::Close,
        ),
        (
            "no chunk at all",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            After::Close,
        ),
        (
            "a chunk size that is none",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nfour\r\n0\r\n\r\n",
            After::Close,
        ),
        (
            "events",
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
            After::Reset,
        ),
    ] {
        stage.script(bytes, after);
        for way in WAYS {
            table.row(&format!("{name}, {way}"), || {
                let outcome = way.request("GET", "x").try_send(stage.caller.http());
                let looks_whole = |answer: &Response| answer.cut.is_none() && answer.status < 500;
                assert!(!outcome.as_ref().is_ok_and(looks_whole), "{outcome:?}");
            });
        }
    }
}

#[test]
fn no_answer_is_an_error_that_says_so() {
    let stage = Stage::new();
    let mut table = Table::default();
    for (name, bytes, after) in [
        ("closes without a byte", "", After::Close),
        ("closes inside the head", "HTTP/1.1 200 O", After::Close),
        (
            "speaks something else",
            "SSH-2.0-OpenSSH_9.6\r\n\r\n",
            After::Close,
        ),
        (
            "has a status that is none",
            "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
            After::Close,
        ),
        (
            "has a header without name",
            "HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n",
            After::Close,
        ),
        (
            "has two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
            After::Close,
        ),
    ] {
        stage.script(bytes, after);
        for way in WAYS {
            table.row(&format!("{name}, {way}"), || {
                stage.forget();
                let answer = way.request("GET", "x").send(stage.caller.http());
                assert_eq!(answer.status, 500, "{answer:?}");
                let json = answer.json();
                assert_eq!(json["errorCode"], "ERR_DIRECT_INVOKE");
                let start = match way.to {
                    To::Own => "failed to invoke, id: caller, err: ".to_owned(),
                    To::Other => "failed to invoke, id: callee, err: rpc error: code = Internal desc = error invoking app channel: ".to_owned(),
                };
                let message = json["message"].as_str().unwrap();
                assert!(message.starts_with(&start), "{message}");
                assert_eq!(stage.app(way).take().len(), 1, "the app was called once");
            });
        }
    }
}

#[test]
fn a_request_cut_short_never_looks_whole() {
    let stage = Stage::new();
    let mut table = Table::default();
    for way in WAYS {
        for (name, head, body) in [
            ("sized", "Content-Length: 100", "ten bytes."),
            (
                "chunked",
                "Transfer-Encoding: chunked",
                "a\r\nten bytes.\r\n",
            ),
        ] {
            table.row(&format!("{name}, {way}"), || {
                stage.forget();
                let mut client = RawClient::connect(stage.caller.http());
                let request = way.request("POST", "x").to_bytes(stage.caller.http());
                let request = String::from_utf8(request).unwrap();
                let request = request.trim_end();
                client
                    .send(format!("{request}\r\n{head}\r\n\r\n{body}"))
                    .unwrap();
                stage.app(way).wait_for(1);
                drop(client);
                tests::holds("the request ends at the app", || {
                    stage.app(way).seen()[0].ended
                });
                let seen = stage.app(way).take_one();
                assert!(!seen.complete, "the app believes in {seen:?}");
            });
        }
    }
}

#[test]
fn a_client_that_leaves_cancels_the_call() {
    let left = Arc::new(Gate::new());
    let noticed = left.clone();
    let stage = Stage::with(move |exchange| {
        exchange.body();
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        exchange.chunk("first");
        exchange.hang();
        noticed.open();
    });
    for way in [WAYS[0], WAYS[2]] {
        let mut client = RawClient::connect(stage.caller.http());
        client.send(way.request("GET", "x").to_bytes(1)).unwrap();
        assert_eq!(client.head().unwrap().status(), 200);
        drop(client);
        stage.app(way).wait_for(1);
    }
    left.wait();
}

#[test]
fn a_slow_answer_arrives_whole() {
    let stage = Stage::with(|exchange| {
        exchange.body();
        exchange.drip("HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nslow\r\n1\r\n!\r\n0\r\n\r\n", 3);
    });
    for way in WAYS {
        way.request("GET", "x")
            .send(stage.caller.http())
            .expect(200, "slow!");
    }
}

#[test]
fn an_app_may_answer_before_it_reads() {
    let stage = Stage::with(|exchange| {
        exchange.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        exchange.body();
    });
    early_answers_arrive(&stage);
}

#[test]
fn an_app_may_answer_and_close_without_reading() {
    let stage = Stage::with(|exchange| {
        exchange.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        exchange.close();
    });
    early_answers_arrive(&stage);
}

fn early_answers_arrive(stage: &Stage) {
    let mut table = Table::default();
    for way in WAYS {
        for size in [10, 300_000] {
            table.row(&format!("{size} bytes, {way}"), || {
                let request = way.request("POST", "x").body(vec![b'x'; size]);
                request.send(stage.caller.http()).expect(403, "no");
            });
        }
    }
}

#[test]
fn one_connection_carries_many_calls() {
    let stage = Stage::new();
    for way in WAYS {
        let mut client = RawClient::connect(stage.caller.http());
        for size in [0, 1, 5000, 70_000, 3] {
            let request = way.request("POST", "x").body(vec![b'x'; size]);
            client.call(&request).unwrap().expect(200, "ok");
        }
        // Two at once: answers come in order.
        let two = [
            way.request("GET", "first").to_bytes(1),
            way.request("GET", "second").to_bytes(1),
        ];
        stage.forget();
        client.send(two.concat()).unwrap();
        client.response("GET").unwrap().expect(200, "ok");
        client.response("GET").unwrap().expect(200, "ok");
        let seen: Vec<_> = stage
            .app(way)
            .take()
            .into_iter()
            .map(|seen| seen.target)
            .collect();
        assert_eq!(seen, ["/first", "/second"], "{way}");
    }
}

#[test]
fn the_api_speaks_http2_without_tls() {
    let stage = Stage::new();
    let client = tests::PeerClient::plain(stage.caller.http()).unwrap();
    let mut rpc = client
        .open(&tests::invoke_path("callee", "x"), &[("x-h2", "1")])
        .unwrap();
    rpc.send_raw("body".into()).unwrap();
    rpc.finish();
    // Not gRPC: only the app's view matters here.
    let _ = rpc.answer();
    stage.other_app.wait_for(1);
    tests::holds("the app read the body", || {
        stage.other_app.seen()[0].complete
    });
    let seen = stage.other_app.take_one();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/x"));
    assert_eq!(seen.body, b"body");
    assert_eq!(seen.header("x-h2"), Some("1"));
}
