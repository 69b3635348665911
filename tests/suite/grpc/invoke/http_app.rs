//! Towards HTTP apps: what they see, and what of their answers comes back.

use api::common::v1::http_extension::Verb;
use tests::{After, GrpcRequest, RawApp};

use super::{HttpStage, INVOKE_SERVICE, call, call_with, data, post, request, response, with};
use crate::table::Table;

#[test]
fn verb_method_query_and_body_are_the_apps_request() {
    let stage = HttpStage::new(RawApp::scripted());
    let mut table = Table::default();
    let bytes: Vec<u8> = (0..=255).collect();
    for (way, sidecar) in stage.ways() {
        for (verb, word) in [
            (Verb::Get, "GET"),
            (Verb::Head, "HEAD"),
            (Verb::Post, "POST"),
            (Verb::Put, "PUT"),
            (Verb::Delete, "DELETE"),
            (Verb::Options, "OPTIONS"),
            (Verb::Trace, "TRACE"),
            (Verb::Patch, "PATCH"),
        ] {
            table.row(&format!("{way}, {word}"), || {
                stage
                    .app
                    .script("HTTP/1.1 204 No Content\r\n\r\n", After::Keep);
                let body: &[u8] = match verb {
                    Verb::Get | Verb::Head | Verb::Options | Verb::Trace => b"",
                    _ => &bytes,
                };
                let request = with(request("callee", verb, "orders/new", body), |message| {
                    let extension = message.http_extension.as_mut().unwrap();
                    extension.querystring = "a=%20b&c&c=d".to_owned();
                });
                call(sidecar, &request).expect(0, "");
                let seen = stage.app.take_one();
                assert_eq!(seen.method, word);
                assert_eq!(seen.target, "/orders/new?a=%20b&c&c=d");
                assert_eq!(seen.body, body);
            });
        }
        stage.app.script(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            After::Keep,
        );
        for (method, target) in [
            ("m", "/m"),
            ("/m", "/m"),
            ("a/b", "/a/b"),
            ("a//b/../c", "/a/c"),
            ("a b", "/a%20b"),
            ("", "/"),
        ] {
            table.row(&format!("{way}, method {method:?}"), || {
                let answer = call(sidecar, &post(method, "x"));
                assert_eq!(data(&answer), b"ok");
                assert_eq!(stage.app.take_one().target, target);
            });
        }
    }
}

#[test]
fn the_content_type_is_that_of_the_message() {
    let stage = HttpStage::new(RawApp::scripted());
    let mut table = Table::default();
    for (way, sidecar) in stage.ways() {
        for (content_type, type_url, expected) in [
            ("application/json", "", Some("application/json")),
            (
                "text/plain; charset=utf-8",
                "",
                Some("text/plain; charset=utf-8"),
            ),
            ("", "", None),
            (
                "",
                "type.googleapis.com/a.B",
                Some("application/x-protobuf"),
            ),
            (
                "application/json",
                "type.googleapis.com/a.B",
                Some("application/x-protobuf"),
            ),
        ] {
            table.row(&format!("{way}, {content_type:?}, {type_url:?}"), || {
                let request = with(post("m", "x"), |message| {
                    message.content_type = content_type.to_owned();
                    message.data.as_mut().unwrap().type_url = type_url.to_owned();
                });
                call(sidecar, &request).expect(0, "");
                let seen = stage.app.take_one();
                assert_eq!(seen.values("content-type"), Vec::from_iter(expected));
            });
        }
        table.row(&format!("{way}, no data at all"), || {
            let request = with(post("m", ""), |message| message.data = None);
            call(sidecar, &request).expect(0, "");
            assert_eq!(stage.app.take_one().body, b"");
        });
    }
}

#[test]
fn metadata_becomes_headers() {
    let stage = HttpStage::new(RawApp::scripted());
    let mut table = Table::default();
    for ((way, sidecar), caller) in stage.ways().into_iter().zip(["caller", "callee"]) {
        let head = GrpcRequest::new(INVOKE_SERVICE)
            .metadata("x-multi", "1")
            .metadata("x-multi", "2")
            .metadata("authorization", "Bearer x")
            .metadata("accept", "text/x")
            .metadata("cookie", "a=b")
            .metadata("user-agent", "sdk/1")
            .metadata("x-raw-bin", "AAEC/w")
            .metadata("grpc-accept-encoding", "gzip")
            .metadata("dapr-app-id", "somebody")
            .metadata("dapr-api-token", "mine")
            .metadata("dapr-caller-app-id", "spoofed")
            .metadata("dapr-caller-namespace", "spoofed")
            .metadata("dapr-callee-app-id", "spoofed")
            .metadata("destination-app-id", "spoofed");
        call_with(sidecar, &head, &post("m", "x")).expect(0, "");
        let seen = stage.app.take_one();
        let authority = format!("127.0.0.1:{}", sidecar.grpc());
        for (name, values) in [
            ("x-multi", &["1", "2"][..]),
            ("authorization", &["Bearer x"]),
            ("accept", &["text/x"]),
            ("cookie", &["a=b"]),
            ("user-agent", &["sdk/1"]),
            ("x-raw-bin", &[]),
            ("dapr-grpc-accept-encoding", &["gzip"]),
            ("grpc-accept-encoding", &[]),
            ("dapr-app-id", &["somebody"]),
            ("dapr-api-token", &[]),
            ("dapr-caller-app-id", &[caller]),
            ("dapr-caller-namespace", &["default"]),
            ("dapr-callee-app-id", &["callee"]),
            ("destination-app-id", &[]),
            ("content-type", &[]),
            ("dapr-content-type", &[]),
            ("te", &[]),
            ("grpc-timeout", &[]),
        ] {
            table.row(&format!("{way}: {name}"), || {
                assert_eq!(seen.values(name), values);
            });
        }
        table.row(&format!("{way}: authority"), || {
            // The raw client names no port.
            let values = seen.values("dapr-authority");
            assert!(
                values == [authority.as_str()] || values == ["127.0.0.1"],
                "{values:?}"
            );
            assert!(seen.names().iter().all(|name| !name.starts_with(':')));
        });
    }
}

#[test]
fn the_apps_answer_comes_back() {
    let stage = HttpStage::new(RawApp::scripted());
    let mut table = Table::default();
    let bytes: Vec<u8> = (0..=255).collect();
    for (way, sidecar) in stage.ways() {
        let mut answer = b"HTTP/1.1 201 Created\r\nContent-Type: application/x\r\nContent-Length: 256\r\nX-Multi: 1\r\nX-Multi: 2\r\nSet-Cookie: a=b\r\nDate: today\r\nEtag: e\r\nX-Raw-Bin: ab\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\n".to_vec();
        answer.extend_from_slice(&bytes);
        stage.app.script(answer, After::Keep);
        let answer = call(sidecar, &post("m", "x"));
        table.row(&format!("{way}: message"), || {
            let response = response(&answer);
            assert_eq!(response.content_type, "application/x");
            let data = response.data.unwrap();
            assert_eq!((data.type_url.as_str(), data.value), ("", bytes.clone()));
        });
        for (name, values) in [
            ("dapr-http-status", &["201"][..]),
            ("x-multi", &["1", "2"]),
            ("set-cookie", &["a=b"]),
            ("dapr-date", &["today"]),
            ("date", &[]),
            ("etag", &["e"]),
            ("dapr-content-type", &["application/x"]),
            ("content-type", &["application/grpc"]),
            ("dapr-content-length", &[]),
            ("content-length", &[]),
            ("x-hop", &[]),
            ("keep-alive", &[]),
            ("connection", &[]),
        ] {
            table.row(&format!("{way}: {name}"), || {
                let got: Vec<_> = answer.headers.get_all(name).iter().collect();
                assert_eq!(got, values);
            });
        }
        for status in ["200 OK", "204 No Content", "299 Odd"] {
            table.row(&format!("{way}: empty {status}"), || {
                let length = if status.starts_with("204") {
                    ""
                } else {
                    "Content-Length: 0\r\n"
                };
                let head = format!("HTTP/1.1 {status}\r\n{length}\r\n");
                stage.app.script(head, After::Keep);
                let answer = call(sidecar, &post("m", "x"));
                // SDKs look into it without asking.
                assert_eq!(data(&answer), b"");
                assert_eq!(answer.header("dapr-http-status"), status.split(' ').next());
            });
        }
        table.row(&format!("{way}: chunked"), || {
            stage.app.script(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                After::Keep,
            );
            assert_eq!(data(&call(sidecar, &post("m", "x"))), b"abcde");
        });
    }
}

/// The accepted type says what an app may send, not how it is called.
#[test]
fn event_streams_are_ordinary_here() {
    let stage = HttpStage::new(RawApp::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: a\n\n",
    ));
    let mut table = Table::default();
    for (way, sidecar) in stage.ways() {
        for accept in ["text/event-stream", "Text/Event-Stream"] {
            table.row(&format!("{way}, {accept}"), || {
                let head = GrpcRequest::new(INVOKE_SERVICE).metadata("accept", accept);
                let answer = call_with(sidecar, &head, &post("m", "x"));
                assert_eq!(data(&answer), b"data: a\n\n");
            });
        }
    }
}

#[test]
fn a_large_message_fits() {
    let stage = HttpStage::new(RawApp::new(|exchange| {
        let body = exchange.body();
        exchange.ok(body);
    }));
    let large: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    for (_, sidecar) in stage.ways() {
        let answer = call(sidecar, &post("m", &large));
        assert!(data(&answer) == large, "it was changed");
    }
    assert_eq!(stage.mesh.sentry().process().exited(), None);
}
