//! The identity of a caller is what its certificate says, never what an app
//! or a peer writes.

use api::common::v1::http_extension::Verb;
use tests::peer::message;
use tests::{Mesh, PeerClient, RawApp};

use crate::fidelity::{Stage, WAYS};

#[test]
fn identity_headers_of_an_app_are_replaced() {
    let stage = Stage::new();
    for way in WAYS {
        stage.forget();
        let request = way.request("GET", "x").headers(&[
            ("dapr-caller-app-id", "liar"),
            ("Dapr-Caller-App-Id", "liar"),
            ("DAPR-CALLER-APP-ID", "liar"),
            ("Dapr-Caller-Namespace", "lies"),
            ("dapr-caller-namespace", "lies"),
            ("Dapr-Callee-App-Id", "victim"),
        ]);
        request.send(stage.caller.http()).expect(200, "ok");
        let seen = stage.app(way).take_one();
        assert_eq!(seen.values("dapr-caller-app-id"), ["caller"], "{way}");
        assert_eq!(seen.values("dapr-caller-namespace"), ["default"], "{way}");
        assert_eq!(seen.values("dapr-callee-app-id"), [way.target()], "{way}");
    }
}

#[test]
fn identity_entries_of_a_peer_are_replaced() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let svid = mesh.ca().svid("spiffe://public/ns/south/honest").issue();
    let client = PeerClient::tls(callee.internal(), Some(&svid)).unwrap();
    let mut request = message::request("liar", "callee", Verb::Get, "x");
    message::set(&mut request, "Dapr-Caller-App-Id", &["liar"]);
    message::set(&mut request, "Dapr-Caller-Namespace", &["lies"]);
    let answer = client.invoke(request).unwrap();
    assert_eq!(answer.code(), 0, "{answer:?}");
    let seen = app.take_one();
    assert_eq!(seen.values("dapr-caller-app-id"), ["honest"]);
    assert_eq!(seen.values("dapr-caller-namespace"), ["south"]);
    assert_eq!(seen.values("dapr-callee-app-id"), ["callee"]);
}

#[test]
fn without_certificates_the_peer_is_believed() {
    let mesh = Mesh::plain();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let client = PeerClient::plain(callee.internal()).unwrap();
    let answer = client
        .invoke(message::request("somebody", "callee", Verb::Get, "x"))
        .unwrap();
    assert_eq!(answer.code(), 0, "{answer:?}");
    assert_eq!(app.take_one().values("dapr-caller-app-id"), ["somebody"]);
}
