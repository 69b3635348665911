//! Whom a call reaches, and what is said when it reaches nobody.

use tests::{GrpcApp, GrpcRequest, Mesh, RawApp, Request, eventually};

use super::super::{Stage, connect, kind, path};
use crate::names::insert;
use crate::table::Table;

#[test]
fn another_namespace_is_called_by_its_name() {
    let mesh = Mesh::mtls();
    let apps = [GrpcApp::kinds(), GrpcApp::kinds()];
    let in_namespace = |app: &GrpcApp, namespace: &str| {
        let server = mesh.sidecar("server").namespace(namespace).grpc_app(app);
        server.run()
    };
    let production = in_namespace(&apps[0], "production");
    let _staging = in_namespace(&apps[1], "staging");
    let caller = mesh.sidecar("caller").namespace("staging").run();
    let mut table = Table::default();
    for (name, sidecar, target, reached) in [
        ("named", &caller, "server.production", 0),
        ("the caller's own", &caller, "server", 1),
        ("itself", &production, "server", 0),
        ("itself, in full", &production, "server.production", 0),
        ("its namesake", &production, "server.staging", 1),
    ] {
        table.row(name, || {
            let request = path("Unary").to(target);
            request.send(sidecar.grpc(), &["x"]).expect_ok(&["x"]);
            let seen = apps[reached].take_one();
            assert_eq!(seen.values("dapr-caller-app-id"), [sidecar.app_id()]);
            assert_eq!(seen.values("dapr-callee-app-id"), ["server"]);
            assert_eq!(apps[1 - reached].take().len(), 0, "the other one saw it");
        });
    }
}

#[test]
fn the_callee_id_takes_precedence() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    for (name, entries) in [
        ("alone", &[("dapr-callee-app-id", "callee")][..]),
        (
            "beside another",
            &[("dapr-callee-app-id", "callee"), ("dapr-app-id", "caller")],
        ),
        (
            "after another",
            &[("dapr-app-id", "caller"), ("dapr-callee-app-id", "callee")],
        ),
        (
            "first of two",
            &[("dapr-app-id", "callee"), ("dapr-app-id", "caller")],
        ),
    ] {
        table.row(name, || {
            let request = entries
                .iter()
                .fold(path("Unary"), |request, (name, value)| {
                    request.metadata(name, value)
                });
            request.send(stage.caller.grpc(), &["x"]).expect_ok(&["x"]);
            let seen = stage.app.take_one();
            assert_eq!(seen.values("dapr-callee-app-id"), ["callee"]);
            assert_eq!(seen.values("dapr-app-id"), [""; 0]);
        });
    }
}

#[test]
fn who_is_nobody_is_said_at_once() {
    let mesh = Mesh::mtls();
    let caller = mesh.sidecar("caller").run();
    let client = connect(&caller);
    let mut table = Table::default();
    for (target, text) in [
        ("nobody", "no host found with the given ID"),
        ("nobody.production", "no host found with the given ID"),
        ("a.b.c", "invalid app id a.b.c"),
        ("", "app id is empty"),
    ] {
        table.row(&format!("{target:?}"), || {
            let answer = client.call(&path("Unary").to(target), &["x"]).unwrap();
            assert_eq!(answer.code(), 2, "{answer:?}");
            assert!(answer.message().contains(text), "{answer:?}");
        });
    }
    for (path, text) in [
        (
            "/testing.Kinds/Unary",
            "cannot proxy request: missing dapr-callee-app-id or dapr-app-id metadata",
        ),
        (
            "/grpc.health.v1.Health/Check",
            "cannot proxy request: missing dapr-callee-app-id or dapr-app-id metadata",
        ),
        (
            "/dapr.proto.runtime.v1.Dapr/NoSuchMethod",
            "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found",
        ),
        (
            "/dapr.proto.runtime.v1.AppCallback/OnInvoke",
            "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found",
        ),
    ] {
        table.row(path, || {
            let answer = client.call(&GrpcRequest::new(path), &["x"]).unwrap();
            answer.expect(2, text);
        });
    }
}

/// The protocol says how the app is called, not what it can do.
#[test]
fn an_app_of_the_default_protocol_is_called_as_well() {
    let mesh = Mesh::mtls();
    let app = GrpcApp::kinds();
    let callee = mesh.sidecar("callee").app_port(app.port()).run();
    let caller = mesh.sidecar("caller").run();
    for sidecar in [&caller, &callee] {
        let answer = kind("Unary").send(sidecar.grpc(), &["x"]);
        answer.expect_ok(&["x"]);
        let answer = kind("Bidi").send(sidecar.grpc(), &["a", "b"]);
        answer.expect_ok(&["a", "b"]);
    }
}

#[test]
fn an_app_with_tls_is_called_with_tls() {
    let stage = Stage::new(GrpcApp::tls(tests::grpc_app::kinds));
    for (_, client) in stage.ways() {
        let answer = client.call(&kind("Bidi"), &["a", "b"]).unwrap();
        answer.expect_ok(&["a", "b"]);
    }
}

#[test]
fn an_app_that_cannot_be_reached_is_unavailable() {
    let mesh = Mesh::mtls();
    let http = RawApp::scripted();
    let old = mesh.sidecar("http").app(&http).start();
    let bare = mesh.sidecar("bare").start();
    let app = GrpcApp::kinds();
    let gone = mesh.sidecar("gone").grpc_app(&app).start();
    let caller = mesh.sidecar("caller").start();
    for sidecar in [&old, &bare, &gone, &caller] {
        sidecar.wait_until_ready();
    }
    app.stop();
    let mut table = Table::default();
    for (name, own, text) in [
        ("http", &old, "connection error: desc = "),
        (
            "bare",
            &bare,
            "dial tcp 127.0.0.1:0: connect: connection refused",
        ),
        ("gone", &gone, "onnection refused"),
    ] {
        for (way, sidecar) in [("another sidecar", &caller), ("the own sidecar", own)] {
            table.row(&format!("{way}, {name}"), || {
                let answer = path("Unary").to(name).send(sidecar.grpc(), &["x"]);
                assert_eq!(answer.code(), 14, "{answer:?}");
                assert!(answer.message().contains(text), "{answer:?}");
            });
        }
    }
    // Nothing but the preface of HTTP/2 was tried, and HTTP goes on.
    for seen in http.take() {
        assert!(["PRI", "SM"].contains(&&*seen.method), "{seen:?}");
    }
    Request::get(&tests::invoke_path("http", "x"))
        .send(caller.http())
        .expect(200, "ok");
}

#[test]
fn an_app_that_comes_back_is_called_again() {
    let mesh = Mesh::mtls();
    let app = GrpcApp::kinds();
    let port = app.port();
    let callee = mesh.sidecar("callee").grpc_app(&app).run();
    let caller = mesh.sidecar("caller").run();
    let ask = || kind("Unary").send(caller.grpc(), &["x"]);
    ask().expect_ok(&["x"]);
    app.stop();
    drop(app);
    assert_eq!(ask().code(), 14);
    let listen = tests::grpc_app::Listen {
        port: Some(port),
        ..Default::default()
    };
    let _again = GrpcApp::listening(listen, tests::grpc_app::kinds);
    eventually("the app is called again", || {
        (ask().code() == 0).then_some(())
    });
    drop(callee);
}

#[test]
fn a_sidecar_that_is_gone_is_unavailable_at_once() {
    let mesh = Mesh::mtls();
    let caller = mesh.sidecar("caller").run();
    let nobody = tests::ports::reserve();
    insert(
        &mesh.names().open(),
        "callee",
        &format!("127.0.0.1:{nobody}"),
        "",
    );
    // The built-in policy of HTTP calls would wait three times for a second,
    // every time; a busy machine is slow at times.
    let at_once = (0..5).any(|_| {
        let begun = std::time::Instant::now();
        let answer = kind("Unary").send(caller.grpc(), &["x"]);
        assert_eq!(answer.code(), 14, "{answer:?}");
        begun.elapsed().as_secs() < 3
    });
    assert!(at_once, "it waited and tried again");
}
