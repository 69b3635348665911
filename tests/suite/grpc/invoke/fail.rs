//! Calls that fail on their way: whose fault it is must be readable.

use api::common::v1::http_extension::Verb;
use api::runtime::v1::InvokeServiceRequest;
use h2::Reason;
use prost::Message;
use tests::{After, GrpcApp, GrpcClient, GrpcRequest, Mesh, RawApp};

use super::super::Stage;
use super::{HttpStage, INVOKE_SERVICE, call, call_with, data, post, request, with};
use crate::table::Table;

#[test]
fn what_cannot_be_called_is_told_with_its_id() {
    let stage = HttpStage::new(RawApp::scripted());
    let _bare = stage.mesh.sidecar("bare").run();
    let mut table = Table::default();
    let method = |method: &str| request("callee", Verb::Post, method, "x");
    let cases = [
        (
            "empty id",
            request("", Verb::Post, "m", "x"),
            "failed to invoke, id: , err: app id is empty",
        ),
        (
            "too many dots",
            request("a.b.c", Verb::Post, "m", "x"),
            "failed to invoke, id: a.b.c, err: invalid app id a.b.c",
        ),
        (
            "unknown",
            request("nobody", Verb::Post, "m", "x"),
            "failed to invoke, id: nobody, err: no host found with the given ID",
        ),
        (
            "no app",
            request("bare", Verb::Post, "m", "x"),
            "failed to invoke, id: bare, err: rpc error: code = Internal desc = app channel is not initialized",
        ),
        (
            "question mark",
            method("a?b"),
            "failed to invoke, id: callee, err: rpc error: code = InvalidArgument desc = invalid method: method contains forbidden character: \"a?b\"",
        ),
        (
            "number sign",
            method("a#b"),
            "failed to invoke, id: callee, err: rpc error: code = InvalidArgument desc = invalid method: method contains forbidden character: \"a#b\"",
        ),
    ];
    for (name, request, text) in cases {
        table.row(name, || {
            call(&stage.caller, &request).expect(13, text);
            assert_eq!(stage.app.take().len(), 0, "the app saw it");
        });
    }
    for (name, request, text) in [
        (
            "control character",
            method("a\u{1}b"),
            "invalid method: method contains control character",
        ),
        (
            "zero byte",
            method("a\0b"),
            "invalid method: method contains",
        ),
        (
            "no extension",
            with(method("m"), |message| message.http_extension = None),
            "missing HTTP extension field",
        ),
        (
            "no verb",
            request("callee", Verb::None, "m", "x"),
            "invalid HTTP verb",
        ),
        (
            "CONNECT",
            request("callee", Verb::Connect, "m", "x"),
            "invalid HTTP verb",
        ),
    ] {
        for (way, sidecar) in stage.ways() {
            table.row(&format!("{way}, {name}"), || {
                let answer = call(sidecar, &request);
                assert_eq!(answer.code(), 13, "{answer:?}");
                let message = answer.message();
                assert!(
                    message.starts_with("failed to invoke, id: callee, err: "),
                    "{message}"
                );
                assert!(message.contains(text), "{message}");
                assert_eq!(stage.app.take().len(), 0, "the app saw it");
            });
        }
    }
}

#[test]
fn requests_that_are_none_are_refused() {
    let stage = HttpStage::new(RawApp::scripted());
    let client = GrpcClient::connect(stage.caller.grpc()).unwrap();
    let mut table = Table::default();
    let rpc = GrpcRequest::new(INVOKE_SERVICE);
    let whole = post("m", "x").encode_to_vec();
    table.row("no message within", || {
        let request = InvokeServiceRequest {
            id: "callee".to_owned(),
            message: None,
        };
        let answer = client.call(&rpc, &[request.encode_to_vec()]).unwrap();
        assert_ne!(answer.code(), 0, "{answer:?}");
    });
    table.row("no message", || {
        let answer = client.call::<&[u8]>(&rpc, &[]).unwrap();
        assert_ne!(answer.code(), 0, "{answer:?}");
    });
    table.row("two messages", || {
        if let Ok(answer) = client.call(&rpc, &[&whole, &whole]) {
            assert_ne!(answer.code(), 0, "{answer:?}");
        }
    });
    table.row("bytes that are no protobuf", || {
        let answer = client.call(&rpc, &[&b"\xff\xff\xff\xff"[..]]).unwrap();
        assert_eq!(answer.code(), 13, "{answer:?}");
    });
    table.row("compressed without saying how", || {
        let mut stream = client.open(&rpc).unwrap();
        stream.send_compressed(&whole).unwrap();
        stream.finish();
        let answer = stream.answer().unwrap();
        assert_ne!(answer.code(), 0, "{answer:?}");
    });
    table.row("compressed as nobody does", || {
        let mut stream = client
            .open(&rpc.clone().metadata("grpc-encoding", "x"))
            .unwrap();
        stream.send_compressed(&whole).unwrap();
        stream.finish();
        stream.answer().unwrap().expect(
            12,
            "grpc: Decompressor is not installed for grpc-encoding \"x\"",
        );
    });
    table.row("too large", || {
        let large = post("m", vec![b'q'; 5 << 20]).encode_to_vec();
        let answer = client.call(&rpc, &[&large]).unwrap();
        let text = format!(
            "grpc: received message larger than max ({} vs. 4194304)",
            large.len()
        );
        answer.expect(8, &text);
    });
    assert_eq!(stage.app.take().len(), 0, "the app saw one");
    table.row("the connection is as good as before", || {
        let answer = client.call(&rpc, &[&whole]).unwrap();
        assert_eq!(data(&answer), b"ok");
    });
}

#[test]
fn an_answer_over_the_callers_limit_is_told_as_such() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let _callee = mesh.sidecar("callee").app(&app).run();
    let caller = mesh.sidecar("caller").flag("max-body-size", "64Ki").run();
    let length = 70_000;
    let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    bytes.resize(bytes.len() + length, b'a');
    app.script(bytes, After::Keep);
    let answer = call(&caller, &post("m", "x"));
    assert_eq!(answer.code(), 8, "{answer:?}");
    let message = answer.message();
    assert!(
        message.starts_with("grpc: trying to send message larger than max (")
            && message.ends_with(" vs. 65536)"),
        "{message}"
    );
    assert_eq!(app.take().len(), 1, "it was tried once");
}

/// An answer that ends early must not look whole.
#[test]
fn an_answer_cut_short_is_a_failure() {
    let stage = HttpStage::new(RawApp::scripted());
    stage.app.script(
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        After::Close,
    );
    let mut table = Table::default();
    for (way, sidecar) in stage.ways() {
        table.row(way, || {
            let answer = call(sidecar, &post("m", "x"));
            assert_eq!(answer.code(), 13, "{answer:?}");
            assert!(
                answer
                    .message()
                    .starts_with("failed to invoke, id: callee, err: "),
                "{answer:?}"
            );
            assert_eq!(stage.app.take().len(), 1, "it was tried again");
        });
    }
}

#[test]
fn a_denial_is_internal_here() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let callee = mesh
        .sidecar("callee")
        .app(&app)
        .spec("accessControl: {defaultAction: deny, policies: []}")
        .run();
    let caller = mesh.sidecar("caller").run();
    call(&caller, &post("m", "x")).expect(
        13,
        "failed to invoke, id: callee, err: rpc error: code = PermissionDenied desc = access control policy has denied access to id: spiffe://public/ns/default/caller operation: m verb: POST",
    );
    assert_eq!(app.take().len(), 0, "the app saw it");
    // The list is for others.
    assert_eq!(data(&call(&callee, &post("m", "x"))), b"ok");
}

#[test]
fn a_deadline_ends_the_call_and_the_apps_work() {
    let stage = Stage::new(GrpcApp::kinds());
    let slow = RawApp::new(|exchange| {
        exchange.body();
        exchange.wait_until_closed();
    });
    let _http = stage.mesh.sidecar("slow").app(&slow).run();
    let silent = GrpcApp::new(|mut call| async move { call.gone().await });
    let _grpc = stage.mesh.sidecar("silent").grpc_app(&silent).run();
    let mut table = Table::default();
    let head = GrpcRequest::new(INVOKE_SERVICE).timeout("300m");
    for id in ["slow", "silent"] {
        table.row(id, || {
            let request = request(id, Verb::Post, "m", "x");
            let outcome = head.try_send(stage.caller.grpc(), &[request.encode_to_vec()]);
            match outcome {
                Ok(answer) => assert_eq!(answer.code(), 4, "{answer:?}"),
                Err(broken) => assert_eq!(broken.reset, Some(Reason::CANCEL)),
            }
        });
    }
    table.row("the app is told", || {
        tests::holds("the gRPC app's call is reset", || {
            silent.seen().iter().all(|seen| seen.reset.is_some())
        });
    });
    table.row("time enough", || {
        let head = GrpcRequest::new(INVOKE_SERVICE).timeout("20S");
        let answer = call_with(&stage.caller, &head, &post("m", "x"));
        assert_eq!(data(&answer), b"x");
    });
}

#[test]
fn a_caller_that_goes_takes_the_call_along() {
    let held = GrpcApp::held();
    let stage = Stage::new(held);
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        table.row(way, || {
            let mut stream = client.open(&GrpcRequest::new(INVOKE_SERVICE)).unwrap();
            stream.send(post("m", "x").encode_to_vec()).unwrap();
            stream.finish();
            let call = stage.app.next();
            stream.reset(Reason::CANCEL);
            call.wait_until_reset();
        });
    }
}
