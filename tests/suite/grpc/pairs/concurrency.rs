//! How many calls an app gets at once, and when it gets none.

use api::common::v1::http_extension::Verb;
use prost::Message;
use tests::grpc_app::wire::GrpcStatus;
use tests::{GrpcApp, GrpcClient, GrpcRequest, Mesh, RawClient, Request, holds, invoke_path};

use super::super::invoke::{INVOKE_SERVICE, call, data, request};
use super::super::{connect, kind};
use super::response;
use crate::fidelity::refusal;

#[test]
fn one_at_a_time_means_one_of_both_apis() {
    let mesh = Mesh::mtls();
    let app = GrpcApp::held();
    let callee = mesh
        .sidecar("callee")
        .grpc_app(&app)
        .flag("app-max-concurrency", "1")
        .run();
    let caller = mesh.sidecar("caller").run();
    let post = Request::post(&invoke_path("callee", "m"), "x");
    let mut http = RawClient::connect(caller.http());
    http.send(post.to_bytes(caller.http())).unwrap();
    let first = app.next();

    let message = request("callee", Verb::Post, "m", "y").encode_to_vec();
    let invoke = GrpcRequest::new(INVOKE_SERVICE);
    let client = connect(&caller);
    let mut second = client.open(&invoke).unwrap();
    second.send(&message).unwrap();
    second.finish();
    // A third waits and is given up; its place must not be lost.
    let mut third = connect(&callee).open(&invoke).unwrap();
    third.send(&message).unwrap();
    third.finish();

    // Forwarded calls are not counted, and prove that the app can be reached.
    let mut stream = client.open(&kind("Bidi")).unwrap();
    stream.send("z").unwrap();
    let forwarded = app.next();
    assert_eq!(forwarded.seen().path, "/testing.Kinds/Bidi");
    assert_eq!(app.count(), 2, "a second call reached the app");
    third.reset(h2::Reason::CANCEL);

    let answer = response("text/y", "", b"answer");
    first.send(&answer);
    first.end(GrpcStatus::ok());
    http.response("POST").unwrap().expect(200, "answer");
    let next = app.next();
    next.send(&answer);
    next.end(GrpcStatus::ok());
    assert_eq!(data(&second.answer().unwrap()), b"answer");

    // All places are free again.
    let mut last = client.open(&invoke).unwrap();
    last.send(&message).unwrap();
    last.finish();
    let next = app.next();
    next.send(&answer);
    next.end(GrpcStatus::ok());
    assert_eq!(data(&last.answer().unwrap()), b"answer");
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
