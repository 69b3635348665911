//! Policies of `InvokeService`: every failure counts, whatever its code.

use api::common::v1::http_extension::Verb;
use tests::{After, GrpcApp, GrpcRequest, Mesh, RawApp, Sidecar};

use super::policies;
use crate::grpc::invoke::{INVOKE_SERVICE, call, call_with, data, post, request};
use crate::table::Table;

struct Stage {
    _mesh: Mesh,
    _resources: tempfile::TempDir,
    http: RawApp,
    grpc: GrpcApp,
    caller: Sidecar,
    _callees: [Sidecar; 2],
}

/// An HTTP app `http` and a gRPC app `grpc` behind policies of the caller.
fn stage(spec: &str, grpc: GrpcApp) -> Stage {
    let mesh = Mesh::mtls();
    let (resources, with_policies) = policies(spec);
    let http = RawApp::scripted();
    let callees = [
        mesh.sidecar("http").app(&http).start(),
        mesh.sidecar("grpc").grpc_app(&grpc).start(),
    ];
    let caller = with_policies(mesh.sidecar("caller")).run();
    for callee in &callees {
        callee.wait_until_ready();
    }
    Stage {
        _mesh: mesh,
        _resources: resources,
        http,
        grpc,
        caller,
        _callees: callees,
    }
}

#[test]
fn every_failure_is_tried_again() {
    // The lists are for other calls.
    let stage = stage(
        "{policies: {retries: {r: {duration: 5ms, maxRetries: 2, matching: {gRPCStatusCodes: '14', httpStatusCodes: '503'}}}}, targets: {apps: {http: {retry: r}, grpc: {retry: r}}}}",
        super::failing(),
    );
    let mut table = Table::default();
    for (status, code, calls) in [
        (200, 0, 1),
        (204, 0, 1),
        (302, 2, 3),
        (404, 5, 3),
        (500, 2, 3),
        (503, 14, 3),
    ] {
        table.row(&format!("HTTP {status}"), || {
            let body = if status == 204 {
                ""
            } else {
                "Content-Length: 0\r\n"
            };
            let head = format!("HTTP/1.1 {status} X\r\n{body}\r\n");
            stage.http.script(head, After::Keep);
            let answer = call(&stage.caller, &request("http", Verb::Post, "m", "hello"));
            assert_eq!(answer.code(), code, "{answer:?}");
            let seen = stage.http.take();
            assert_eq!(seen.len(), calls);
            assert!(seen.iter().all(|seen| seen.body == b"hello"), "{seen:?}");
        });
    }
    for (code, calls) in [(5, 3), (14, 3), (7, 3)] {
        table.row(&format!("gRPC {code}"), || {
            let head = GrpcRequest::new(INVOKE_SERVICE).metadata("x-code", &code.to_string());
            let request = request("grpc", Verb::Post, "m", "hello");
            call_with(&stage.caller, &head, &request).expect(code, "failed");
            assert_eq!(stage.grpc.take().len(), calls);
        });
    }
}

#[test]
fn timeout_and_breaker_have_their_codes() {
    let stage = stage(
        "{policies: {timeouts: {short: 300ms}, circuitBreakers: {cb: {timeout: 10m, trip: 'consecutiveFailures >= 2'}}}, targets: {apps: {http: {circuitBreaker: cb}, grpc: {timeout: short}}}}",
        GrpcApp::new(|mut call| async move { call.gone().await }),
    );
    let slow = request("grpc", Verb::Post, "m", "x");
    call(&stage.caller, &slow).expect(4, "context deadline exceeded");
    let failing = request("http", Verb::Post, "m", "x");
    stage.http.script(
        "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno",
        After::Keep,
    );
    for _ in 0..2 {
        call(&stage.caller, &failing).expect(2, "Internal Server Error");
    }
    stage.http.take();
    call(&stage.caller, &failing).expect(2, "circuit breaker is open");
    // One breaker for both APIs.
    let over_http = stage.caller.invoke("http", "m");
    over_http.expect(
        500,
        &crate::fidelity::refusal("http", "circuit breaker is open"),
    );
    assert_eq!(stage.http.take().len(), 0);
}

/// Nobody configured anything: a peer that is gone is looked for a while, as
/// for HTTP callers.
#[test]
fn the_built_in_policy_says_how_often_it_tried() {
    let mesh = Mesh::mtls();
    let caller = mesh.sidecar("caller").run();
    let nobody = tests::ports::reserve();
    crate::names::insert(
        &mesh.names().open(),
        "callee",
        &format!("127.0.0.1:{nobody}"),
        "",
    );
    let answer = call(&caller, &post("m", "x"));
    assert_eq!(answer.code(), 13, "{answer:?}");
    let message = answer.message();
    assert!(
        message.starts_with(
            "failed to invoke, id: callee, err: failed to invoke target callee after 3 retries. Error: rpc error: code = Unavailable desc = "
        ),
        "{message}"
    );
    let app = GrpcApp::kinds();
    let _callee = mesh.sidecar("other").grpc_app(&app).run();
    let request = request("other", Verb::Post, "m", "x");
    assert_eq!(data(&call(&caller, &request)), b"x");
}
