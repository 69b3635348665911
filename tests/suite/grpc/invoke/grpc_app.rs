//! Towards gRPC apps: `OnInvoke`.

use api::common::v1::http_extension::Verb;
use api::common::v1::{InvokeRequest, InvokeResponse};
use prost::Message;
use prost_types::Any;
use tests::grpc_app::wire::GrpcStatus;
use tests::grpc_app::{ON_INVOKE, failure};
use tests::{GrpcApp, GrpcRequest, GrpcSeen};

use super::super::Stage;
use super::{INVOKE_SERVICE, call_with, post, request, with};
use crate::table::Table;

/// The request an app got.
#[track_caller]
fn got(seen: &GrpcSeen) -> InvokeRequest {
    assert_eq!(seen.path, ON_INVOKE);
    assert_eq!(seen.messages.len(), 1, "{seen:?}");
    InvokeRequest::decode(seen.messages[0].data.clone()).unwrap()
}

#[test]
fn the_message_arrives_as_it_was_sent() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    let every_byte: Vec<u8> = (0..=255).collect();
    let typed = with(post("m", &every_byte), |message| {
        message.data.as_mut().unwrap().type_url = "type.googleapis.com/a.B".to_owned();
        message.content_type = "application/json".to_owned();
    });
    let queried = with(request("callee", Verb::Delete, "a/b", ""), |message| {
        message.http_extension.as_mut().unwrap().querystring = "a=%20&b".to_owned();
    });
    let cases = [
        ("bytes", post("m", &every_byte)),
        ("nothing", post("m", "")),
        ("a slash", post("/m", "x")),
        ("a type", typed),
        ("a query", queried),
        (
            "a content type",
            with(post("m", "{}"), |message| {
                message.content_type = "application/cloudevents+json".to_owned();
            }),
        ),
        (
            "no verb",
            with(post("m", "x"), |message| message.http_extension = None),
        ),
    ];
    for (way, client) in stage.ways() {
        for (name, request) in &cases {
            table.row(&format!("{way}, {name}"), || {
                let head = GrpcRequest::new(INVOKE_SERVICE);
                let answer = client.call(&head, &[request.encode_to_vec()]).unwrap();
                let sent = request.message.clone().unwrap();
                assert_eq!(got(&stage.app.take_one()), sent);
                let response: InvokeResponse = answer.decode();
                assert_eq!(response.content_type, sent.content_type);
                assert_eq!(response.data, sent.data);
            });
        }
    }
}

#[test]
fn metadata_goes_there_and_back() {
    let app = GrpcApp::new(|mut call| async move {
        call.receive_all().await;
        call.head(&[
            ("x-initial", "1"),
            ("x-initial", "2"),
            ("x-initial-bin", "AAEC/w"),
        ]);
        let response = InvokeResponse {
            data: Some(Any {
                type_url: "type.googleapis.com/a.B".to_owned(),
                value: vec![1],
            }),
            content_type: "x/y".to_owned(),
        };
        call.send(response.encode_to_vec()).await;
        call.end(
            &GrpcStatus::ok()
                .trailer("x-trailing", "3")
                .trailer("x-trailing-bin", "/wA"),
        );
    });
    let stage = Stage::new(app);
    let mut table = Table::default();
    for ((way, client), caller) in stage.ways().into_iter().zip(["caller", "callee"]) {
        let head = GrpcRequest::new(INVOKE_SERVICE)
            .metadata("x-multi", "1")
            .metadata("x-multi", "2")
            .metadata("x-raw-bin", "AAEC/w")
            .metadata("authorization", "Bearer x")
            .metadata("accept", "text/x")
            .metadata("dapr-api-token", "mine")
            .metadata("dapr-caller-app-id", "spoofed")
            .metadata("dapr-callee-app-id", "spoofed");
        let answer = client
            .call(&head, &[post("m", "x").encode_to_vec()])
            .unwrap();
        let seen = stage.app.take_one();
        for (name, values) in [
            ("x-multi", &["1", "2"][..]),
            ("x-raw-bin", &["AAEC/w"]),
            ("authorization", &["Bearer x"]),
            ("accept", &["text/x"]),
            ("dapr-caller-app-id", &[caller]),
            ("dapr-callee-app-id", &["callee"]),
            ("dapr-caller-namespace", &["default"]),
            ("dapr-api-token", &[]),
            ("content-type", &["application/grpc"]),
            ("te", &["trailers"]),
            ("host", &[]),
            ("connection", &[]),
        ] {
            table.row(&format!("{way}: {name}"), || {
                let got: Vec<_> = seen
                    .values(name)
                    .iter()
                    .map(|value| value.trim_end_matches('=').to_owned())
                    .collect();
                assert_eq!(got, values);
            });
        }
        for (name, values) in [
            ("x-initial", &["1", "2"][..]),
            ("x-initial-bin", &["AAEC/w"]),
            ("x-trailing", &[]),
            ("content-type", &["application/grpc"]),
        ] {
            table.row(&format!("{way}: answer {name}"), || {
                assert_eq!(texts(&answer.headers, name), values);
            });
        }
        for (name, values) in [("x-trailing", &["3"][..]), ("x-trailing-bin", &["/wA"])] {
            table.row(&format!("{way}: trailer {name}"), || {
                assert_eq!(texts(&answer.end().trailers, name), values);
            });
        }
        table.row(&format!("{way}: message"), || {
            let response: InvokeResponse = answer.decode();
            assert_eq!(response.content_type, "x/y");
            assert_eq!(response.data.unwrap().type_url, "type.googleapis.com/a.B");
        });
    }
}

/// Values of an entry; padding of base64 is a matter of taste.
fn texts(headers: &http::HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter();
    let texts = values.map(|value| value.to_str().unwrap());
    texts
        .map(|text| text.trim_end_matches('=').to_owned())
        .collect()
}

#[test]
fn a_failure_keeps_code_text_details_and_trailers() {
    let app = GrpcApp::new(|mut call| async move {
        call.receive_all().await;
        if let Some(code) = call.header("x-code").and_then(|code| code.parse().ok()) {
            return call.end(&GrpcStatus::error(code, "why"));
        }
        call.head(&[("x-initial", "1")]);
        call.end(&failure());
    });
    let stage = Stage::new(app);
    let mut table = Table::default();
    for (way, sidecar) in [
        ("another sidecar", &stage.caller),
        ("the own sidecar", &stage.callee),
    ] {
        table.row(&format!("{way}, with details"), || {
            let head = GrpcRequest::new(INVOKE_SERVICE);
            let answer = call_with(sidecar, &head, &post("m", "x"));
            let expected = failure();
            answer.expect(expected.code, &expected.message);
            assert_eq!(answer.end().rpc_status(), expected.rpc_status());
            assert_eq!(answer.trailer("x-trailing"), Some("2"));
            assert_eq!(answer.header("x-initial"), Some("1"));
            assert_eq!(stage.app.take().len(), 1);
        });
        for code in 1..=16 {
            table.row(&format!("{way}, {code}"), || {
                let head = GrpcRequest::new(INVOKE_SERVICE).metadata("x-code", &code.to_string());
                let answer = call_with(sidecar, &head, &post("m", "x"));
                answer.expect(code, "why");
                assert_eq!(stage.app.take().len(), 1, "it was tried once");
            });
        }
    }
}
