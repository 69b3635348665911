//! HTTP/2 in order, gRPC not: messages and metadata that are broken or too
//! large get the status that says so.

use api::common::v1::InvokeRequest;
use api::runtime::v1::InvokeServiceRequest;
use bytes::Bytes;
use prost::Message;
use tests::{GrpcAnswer, GrpcApp, GrpcRequest};

use super::frames::{CONTINUATION, END_HEADERS, HEADERS, call, field, frame};
use super::{BUDGET, request, victims, withstands};
use crate::grpc_streams::Stage;

const INTERNAL: u32 = 13;
const RESOURCE_EXHAUSTED: u32 = 8;
const LIMIT: u32 = 4 << 20;

fn prefix(flag: u8, length: u32) -> Vec<u8> {
    let mut bytes = vec![flag];
    bytes.extend(length.to_be_bytes());
    bytes
}

fn invoke_service() -> GrpcRequest {
    GrpcRequest::new("/dapr.proto.runtime.v1.Dapr/InvokeService")
}

fn invocation() -> Vec<u8> {
    InvokeServiceRequest {
        id: "callee".to_owned(),
        message: Some(InvokeRequest {
            method: "m".to_owned(),
            ..InvokeRequest::default()
        }),
    }
    .encode_to_vec()
}

/// A call of the API port with these bytes as its body.
#[track_caller]
fn raw(stage: &Stage, request: &GrpcRequest, bytes: &[u8]) -> GrpcAnswer {
    let mut stream = stage.client().open(request).unwrap();
    // An answer may come before the last byte has gone.
    let _ = stream.send_raw(Bytes::copy_from_slice(bytes));
    stream.finish();
    stream
        .answer()
        .unwrap_or_else(|broken| panic!("{broken} instead of an answer"))
}

#[test]
fn a_broken_invoke_service_is_internal() {
    let stage = Stage::new(GrpcApp::kinds());
    let message = invocation();
    let length = u32::try_from(message.len()).unwrap();
    for (what, bytes) in [
        ("half a prefix", vec![0, 0, 0]),
        (
            "less than the prefix says",
            [prefix(0, length + 1), message.clone()].concat(),
        ),
        (
            "a compressed message without an encoding",
            [prefix(1, length), message.clone()].concat(),
        ),
        (
            "an unknown flag",
            [prefix(7, length), message.clone()].concat(),
        ),
        ("no protobuf", [prefix(0, 4), vec![0xff; 4]].concat()),
    ] {
        let answer = raw(&stage, &invoke_service(), &bytes);
        assert_eq!(answer.http_status, 200, "{what}");
        assert_eq!(answer.code(), INTERNAL, "{what}: {answer:?}");
    }
    // Nothing of it is left on the way.
    raw(
        &stage,
        &invoke_service(),
        &[prefix(0, length), message].concat(),
    );
    assert_eq!(stage.app.take().len(), 1);
}

#[test]
fn an_encoding_nobody_knows_is_unimplemented() {
    let stage = Stage::new(GrpcApp::kinds());
    let message = invocation();
    let length = u32::try_from(message.len()).unwrap();
    let request = invoke_service().metadata("grpc-encoding", "x-nothing");
    let answer = raw(&stage, &request, &[prefix(1, length), message].concat());
    assert_eq!(answer.code(), 12, "{answer:?}");
}

#[test]
fn a_proxied_message_that_breaks_off_is_no_success() {
    let stage = Stage::new(GrpcApp::kinds());
    for victim in victims(&stage) {
        for (what, bytes) in [
            ("half a prefix", vec![0, 0, 0]),
            ("half a message", [prefix(0, 10), vec![0; 5]].concat()),
        ] {
            let mut stream = victim.client().open(&request("Bidi")).unwrap();
            stream.send_raw(bytes.into()).unwrap();
            stream.finish();
            let answer = stream.answer().unwrap();
            assert_eq!(
                answer.code(),
                INTERNAL,
                "{what}, {}: {answer:?}",
                victim.name
            );
        }
        one_more(&victim);
    }
}

/// Refused by the prefix alone: nobody waits for the rest, or makes room.
#[test]
fn a_message_above_the_limit_is_refused_by_its_prefix() {
    let stage = Stage::new(GrpcApp::kinds());
    for victim in victims(&stage) {
        victim.client().call(&request("Bidi"), &["x"]).unwrap();
    }
    let before = stage.rss();
    for length in [LIMIT + 1, u32::MAX] {
        for victim in victims(&stage) {
            let mut requests = vec![request("Bidi"), request("Unary")];
            if victim.svid.is_none() {
                requests.push(invoke_service());
            }
            for request in requests {
                let mut stream = victim.client().open(&request).unwrap();
                stream
                    .send_raw([prefix(0, length), vec![0; 1000]].concat().into())
                    .unwrap();
                let answer = stream.answer().unwrap();
                let text = format!("grpc: received message larger than max ({length} vs. {LIMIT})");
                assert_eq!(answer.end().message, text, "{}", victim.name);
                assert_eq!(answer.code(), RESOURCE_EXHAUSTED, "{}", victim.name);
            }
            one_more(&victim);
        }
    }
    let grown = stage.peak_growth(before);
    assert!(grown.iter().all(|grown| *grown < BUDGET), "{grown:?}");
}

#[test]
fn metadata_beyond_all_measure_hurts_nobody() {
    withstands("metadata", |victim| {
        let plain = request("Unary");
        let large = "v".repeat(60_000);
        let many = |count: usize| {
            (0..count).fold(plain.clone(), |request, number| {
                request.metadata(&format!("x-{number}"), "v")
            })
        };
        let huge = (0..100).fold(plain.clone(), |request, number| {
            request.metadata(&format!("x-{number}"), &large)
        });
        for (what, request) in [
            ("5,000 entries", many(5_000)),
            ("20,000 entries", many(20_000)),
            ("6 MB", huge),
        ] {
            let said = match victim.client().call(&request, &["x"]) {
                Err(broken) => format!("broken: {broken}"),
                Ok(answer) => match &answer.status {
                    Some(end) if end.code == 0 => {
                        assert_eq!(answer.texts(), ["x"]);
                        "taken".to_owned()
                    }
                    Some(end) => format!("{} {}", end.code, end.message),
                    None => format!("HTTP {}", answer.http_status),
                },
            };
            println!("{what}, {}: {said}", victim.name);
        }
        one_more(victim);
    });
}

/// More entries than the table of a header map has room for.
#[test]
fn a_hundred_thousand_header_fields() {
    withstands("100,000 fields", |victim| {
        let mut wire = victim.open();
        let fields = field("a", "").repeat(4000);
        let mut bytes = frame(HEADERS, 0, 1, &call("Unary"));
        for _ in 0..25 {
            bytes.extend(frame(CONTINUATION, 0, 1, &fields));
        }
        bytes.extend(frame(CONTINUATION, END_HEADERS, 1, &[]));
        // Refused as a call or with the connection, at the latest at its end.
        let _ = wire.write(&bytes);
        let refused = wire.until(|frame| frame.stream == 1);
        println!("{}: refused as a call {refused}", victim.name);
        one_more(victim);
    });
}

fn one_more(victim: &super::Victim) {
    let answer = victim.client().call(&request("Unary"), &["x"]).unwrap();
    answer.expect_ok(&["x"]);
}
