//! What is refused before it reaches an app.

use http::Method;
use tests::{GrpcApp, GrpcClient, GrpcRequest};

use super::super::{NONE, Stage, connect, kind, path};
use crate::table::Table;

/// An internal server answers for its own app only.
#[test]
fn no_call_is_relayed_for_a_peer() {
    let stage = Stage::new(GrpcApp::kinds());
    let third_app = GrpcApp::kinds();
    let _third = stage.mesh.sidecar("third").grpc_app(&third_app).run();
    let stranger = stage.mesh.ca().app("stranger");
    let peer = GrpcClient::tls(stage.callee.internal(), Some(&stranger)).unwrap();
    let mut table = Table::default();
    for (name, request) in [
        ("by app id", path("Unary").to("third")),
        (
            "by callee id",
            path("Unary").metadata("dapr-callee-app-id", "third"),
        ),
        (
            "by callee id, with the right app id",
            kind("Unary").metadata("dapr-callee-app-id", "third"),
        ),
    ] {
        table.row(name, || {
            peer.call(&request, &["x"])
                .unwrap()
                .expect(14, "target app id third is not served by this sidecar");
        });
    }
    table.row("another namespace", || {
        let request = path("Unary").to("callee.elsewhere");
        let answer = peer.call(&request, &["x"]).unwrap();
        assert_eq!(answer.code(), 14, "{answer:?}");
    });
    assert_eq!(third_app.take().len(), 0, "it was relayed");
    assert_eq!(stage.app.take().len(), 0, "the wrong app was asked");
    table.row("for the right app", || {
        for request in [
            kind("Unary"),
            path("Unary").metadata("dapr-callee-app-id", "callee"),
            path("Unary").to("callee.default"),
        ] {
            peer.call(&request, &["x"]).unwrap().expect_ok(&["x"]);
            let seen = stage.app.take_one();
            assert_eq!(seen.values("dapr-caller-app-id"), ["stranger"]);
        }
    });
}

/// What would be judged must be what is sent.
#[test]
fn a_path_that_normalisation_changes_is_refused() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    let stranger = stage.mesh.ca().app("stranger");
    let peer = GrpcClient::tls(stage.callee.internal(), Some(&stranger)).unwrap();
    for (way, client) in stage.ways().into_iter().chain([("a peer", peer)]) {
        for path in [
            "/x.S/../testing.Kinds/Unary",
            "/./testing.Kinds/Unary",
            "//testing.Kinds/Unary",
            "/testing.Kinds//Unary",
            "/testing.Kinds/Unary/",
            "/testing.Kinds/x/../Unary",
        ] {
            table.row(&format!("{way}, {path}"), || {
                stage.app.take();
                let request = GrpcRequest::new(path).to("callee");
                let answer = client.call(&request, &["x"]).unwrap();
                assert_eq!(answer.code(), 3, "{answer:?}");
                assert!(
                    answer.message().starts_with("invalid method: "),
                    "{answer:?}"
                );
                assert_eq!(stage.app.take().len(), 0, "the app saw it");
            });
        }
        for path in [
            "/testing.Kinds/Unary?query",
            "/testing.Kinds/Unary?dapr-app-id=callee",
        ] {
            table.row(&format!("{way}, {path}"), || {
                stage.app.take();
                let request = GrpcRequest::new(path).to("callee");
                if let Ok(answer) = client.call(&request, &["x"]) {
                    assert_ne!(answer.code(), 0, "{answer:?}");
                }
                assert_eq!(stage.app.take().len(), 0, "the app saw it");
            });
        }
    }
}

#[test]
fn what_is_not_grpc_is_refused_as_http() {
    let stage = Stage::new(GrpcApp::kinds());
    let client = connect(&stage.caller);
    let mut table = Table::default();
    for content_type in ["application/json", "application/grpcx", "text/plain", ""] {
        table.row(&format!("content type {content_type:?}"), || {
            let request = kind("Unary").content_type(content_type);
            let answer = client.call(&request, &["x"]).unwrap();
            assert_eq!(answer.http_status, 415, "{answer:?}");
            assert_eq!(stage.app.take().len(), 0, "the app saw it");
        });
    }
    for method in [Method::GET, Method::PUT] {
        table.row(method.as_str(), || {
            let request = kind("Unary").method(method.clone());
            let answer = client.call(&request, NONE).unwrap();
            assert_eq!(answer.http_status, 405, "{answer:?}");
            assert_eq!(stage.app.take().len(), 0, "the app saw it");
        });
    }
    table.row("the connection is as good as before", || {
        client
            .call(&kind("Unary"), &["x"])
            .unwrap()
            .expect_ok(&["x"]);
    });
}

#[test]
fn baggage_that_is_none_is_refused() {
    let stage = Stage::new(GrpcApp::kinds());
    let mut table = Table::default();
    for (way, client) in stage.ways() {
        for value in ["no pair", "=", "a", ",", "a=1;;"] {
            table.row(&format!("{way}, {value:?}"), || {
                let request = kind("Unary").metadata("baggage", value);
                let answer = client.call(&request, &["x"]).unwrap();
                assert_eq!(answer.code(), 3, "{answer:?}");
                assert!(
                    answer.message().starts_with("invalid baggage header: "),
                    "{answer:?}"
                );
                assert_eq!(stage.app.take().len(), 0, "the app saw it");
            });
        }
    }
}
