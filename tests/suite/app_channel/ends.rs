//! Answers that do not come or break off, and calls an HTTP/2 app has not
//! looked at: these are made again, all others are not.

mod raw;

use tests::http1::Body;
use tests::{Mesh, RawClient, Request, Sidecar, Speaks};

use super::{Pair, request};
use crate::table::Table;
use raw::{Act, RawHttp2};

#[test]
fn no_answer_is_an_error_that_says_so() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        let pair = Pair::new(speaks);
        for (id, app) in pair.ways() {
            table.row(&format!("{speaks:?}, {id}"), || {
                let answer = request("POST", id, "none").body("x").send(pair.port());
                assert_eq!(answer.status, 500, "{answer:?}");
                let scheme = speaks.protocol().replace("h2c", "http");
                let reason = if speaks.is_http2() {
                    "stream error: INTERNAL_ERROR; received from peer"
                } else {
                    "EOF"
                };
                let error = format!(
                    "Post \"{scheme}://127.0.0.1:{}/none\": {reason}",
                    app.port()
                );
                let json = answer.json();
                let message = json["message"].as_str().unwrap();
                assert!(message.ends_with(&error), "{message} is not {error}");
                assert_eq!(app.take().len(), 1, "the app has seen the call");
            });
        }
    }
}

#[test]
fn an_answer_cut_short_never_looks_whole() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        let pair = Pair::new(speaks);
        for (id, app) in pair.ways() {
            for path in ["cut", "cut-chunked"] {
                table.row(&format!("{speaks:?}, {id}, {path}"), || {
                    let mut client = RawClient::connect(pair.port());
                    client
                        .send(request("GET", id, path).to_bytes(pair.port()))
                        .unwrap();
                    let head = client.head().unwrap();
                    assert_eq!(head.status(), 200);
                    let mut body = Body::new(head.response_framing("GET"));
                    assert_eq!(client.piece(&mut body).unwrap().unwrap(), b"some");
                    app.step(1);
                    let rest = client.piece(&mut body);
                    assert!(rest.is_err(), "the answer looks whole: {rest:?}");
                });
            }
        }
    }
}

/// Where only the end of the connection ends a body, TLS tells whether it is
/// the end.
#[test]
fn an_answer_until_close_is_whole_only_if_tls_says_so() {
    use rustls::{ServerConnection, StreamOwned};
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};

    let config = tests::tls::app(&tests::AppTls {
        alpn: &["http/1.1"],
        ..tests::AppTls::default()
    });
    let mut table = Table::default();
    for in_order in [true, false] {
        table.row(&format!("in order {in_order}"), || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let config = config.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let tls = ServerConnection::new(config.clone()).unwrap();
                    let mut stream = StreamOwned::new(tls, stream.unwrap());
                    let mut request = [0; 4096];
                    // The wait for the app is a handshake and no request.
                    if stream.read(&mut request).is_ok_and(|read| read > 0) {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nsome");
                        if in_order {
                            stream.conn.send_close_notify();
                        }
                        let _ = stream.flush();
                    }
                }
            });
            let callee = tests::sidecar("callee")
                .app_port(port)
                .flag("app-protocol", "https")
                .flag("disable-init-endpoints", "config")
                .run();
            let answer = request("GET", "callee", "x").try_send(callee.http());
            let is_whole = answer.is_ok_and(|answer| answer.is_whole_success());
            assert_eq!(is_whole, in_order);
        });
    }
}

#[test]
fn an_app_that_dies_in_the_middle_cuts_its_answers() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        table.row(&format!("{speaks:?}"), || {
            let pair = Pair::new(speaks);
            let mut clients = pair.ways().map(|(id, app)| {
                let mut client = RawClient::connect(pair.port());
                client
                    .send(request("GET", id, "events").to_bytes(pair.port()))
                    .unwrap();
                app.step(1);
                app.wait_for(1);
                client
            });
            for (_, app) in pair.ways() {
                tests::holds("the first event is on its way", || app.steps_left() == 0);
                app.stop();
            }
            for client in &mut clients {
                // Nothing at all, or an answer that is visibly not whole.
                if let Ok(answer) = client.response("GET") {
                    let looks_whole = answer.cut.is_none() && answer.status == 200;
                    assert!(!looks_whole, "{answer:?}");
                }
            }
        });
    }
}

/// A sidecar over an app that acts on the first requests as told, and answers
/// the later ones.
fn stage(acts: &[Act]) -> (Mesh, RawHttp2, Sidecar, Sidecar) {
    let mesh = Mesh::plain();
    let app = RawHttp2::new(acts);
    let callee = in_front_of(&mesh, &app);
    let caller = mesh.sidecar("caller").run();
    (mesh, app, caller, callee)
}

fn in_front_of(mesh: &Mesh, app: &RawHttp2) -> Sidecar {
    mesh.sidecar("callee")
        .app_port(app.port())
        .flag("app-protocol", "h2c")
        .flag("disable-init-endpoints", "config")
        .run()
}

#[test]
fn calls_the_app_has_not_looked_at_are_made_again() {
    let mut table = Table::default();
    for (name, act) in [
        ("GOAWAY with an error", Act::GoAway(1)),
        ("GOAWAY in good order", Act::GoAway(0)),
        ("a refused stream", Act::Reset(7)),
    ] {
        for body in [None, Some("body")] {
            for own in [true, false] {
                table.row(&format!("{name}, body {body:?}, own {own}"), || {
                    let (_mesh, app, caller, callee) = stage(&[Act::Answer, act, act]);
                    let from = if own { &callee } else { &caller };
                    let call = |expected| {
                        let call = match body {
                            None => request("GET", "callee", "x"),
                            Some(body) => request("POST", "callee", "x").body(body),
                        };
                        call.send(from.http()).expect(200, "");
                        assert_eq!(app.requests(), expected);
                    };
                    call(1);
                    // Twice not looked at, then answered.
                    call(4);
                    call(5);
                });
            }
        }
    }
}

/// A body that is on its way cannot be sent again by the app's sidecar; the
/// caller has kept its beginning, and goes to another replica.
#[test]
fn bodies_on_their_way_are_sent_again_by_the_caller() {
    use std::io::Write;

    for own in [true, false] {
        let (mesh, app, caller, callee) = stage(&[Act::Reset(7)]);
        let _replica = in_front_of(&mesh, &app);
        let from = if own { &callee } else { &caller };
        let mut client = RawClient::connect(from.http());
        let mut out = client.writer();
        write!(
            out,
            "POST /v1.0/invoke/callee/method/x HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello"
        )
        .unwrap();
        app.wait_for_bytes(5);
        write!(out, " world").unwrap();
        let answer = client.response("POST").unwrap();
        if own {
            assert_eq!(answer.status, 500, "{answer:?}");
            assert!(answer.text().contains("REFUSED_STREAM"), "{answer:?}");
            assert_eq!(app.requests(), 1);
        } else {
            answer.expect(200, "");
            assert_eq!(app.requests(), 2);
        }
    }
}

#[test]
fn an_app_that_never_takes_a_call_is_an_error_soon() {
    let (_mesh, app, _caller, callee) = stage(&[Act::Reset(7); 100]);
    let answer = request("GET", "callee", "x").send(callee.http());
    assert_eq!(answer.status, 500, "{answer:?}");
    let text = answer.text();
    assert!(
        text.contains("stream error: REFUSED_STREAM; received from peer"),
        "{text}"
    );
    assert_eq!(app.requests(), 3);
}

#[test]
fn calls_the_app_may_have_seen_are_made_once() {
    let mut table = Table::default();
    for (name, act, verb, times, error) in [
        ("reset", Act::Reset(2), "POST", 1, "INTERNAL_ERROR"),
        ("reset", Act::Reset(2), "GET", 1, "INTERNAL_ERROR"),
        ("cancelled", Act::Reset(8), "POST", 1, "CANCEL"),
        ("closed", Act::Close, "POST", 1, "EOF"),
        // Safe, and the app may just have been closing an idle connection.
        ("closed", Act::Close, "GET", 2, ""),
    ] {
        table.row(&format!("{name}, {verb}"), || {
            let (_mesh, app, _caller, callee) = stage(&[Act::Answer, act]);
            let call = || Request::new(verb, "/v1.0/invoke/callee/method/x").send(callee.http());
            call().expect(200, "");
            let answer = call();
            if error.is_empty() {
                answer.expect(200, "");
            } else {
                assert_eq!(answer.status, 500, "{answer:?}");
                assert!(answer.text().contains(error), "{answer:?}");
            }
            assert_eq!(app.requests(), 1 + times);
            call().expect(200, "");
        });
    }
}

#[test]
fn an_http2_answer_that_ends_early_is_cut() {
    let mut table = Table::default();
    for (name, act) in [
        ("reset with INTERNAL_ERROR", Act::CutByReset(2)),
        ("reset with CANCEL", Act::CutByReset(8)),
        ("reset with NO_ERROR", Act::CutByReset(0)),
        ("connection closed", Act::CutByClose),
        ("shorter than it said", Act::Short),
    ] {
        for own in [true, false] {
            table.row(&format!("{name}, own {own}"), || {
                let (_mesh, _app, caller, callee) = stage(&[act]);
                let from = if own { &callee } else { &caller };
                // A closed connection before any answer shows it as well.
                if let Ok(answer) = request("GET", "callee", "x").try_send(from.http()) {
                    let is_visible = answer.status == 500 || answer.cut.is_some();
                    assert!(is_visible, "{answer:?}");
                }
                request("GET", "callee", "x")
                    .send(from.http())
                    .expect(200, "");
            });
        }
    }
}
