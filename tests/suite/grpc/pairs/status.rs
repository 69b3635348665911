//! gRPC statuses of apps as HTTP. V12.

use api::rpc::ErrorInfo;
use prost::Message;
use prost_types::Any;
use serde_json::json;
use tests::grpc_app::wire::{ERROR_INFO, GrpcStatus};
use tests::{GrpcApp, Request, Sidecar, invoke_path};

use super::super::Stage;
use crate::table::Table;

/// gRPC code, HTTP status.
const CODES: [(u32, u16); 18] = [
    (1, 408),
    (2, 500),
    (3, 400),
    (4, 504),
    (5, 404),
    (6, 409),
    (7, 403),
    (8, 429),
    (9, 400),
    (10, 409),
    (11, 400),
    (12, 501),
    (13, 500),
    (14, 503),
    (15, 500),
    (16, 401),
    (17, 500),
    (99, 500),
];

fn ask(sidecar: &Sidecar, code: u32, details: &str) -> tests::Response {
    Request::post(&invoke_path("callee", "m"), "x")
        .header("x-code", &code.to_string())
        .header("x-details", details)
        .send(sidecar.http())
}

/// Fails with the code of `x-code` and the details of `x-details`.
fn failing() -> GrpcApp {
    GrpcApp::new(|mut call| async move {
        call.receive_all().await;
        let code = call.header("x-code").and_then(|code| code.parse().ok());
        let code: u32 = code.unwrap_or(2);
        let known = Any {
            type_url: ERROR_INFO.to_owned(),
            value: ErrorInfo {
                reason: "WHY".to_owned(),
                domain: "testing".to_owned(),
                metadata: [("a".to_owned(), "b".to_owned())].into(),
            }
            .encode_to_vec(),
        };
        let unknown = Any {
            type_url: "type.googleapis.com/testing.Unknown".to_owned(),
            value: vec![8, 1],
        };
        let details = match call.header("x-details") {
            Some("known") => vec![known],
            Some("both") => vec![unknown, known],
            _ => Vec::new(),
        };
        let mut status = GrpcStatus::error(code, "no \"luck\"");
        if !details.is_empty() {
            let whole = api::internals::v1::Status {
                code: code as i32,
                message: status.message.clone(),
                details,
            };
            status = status.details(whole.encode_to_vec());
        }
        call.end(&status);
    })
}

#[test]
fn every_code_has_its_status_and_says_the_rest_as_json() {
    let stage = Stage::new(failing());
    let mut table = Table::default();
    for (way, sidecar) in [
        ("another sidecar", &stage.caller),
        ("the own sidecar", &stage.callee),
    ] {
        for (code, status) in CODES {
            table.row(&format!("{way}, {code}"), || {
                let answer = ask(sidecar, code, "none");
                assert_eq!(answer.status, status, "{answer:?}");
                assert_eq!(answer.json()["message"], "no \"luck\"");
                if code <= 16 {
                    assert_eq!(
                        answer.json(),
                        json!({"code": code, "message": "no \"luck\""})
                    );
                }
                let content_type = answer.header("content-type");
                assert_eq!(content_type, Some("application/json"));
                assert_eq!(stage.app.take().len(), 1, "it was tried once");
            });
        }
        table.row(&format!("{way}, details"), || {
            let info = json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "WHY",
                "domain": "testing",
                "metadata": {"a": "b"},
            });
            for details in ["known", "both"] {
                let answer = ask(sidecar, 5, details);
                assert_eq!(answer.status, 404, "{answer:?}");
                assert_eq!(
                    answer.json(),
                    json!({"code": 5, "message": "no \"luck\"", "details": [info]})
                );
                stage.app.take();
            }
        });
    }
}
