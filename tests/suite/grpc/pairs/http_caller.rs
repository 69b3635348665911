//! HTTP callers of gRPC apps: the request as `OnInvoke`, the answer as HTTP.

use api::common::v1::InvokeRequest;
use api::common::v1::http_extension::Verb;
use prost::Message;
use tests::grpc_app::ON_INVOKE;
use tests::grpc_app::wire::{GrpcStatus, binary};
use tests::{GrpcApp, Mesh, Request, Sidecar, invoke_path};

use super::super::Stage;
use super::{answering, response};
use crate::table::Table;

fn ways(stage: &Stage) -> [(&'static str, &Sidecar); 2] {
    [
        ("another sidecar", &stage.caller),
        ("the own sidecar", &stage.callee),
    ]
}

#[test]
fn the_request_is_told_to_the_app() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    for (way, sidecar) in ways(&stage) {
        for (word, verb) in [
            ("GET", Verb::Get),
            ("POST", Verb::Post),
            ("PUT", Verb::Put),
            ("DELETE", Verb::Delete),
            ("PATCH", Verb::Patch),
            ("OPTIONS", Verb::Options),
        ] {
            table.row(&format!("{way}, {word}"), || {
                let path = invoke_path("callee", "orders/a%20b?q=%20&r");
                let request = Request::new(word, &path)
                    .header("content-type", "text/x")
                    .body("body");
                let answer = request.send(sidecar.http());
                answer.expect(200, "body");
                assert_eq!(answer.header("content-type"), Some("text/x"));
                let seen = stage.app.take_one();
                assert_eq!(seen.path, ON_INVOKE);
                let got = InvokeRequest::decode(seen.messages[0].data.clone()).unwrap();
                assert_eq!(got.method, "orders/a b");
                assert_eq!(got.content_type, "text/x");
                let data = got.data.unwrap_or_default();
                assert_eq!((data.type_url.as_str(), data.value), ("", b"body".to_vec()));
                let extension = got.http_extension.unwrap();
                assert_eq!(extension.verb, i32::from(verb));
                assert_eq!(extension.querystring, "q=%20&r");
            });
        }
        table.row(&format!("{way}, chunked"), || {
            let request = Request::new("POST", &invoke_path("callee", "m")).chunked(&["bo", "dy"]);
            request.send(sidecar.http()).expect(200, "body");
            stage.app.take();
        });
        table.row(&format!("{way}, nothing"), || {
            let answer = Request::get(&invoke_path("callee", "m")).send(sidecar.http());
            answer.expect(200, "");
            stage.app.take();
        });
    }
}

/// V14, and the rest of the table.
#[test]
fn headers_become_metadata() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    for ((way, sidecar), caller) in ways(&stage).into_iter().zip(["caller", "callee"]) {
        let request = Request::post(&invoke_path("callee", "m"), "x").headers(&[
            ("Host", "example.com"),
            ("Connection", "keep-alive"),
            ("Content-Type", "text/plain"),
            ("X-A", "1"),
            ("X-A", "2"),
            ("X-B-Bin", "v"),
            ("Accept", "text/x"),
            ("Cookie", "a=b"),
            ("Authorization", "Bearer x"),
            ("User-Agent", "me/1"),
            ("Accept-Encoding", "br"),
            ("Referer", "r"),
            ("Te", "trailers"),
            ("dapr-api-token", "mine"),
            ("grpc-timeout", "1n"),
            ("grpc-status", "5"),
        ]);
        request.send(sidecar.http()).expect(200, "x");
        let seen = stage.app.take_one();
        for (name, values) in [
            ("host", &[][..]),
            ("connection", &[]),
            ("keep-alive", &[]),
            ("dapr-content-type", &["text/plain"]),
            ("dapr-content-length", &["1"]),
            ("content-type", &["application/grpc"]),
            ("te", &["trailers"]),
            ("x-a", &["1", "2"]),
            ("dapr-accept", &["text/x"]),
            ("accept", &[]),
            ("dapr-cookie", &["a=b"]),
            ("cookie", &[]),
            ("authorization", &["Bearer x"]),
            ("accept-encoding", &["br"]),
            ("dapr-referer", &["r"]),
            ("dapr-api-token", &[]),
            ("grpc-timeout", &[]),
            ("grpc-status", &[]),
            ("grpc-message", &[]),
            ("destination-app-id", &[]),
            ("dapr-caller-app-id", &[caller]),
            ("dapr-callee-app-id", &["callee"]),
            ("dapr-caller-namespace", &["default"]),
        ] {
            table.row(&format!("{way}: {name}"), || {
                assert_eq!(seen.values(name), values);
            });
        }
        table.row(&format!("{way}: x-b-bin"), || {
            let value = seen.headers.get("x-b-bin").unwrap();
            assert_eq!(binary(value.as_bytes()), "v");
        });
        table.row(&format!("{way}: user-agent"), || {
            // The transport's own is what gRPC apps see.
            assert_ne!(seen.header("user-agent"), Some("me/1"));
        });
    }
}

#[test]
fn metadata_of_the_app_becomes_headers() {
    let message = response("text/y", "", b"answer");
    let app = GrpcApp::new(move |mut call| {
        let message = message.clone();
        async move {
            call.receive_all().await;
            call.head(&[
                ("x-initial", "1"),
                ("x-initial", "2"),
                ("x-initial-bin", "AAEC/w"),
                ("grpc-accept-encoding", "gzip"),
            ]);
            call.send(message).await;
            call.end(&GrpcStatus::ok().trailer("x-trailing", "3"));
        }
    });
    let stage = Stage::new(app);
    let mut table = Table::default();
    for (way, sidecar) in ways(&stage) {
        let answer = Request::post(&invoke_path("callee", "m"), "x").send(sidecar.http());
        table.row(&format!("{way}: body"), || {
            answer.expect(200, "answer");
        });
        for (name, values) in [
            ("content-type", &["text/y"][..]),
            ("x-initial", &["1", "2"]),
            ("x-initial-bin", &[]),
            ("x-trailing", &[]),
            ("grpc-status", &[]),
            ("grpc-accept-encoding", &[]),
            ("dapr-grpc-accept-encoding", &["gzip"]),
            ("te", &[]),
        ] {
            table.row(&format!("{way}: {name}"), || {
                assert_eq!(answer.values(name), values);
            });
        }
    }
}

#[test]
fn a_typed_answer_is_protobuf() {
    let app = answering(response(
        "application/json",
        "type.googleapis.com/a.B",
        b"\x08\x01",
    ));
    let stage = Stage::new(app);
    for (_, sidecar) in ways(&stage) {
        let answer = Request::post(&invoke_path("callee", "m"), "x").send(sidecar.http());
        assert_eq!((answer.status, &answer.body[..]), (200, &b"\x08\x01"[..]));
        assert_eq!(
            answer.header("content-type"),
            Some("application/x-protobuf")
        );
    }
}

#[test]
fn an_answer_that_is_none_is_a_failure() {
    let stage = Stage::new(answering(b"\xff\xff\xff".to_vec()));
    for (_, sidecar) in ways(&stage) {
        let answer = Request::post(&invoke_path("callee", "m"), "x").send(sidecar.http());
        assert_eq!(answer.status, 500, "{answer:?}");
        assert_eq!(answer.json()["errorCode"], "ERR_DIRECT_INVOKE");
    }
}

#[test]
fn an_app_with_tls_is_invoked_with_tls() {
    let stage = Stage::new(GrpcApp::tls(tests::grpc_app::kinds));
    for (_, sidecar) in ways(&stage) {
        let answer = Request::post(&invoke_path("callee", "m"), "x").send(sidecar.http());
        answer.expect(200, "x");
        assert_eq!(stage.app.take_one().path, ON_INVOKE);
    }
}

#[test]
fn the_app_token_goes_to_invocations_and_not_to_health_checks() {
    let mesh = Mesh::mtls();
    let app = GrpcApp::kinds();
    let callee = mesh
        .sidecar("callee")
        .grpc_app(&app)
        .env("APP_API_TOKEN", "callee-token")
        .switch("enable-app-health-check")
        .run();
    let caller = mesh.sidecar("caller").env("APP_API_TOKEN", "other").run();
    tests::holds("the app is healthy", || {
        callee.invoke("callee", "m").status == 200
    });
    app.take();
    for sidecar in [&caller, &callee] {
        let request = Request::post(&invoke_path("callee", "m"), "x");
        request
            .header("dapr-api-token", "mine")
            .send(sidecar.http())
            .expect(200, "x");
        assert_eq!(app.take_one().values("dapr-api-token"), ["callee-token"]);
    }
    let checks = app.health_checks();
    assert_ne!(checks.len(), 0);
    for check in checks {
        assert_eq!(check.values("dapr-api-token"), [""; 0]);
        assert_eq!(check.messages.len(), 1);
        assert_eq!(check.messages[0].data.len(), 0);
    }
}
