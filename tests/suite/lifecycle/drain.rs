//! Calls in flight when a sidecar ends: they finish, in every role it has.

use std::sync::Arc;

use nix::sys::signal::Signal;
use tests::{Gate, Mesh, RawApp, RawClient, Request, Sidecar, invoke_path};

struct Scene {
    _mesh: Mesh,
    caller: Sidecar,
    callee: Sidecar,
    app: RawApp,
    proceed: Arc<Gate>,
}

fn scene() -> Scene {
    let proceed = Arc::new(Gate::new());
    let gate = proceed.clone();
    let app = RawApp::new(move |exchange| {
        let body = exchange.body();
        gate.wait();
        exchange.ok(body);
    });
    let mesh = Mesh::mtls();
    let callee = mesh.sidecar("callee").app(&app).run();
    let caller = mesh.sidecar("caller").run();
    Scene {
        _mesh: mesh,
        caller,
        callee,
        app,
        proceed,
    }
}

fn in_flight(sidecar: &Sidecar, app: &RawApp) -> RawClient {
    let mut client = RawClient::connect(sidecar.http());
    let request = Request::post(&invoke_path("callee", "x"), "kept");
    client.send(request.to_bytes(sidecar.http())).unwrap();
    app.wait_for(1);
    client
}

#[test]
fn a_call_finishes_while_the_callee_ends() {
    let scene = scene();
    let mut client = in_flight(&scene.caller, &scene.app);
    scene.callee.signal(Signal::SIGTERM);
    scene.callee.wait_for_output("beginning shutdown");
    scene.proceed.open();
    client.response("POST").unwrap().expect(200, "kept");
    scene.callee.wait_for_code(0);
    assert_eq!(scene.app.take().len(), 1, "the call was not repeated");
    let answer = scene.caller.invoke("callee", "x");
    assert_eq!(answer.status, 500, "{answer:?}");
}

#[test]
fn a_call_finishes_while_the_caller_ends() {
    let scene = scene();
    let mut client = in_flight(&scene.caller, &scene.app);
    scene.caller.signal(Signal::SIGTERM);
    scene.caller.wait_for_output("beginning shutdown");
    scene.proceed.open();
    let answer = client.response("POST").unwrap();
    answer.expect(200, "kept");
    assert!(client.is_closed(), "an idle connection outlives the server");
    scene.caller.wait_for_code(0);
}

#[test]
fn a_self_call_finishes_while_the_sidecar_ends() {
    let scene = scene();
    let mut client = in_flight(&scene.callee, &scene.app);
    scene.callee.signal(Signal::SIGTERM);
    scene.callee.wait_for_output("beginning shutdown");
    scene.proceed.open();
    client.response("POST").unwrap().expect(200, "kept");
    scene.callee.wait_for_code(0);
}

#[test]
fn new_connections_are_refused_during_the_drain() {
    let scene = scene();
    let mut client = in_flight(&scene.callee, &scene.app);
    scene.callee.signal(Signal::SIGTERM);
    scene.callee.wait_for_output("beginning shutdown");
    for port in [scene.callee.http(), scene.callee.internal()] {
        tests::holds("new connections are refused", || {
            RawClient::try_connect(port)
                .and_then(|mut client| client.call(&Request::get("/v1.0/healthz")))
                .is_err()
        });
    }
    scene.proceed.open();
    client.response("POST").unwrap().expect(200, "kept");
    scene.callee.wait_for_code(0);
}

#[test]
fn idle_connections_close_at_once() {
    let scene = scene();
    let mut idle = RawClient::connect(scene.caller.http());
    let answer = idle.call(&Request::get("/v1.0/healthz")).unwrap();
    assert_eq!(answer.status, 204);
    scene.caller.signal(Signal::SIGTERM);
    assert!(idle.is_closed());
    scene.caller.wait_for_code(0);
}
