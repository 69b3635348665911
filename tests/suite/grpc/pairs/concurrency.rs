//! How many calls an app gets at once, and when it gets none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::common::v1::InvokeRequest;
use api::common::v1::http_extension::Verb;
use prost::Message;
use tests::grpc_app::wire::GrpcStatus;
use tests::grpc_app::{ON_INVOKE, kinds, passed};
use tests::{Gate, GrpcApp, GrpcClient, GrpcRequest, Mesh, RawClient, Request, holds, invoke_path};

use super::super::invoke::{INVOKE_SERVICE, call, data, request};
use super::super::{connect, kind};
use super::response;
use crate::fidelity::refusal;

const GIVEN_UP: &[u8] = b"given up";

/// Answers invocations once the gate is open, and counts how many it has at a
/// time, without those that are given up: nothing tells when they have ended.
fn counting(gate: &Arc<Gate>, most: &Arc<AtomicUsize>) -> GrpcApp {
    let (gate, most) = (Arc::clone(gate), Arc::clone(most));
    let now = Arc::new(AtomicUsize::new(0));
    GrpcApp::new(move |mut call| {
        let (gate, most, now) = (Arc::clone(&gate), Arc::clone(&most), Arc::clone(&now));
        async move {
            if call.path() != ON_INVOKE {
                return kinds(call).await;
            }
            let request: Option<InvokeRequest> = call.decode().await;
            let data = request.and_then(|request| request.data);
            if data.is_none_or(|data| data.value == GIVEN_UP) {
                return call.gone().await;
            }
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            passed(&gate).await;
            now.fetch_sub(1, Ordering::SeqCst);
            call.send(response("text/y", "", b"answer")).await;
            call.end(&GrpcStatus::ok());
        }
    })
}

#[test]
fn one_at_a_time_means_one_of_both_apis() {
    let mesh = Mesh::mtls();
    let (gate, most) = (Arc::new(Gate::new()), Arc::new(AtomicUsize::new(0)));
    let app = counting(&gate, &most);
    let callee = mesh
        .sidecar("callee")
        .grpc_app(&app)
        .flag("app-max-concurrency", "1")
        .run();
    let caller = mesh.sidecar("caller").run();
    let post = Request::post(&invoke_path("callee", "m"), "x");
    let mut first = RawClient::connect(caller.http());
    first.send(post.to_bytes(caller.http())).unwrap();
    app.wait_for(1);

    let invoke = GrpcRequest::new(INVOKE_SERVICE);
    let begin = |client: &GrpcClient, text: &[u8]| {
        let mut stream = client.open(&invoke).unwrap();
        let message = request("callee", Verb::Post, "m", text).encode_to_vec();
        stream.send(message).unwrap();
        stream.finish();
        stream
    };
    let client = connect(&caller);
    let second = begin(&client, b"y");
    // One more waits and is given up: its place must not be lost.
    let mut given_up = begin(&connect(&callee), GIVEN_UP);

    // Forwarded calls are not counted.
    let bidi = kind("Bidi");
    client.call(&bidi, &["z"]).unwrap().expect_ok(&["z"]);
    assert_eq!(app.count(), 2, "a second invocation reached the app");
    given_up.reset(h2::Reason::CANCEL);

    gate.open();
    first.response("POST").unwrap().expect(200, "answer");
    assert_eq!(data(&second.answer().unwrap()), b"answer");
    for _ in 0..3 {
        assert_eq!(data(&begin(&client, b"y").answer().unwrap()), b"answer");
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn an_app_that_is_not_healthy_gets_no_invocations() {
    let mesh = Mesh::mtls();
    let app = GrpcApp::kinds();
    app.healthy(false);
    let callee = mesh
        .sidecar("callee")
        .grpc_app(&app)
        .switch("enable-app-health-check")
        .flag("app-health-probe-interval", "1")
        .flag("app-health-threshold", "1")
        .run();
    let caller = mesh.sidecar("caller").run();
    let unwell = "rpc error: code = Internal desc = app is not in a healthy state";
    let remote = format!("rpc error: code = Internal desc = error invoking app channel: {unwell}");
    let refused = || {
        caller
            .invoke("callee", "m")
            .expect(500, &refusal("callee", &remote));
        callee
            .invoke("callee", "m")
            .expect(500, &refusal("callee", unwell));
        let post = request("callee", Verb::Post, "m", "x");
        let text = |inner: &str| format!("failed to invoke, id: callee, err: {inner}");
        call(&caller, &post).expect(13, &text(&remote));
        call(&callee, &post).expect(13, &text(unwell));
        assert_eq!(app.take().len(), 0, "the app got a call");
        // Health is of no concern to forwarded calls.
        for sidecar in [&caller, &callee] {
            let client = GrpcClient::connect(sidecar.grpc()).unwrap();
            client
                .call(&kind("Unary"), &["x"])
                .unwrap()
                .expect_ok(&["x"]);
        }
        app.take();
    };
    refused();
    app.healthy(true);
    callee.wait_for_output("App entered healthy status");
    caller.invoke("callee", "m").expect(200, "");
    app.take();
    app.healthy(false);
    callee.wait_for_output("App entered un-healthy status");
    holds("calls are refused", || {
        caller.invoke("callee", "m").status == 500
    });
    app.take();
    refused();
}
