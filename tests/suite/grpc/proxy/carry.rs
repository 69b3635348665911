//! What is carried: every kind of call, every byte, every entry of metadata.

use bytes::Bytes;
use tests::GrpcApp;
use tests::grpc_app::failure;
use tests::grpc_app::wire::{GrpcMessage, GrpcStatus, base64};

use super::super::{Stage, kind};
use crate::table::Table;

#[test]
fn every_kind_of_call_is_forwarded() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    let long: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    for (way, client) in stage.ways() {
        let cases: [(&str, &[&str], &[&str]); 6] = [
            ("Unary", &["hello"], &["hello"]),
            ("Unary", &[""], &[""]),
            ("ServerStream", &["100"], &long),
            ("ServerStream", &["0"], &[]),
            ("ClientStream", &long, &[&long.join(",")]),
            ("Bidi", &long, &long),
        ];
        for (method, sent, answered) in cases {
            table.row(
                &format!("{way}, {method} of {} messages", sent.len()),
                || {
                    let answer = client.call(&kind(method), sent).unwrap();
                    answer.expect_ok(answered);
                    assert_eq!(answer.http_status, 200);
                    let seen = stage.app.take_one();
                    assert_eq!(seen.path, format!("/testing.Kinds/{method}"));
                    assert_eq!(seen.texts(), sent);
                    assert!(seen.half_closed, "{seen:?}");
                },
            );
        }
    }
}

/// V13, and the metadata beside it.
#[test]
fn metadata_arrives_but_for_what_addressed_the_call() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    for ((way, client), caller) in stage.ways().into_iter().zip(["caller", "callee"]) {
        let request = kind("Unary")
            .metadata("x-multi", "1")
            .metadata("x-multi", "2")
            .metadata("x-empty", "")
            .metadata("x-raw-bin", "AAEC/w")
            .metadata("x-raw-bin", "AQ==")
            .metadata("authorization", "Bearer x")
            .metadata("grpc-accept-encoding", "gzip,identity")
            .metadata("dapr-stream", "false")
            .metadata("dapr-api-token", "mine")
            .metadata("dapr-caller-app-id", "spoofed")
            .metadata("dapr-caller-app-id", "again");
        let answer = client.call(&request, &["x"]).unwrap();
        let seen = stage.app.take_one();
        for (name, values) in [
            ("x-multi", &["1", "2"][..]),
            ("x-empty", &[""]),
            ("x-raw-bin", &["AAEC/w", "AQ=="]),
            ("authorization", &["Bearer x"]),
            ("grpc-accept-encoding", &["gzip,identity"]),
            ("content-type", &["application/grpc"]),
            ("te", &["trailers"]),
            ("dapr-stream", &["false"]),
            ("dapr-caller-app-id", &[caller]),
            ("dapr-callee-app-id", &["callee"]),
            ("dapr-app-id", &[]),
            ("dapr-api-token", &[]),
            ("dapr-caller-namespace", &[]),
            ("x-forwarded-for", &[]),
            ("forwarded", &[]),
            ("grpc-timeout", &[]),
            ("grpc-encoding", &[]),
        ] {
            table.row(&format!("{way}: {name}"), || {
                assert_eq!(seen.values(name), values);
            });
        }
        table.row(&format!("{way}: answer"), || {
            answer.expect_ok(&["x"]);
            assert_eq!(answer.header("x-initial"), Some("1"));
            assert_eq!(answer.header("x-initial-bin"), Some("AAEC/w"));
            assert_eq!(answer.header("content-type"), Some("application/grpc"));
            assert_eq!(answer.header("x-trailing"), None);
            assert_eq!(answer.trailer("x-trailing"), Some("2"));
            assert_eq!(answer.trailer("x-initial"), None);
        });
    }
}

/// V9 for a proxied call.
#[test]
fn the_trace_goes_on_in_both_forms_once() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    for (way, client) in stage.ways() {
        table.row(way, || {
            let request = kind("Unary")
                .metadata("traceparent", &format!("00-{trace}-b7ad6b7169203331-01"))
                .metadata("tracestate", "a=b")
                .metadata("baggage", "k=v");
            client.call(&request, &["x"]).unwrap().expect_ok(&["x"]);
            let seen = stage.app.take_one();
            let [parent] = seen.values("traceparent")[..] else {
                panic!("one traceparent: {seen:?}");
            };
            assert!(parent.starts_with(&format!("00-{trace}-")), "{parent}");
            assert_eq!(seen.values("tracestate"), ["a=b"]);
            assert_eq!(seen.values("baggage"), ["k=v"]);
            assert!(seen.values("grpc-trace-bin").len() <= 1, "{seen:?}");
        });
    }
}

/// Answers every message with itself, flags and coding untouched.
fn mirror() -> GrpcApp {
    GrpcApp::new(|mut call| async move {
        let coding = call
            .header("grpc-encoding")
            .unwrap_or("identity")
            .to_owned();
        call.head(&[
            ("grpc-encoding", &coding),
            ("grpc-accept-encoding", "x-own"),
        ]);
        while let Some(message) = call.receive().await {
            if message.compressed {
                call.send_compressed(message.data).await;
            } else {
                call.send(message.data).await;
            }
        }
        call.end(&GrpcStatus::ok());
    })
}

#[test]
fn messages_are_opaque() {
    let stage = Stage::new(mirror());
    let mut table = Table::default();
    let every_byte: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    for (way, client) in stage.ways() {
        for coding in ["identity", "gzip", "x-nobody-has-it"] {
            table.row(&format!("{way}, {coding}"), || {
                let request = kind("Any").metadata("grpc-encoding", coding);
                let mut stream = client.open(&request).unwrap();
                stream.send_compressed("not really packed").unwrap();
                stream.send(&every_byte).unwrap();
                stream.send("").unwrap();
                stream.finish();
                let answer = stream.answer().unwrap();
                let message = |compressed, data: &[u8]| GrpcMessage {
                    compressed,
                    data: Bytes::copy_from_slice(data),
                };
                let expected = [
                    message(true, b"not really packed"),
                    message(false, &every_byte),
                    message(false, b""),
                ];
                answer.expect(0, "");
                assert!(answer.messages == expected, "changed on the way back");
                assert_eq!(answer.header("grpc-encoding"), Some(coding));
                assert_eq!(answer.header("grpc-accept-encoding"), Some("x-own"));
                let seen = stage.app.take_one();
                assert!(seen.messages == expected, "changed on the way there");
                assert_eq!(seen.values("grpc-encoding"), [coding]);
                assert_eq!(seen.values("grpc-accept-encoding"), [""; 0]);
            });
        }
    }
}

#[test]
fn the_content_type_is_the_callers() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        for content_type in [
            "application/grpc+json",
            "application/grpc+proto",
            "application/grpc;charset=utf-8",
        ] {
            table.row(&format!("{way}, {content_type}"), || {
                let request = kind("Unary").content_type(content_type);
                let answer = client.call(&request, &["x"]).unwrap();
                answer.expect_ok(&["x"]);
                assert_eq!(answer.header("content-type"), Some(content_type));
                let seen = stage.app.take_one();
                assert_eq!(seen.values("content-type"), [content_type]);
            });
        }
    }
}

#[test]
fn failures_arrive_whole() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        table.row(&format!("{way}, nothing but trailers"), || {
            let answer = client.call(&kind("Fail"), &["x"]).unwrap();
            assert_eq!(answer.end(), &failure());
            assert_eq!(answer.texts(), [""; 0]);
        });
        table.row(&format!("{way}, after a message"), || {
            let answer = client.call(&kind("FailLate"), &["x"]).unwrap();
            assert_eq!(answer.end(), &failure());
            assert_eq!(answer.texts(), ["before"]);
            assert_eq!(answer.header("x-initial"), Some("1"));
        });
        table.row(&format!("{way}, the app's unknown method"), || {
            let answer = client.call(&kind("Other"), &["x"]).unwrap();
            answer.expect(12, "unknown method");
        });
    }
}

/// Codes and texts that no library would make.
#[test]
fn unusual_ends_arrive_as_they_are() {
    let app = GrpcApp::new(|mut call| async move {
        call.receive_all().await;
        let code = call.header("x-code").and_then(|code| code.parse().ok());
        let status = GrpcStatus::error(code.unwrap_or(0), "line\none \u{1f980} 50 %")
            .trailer("x-last-bin", &base64(&[0, 255]))
            .trailer("x-last-bin", "AQ==")
            .trailer("x-last", "");
        call.end(&status);
    });
    let stage = Stage::new(app);
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        for code in [1, 4, 14, 16, 17, 20, 999] {
            table.row(&format!("{way}, code {code}"), || {
                let request = kind("Any").metadata("x-code", &code.to_string());
                let answer = client.call(&request, &["x"]).unwrap();
                answer.expect(code, "line\none \u{1f980} 50 %");
                let last: Vec<_> = answer.end().trailers.get_all("x-last-bin").iter().collect();
                assert_eq!(last, ["AP8", "AQ=="]);
                assert_eq!(answer.trailer("x-last"), Some(""));
                assert_eq!(stage.app.take().len(), 1, "it was tried once");
            });
        }
    }
}
