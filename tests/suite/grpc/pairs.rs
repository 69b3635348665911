//! The four pairs of caller and callee protocols: the same app behaviour
//! through each, and what only the mixed ones have.

mod concurrency;
mod http_caller;
mod status;

use api::common::v1::http_extension::Verb;
use api::common::v1::{InvokeRequest, InvokeResponse};
use prost::Message;
use prost_types::Any;
use tests::grpc_app::wire::GrpcStatus;
use tests::{GrpcApp, GrpcCall, GrpcRequest, Mesh, RawApp, Request, Sidecar, invoke_path};

use super::invoke::{INVOKE_SERVICE, call_with, request, with};
use crate::table::Table;

/// Both kinds of apps answer the body with its content type, and `x-in` as
/// `x-echo`.
fn http_echo() -> RawApp {
    RawApp::new(|exchange| {
        let header = |name: &str| exchange.header(name).unwrap_or_default();
        let (content_type, entry) = (header("content-type"), header("x-in"));
        let body = exchange.body();
        exchange.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nX-Echo: {entry}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
        exchange.send(body);
    })
}

async fn grpc_echo(mut call: GrpcCall) {
    let entry = call.header("x-in").unwrap_or_default().to_owned();
    let Some(request) = call.decode::<InvokeRequest>().await else {
        return;
    };
    call.head(&[("x-echo", &entry)]);
    let response = InvokeResponse {
        data: request.data,
        content_type: request.content_type,
    };
    call.answer(&response).await;
}

struct Pairs {
    _mesh: Mesh,
    sidecars: [Sidecar; 3],
    _apps: (RawApp, GrpcApp),
}

fn pairs() -> Pairs {
    let mesh = Mesh::mtls();
    let apps = (http_echo(), GrpcApp::new(grpc_echo));
    let sidecars = [
        mesh.sidecar("caller").start(),
        mesh.sidecar("http").app(&apps.0).start(),
        mesh.sidecar("grpc").grpc_app(&apps.1).start(),
    ];
    for sidecar in &sidecars {
        sidecar.wait_until_ready();
    }
    Pairs {
        _mesh: mesh,
        sidecars,
        _apps: apps,
    }
}

/// Content type, `x-echo` and body of what the app answered.
type Echoed = (String, String, Vec<u8>);

#[track_caller]
fn over_http(sidecar: &Sidecar, target: &str, body: &[u8]) -> Echoed {
    let answer = Request::post(&invoke_path(target, "echo"), body)
        .header("content-type", "application/x")
        .header("x-in", "in")
        .send(sidecar.http());
    assert_eq!((answer.status, &answer.cut), (200, &None), "{answer:?}");
    let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
    (
        header("content-type"),
        header("x-echo"),
        answer.body.clone(),
    )
}

#[track_caller]
fn over_grpc(sidecar: &Sidecar, target: &str, body: &[u8]) -> Echoed {
    let request = with(request(target, Verb::Post, "echo", body), |message| {
        "application/x".clone_into(&mut message.content_type);
    });
    let head = GrpcRequest::new(INVOKE_SERVICE).metadata("x-in", "in");
    let answer = call_with(sidecar, &head, &request);
    let response: InvokeResponse = answer.decode();
    (
        response.content_type,
        answer.header("x-echo").unwrap_or_default().to_owned(),
        response.data.unwrap_or_default().value,
    )
}

#[test]
fn all_pairs_carry_the_same() {
    let pairs = pairs();
    let [caller, http, grpc] = &pairs.sidecars;
    let mut table = Table::default();
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = every_byte.iter().copied().cycle().take(1 << 20).collect();
    for (name, body) in [
        ("nothing", &[][..]),
        ("bytes", &every_byte),
        ("large", &large),
    ] {
        for (way, sidecar, target) in [
            ("remote", caller, "http"),
            ("remote", caller, "grpc"),
            ("self", http, "http"),
            ("self", grpc, "grpc"),
        ] {
            type Over = fn(&Sidecar, &str, &[u8]) -> Echoed;
            for (api, over) in [("HTTP", over_http as Over), ("gRPC", over_grpc)] {
                table.row(&format!("{name}, {api} to {target}, {way}"), || {
                    let (content_type, echo, data) = over(sidecar, target, body);
                    assert_eq!(
                        (content_type.as_str(), echo.as_str()),
                        ("application/x", "in")
                    );
                    assert!(data == body, "the body was changed");
                });
            }
        }
    }
}

/// Each app sees who called, whatever was claimed.
#[test]
fn all_pairs_say_who_calls() {
    let mesh = Mesh::mtls();
    let http = RawApp::scripted();
    let grpc = GrpcApp::kinds();
    let sidecars = [
        mesh.sidecar("caller").start(),
        mesh.sidecar("http").app(&http).start(),
        mesh.sidecar("grpc").grpc_app(&grpc).start(),
    ];
    for sidecar in &sidecars {
        sidecar.wait_until_ready();
    }
    let [caller, own_http, own_grpc] = &sidecars;
    let mut table = Table::default();
    const NAMES: [&str; 3] = [
        "dapr-caller-app-id",
        "dapr-caller-namespace",
        "dapr-callee-app-id",
    ];
    for (sidecar, target) in [
        (caller, "http"),
        (caller, "grpc"),
        (own_http, "http"),
        (own_grpc, "grpc"),
    ] {
        for api in ["HTTP", "gRPC"] {
            table.row(&format!("{api}, {} to {target}", sidecar.app_id()), || {
                if api == "HTTP" {
                    let spoofed = NAMES.iter().fold(
                        Request::post(&invoke_path(target, "m"), "x"),
                        |request, name| request.header(name, "spoofed"),
                    );
                    assert_eq!(spoofed.send(sidecar.http()).status, 200);
                } else {
                    let spoofed = NAMES
                        .iter()
                        .fold(GrpcRequest::new(INVOKE_SERVICE), |request, name| {
                            request.metadata(name, "spoofed")
                        });
                    let request = request(target, Verb::Post, "m", "x");
                    call_with(sidecar, &spoofed, &request).expect(0, "");
                }
                let expected = [sidecar.app_id(), "default", target];
                for (name, value) in NAMES.iter().zip(expected) {
                    if target == "http" {
                        let seen = http.seen().pop().unwrap();
                        assert_eq!(seen.values(name), [value], "{name}");
                    } else {
                        let seen = grpc.seen().pop().unwrap();
                        assert_eq!(seen.values(name), [value], "{name}");
                    }
                }
            });
        }
    }
}

/// An answer of `OnInvoke` with these bytes.
fn response(content_type: &str, type_url: &str, data: &[u8]) -> Vec<u8> {
    let response = InvokeResponse {
        data: Some(Any {
            type_url: type_url.to_owned(),
            value: data.to_vec(),
        }),
        content_type: content_type.to_owned(),
    };
    response.encode_to_vec()
}

/// An app that answers every call with these bytes.
fn answering(message: Vec<u8>) -> GrpcApp {
    GrpcApp::new(move |mut call| {
        let message = message.clone();
        async move {
            call.receive_all().await;
            call.send(message).await;
            call.end(&GrpcStatus::ok());
        }
    })
}
