//! Conformance vectors of the wire that need gRPC on both ends. The others:
//! V1 to V6, V9 and V14 are unit tests of `api`; V3, V4 and V15 to V17 are in
//! `wire`, V20 in `wire::sentry`, V18 and V19 in `control_plane::operator`,
//! V8 for HTTP callers in `security::caller`; V10 and V11 in
//! `invoke::status`, V12 in `pairs::status`, V13 in `proxy::carry`, V14
//! towards an app in `pairs::http_caller`, V21 in `proxy::trust`. V7 against
//! real sidecars is in `interop`.

use std::time::Duration;

use prost::Message;
use tests::grpc_app::kinds;
use tests::{GrpcApp, GrpcClient, GrpcRequest, Mesh, PeerClient, Svid};

use super::invoke::INVOKE_SERVICE;
use super::{connect, kind, path};
use crate::names::insert;
use crate::table::Table;

fn listed(mesh: &Mesh, app_id: &str, peer: &GrpcApp) {
    let address = format!("127.0.0.1:{}", peer.port());
    insert(&mesh.names().open(), app_id, &address, "");
}

/// V5: field 3 is the message, on the way in and on to the app.
#[test]
fn an_invocation_spelled_by_hand_is_understood() {
    let mesh = Mesh::mtls();
    let app = GrpcApp::kinds();
    let _callee = mesh.sidecar("a").grpc_app(&app).run();
    let caller = mesh.sidecar("caller").run();
    let bytes = [0x0a, 0x01, 0x61, 0x1a, 0x03, 0x0a, 0x01, 0x6d];
    let answer = GrpcRequest::new(INVOKE_SERVICE).send(caller.grpc(), &[bytes]);
    answer.expect(0, "");
    let seen = app.take_one();
    let got = api::common::v1::InvokeRequest::decode(seen.messages[0].data.clone()).unwrap();
    assert_eq!(got.method, "m");
}

/// V7, our half: what sentry signs for a sidecar is taken by both ends.
#[test]
fn svids_of_sentry_are_those_of_the_mesh() {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
    let mesh = Mesh::mtls();
    let app = GrpcApp::kinds();
    let callee = mesh.sidecar("app").grpc_app(&app).run();
    let client = mesh.ca().app("client");
    let peer = PeerClient::tls(callee.internal(), Some(&client)).unwrap();
    assert_eq!(peer.alpn(), Some(&b"h2"[..]));
    assert_eq!(peer.chain().len(), 2, "leaf and issuer");
    let (_, leaf) = X509Certificate::from_der(&peer.chain()[0]).unwrap();
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    let [GeneralName::URI(id)] = names.value.general_names[..] else {
        panic!("only the id: {:?}", names.value.general_names);
    };
    assert_eq!(id, "spiffe://public/ns/default/app");
    let mut table = Table::default();
    for (name, outcome) in [
        ("no certificate", GrpcClient::tls(callee.internal(), None)),
        ("no TLS", GrpcClient::connect(callee.internal())),
    ] {
        table.row(name, || {
            // With TLS 1.3 the refusal may follow the handshake.
            let Ok(client) = outcome else {
                return;
            };
            let call = std::panic::catch_unwind(|| client.call(&kind("Unary"), &["x"]));
            assert!(matches!(call, Ok(Err(_))), "it was served");
        });
    }
    assert_eq!(app.take().len(), 0);
}

/// V8 for forwarded calls and invocations: whoever answers must be the app
/// that was called.
#[test]
fn a_peer_with_another_identity_is_no_callee() {
    let mesh = Mesh::mtls();
    let caller = mesh.sidecar("caller").run();
    let ca = mesh.ca();
    let issue = |id: &str| ca.svid(id).issue();
    let rows: [(&str, Svid, Option<&str>); 5] = [
        (
            "other-app",
            ca.app("somebody"),
            Some("spiffe://public/ns/default/somebody"),
        ),
        (
            "other-namespace",
            issue("spiffe://public/ns/elsewhere/other-namespace"),
            Some("spiffe://public/ns/elsewhere/other-namespace"),
        ),
        (
            "longer",
            issue("spiffe://public/ns/default/longer/x"),
            Some("spiffe://public/ns/default/longer/x"),
        ),
        ("right", ca.app("right"), None),
        (
            "foreign-domain",
            issue("spiffe://elsewhere/ns/default/foreign-domain"),
            None,
        ),
    ];
    let mut table = Table::default();
    for (app_id, svid, refused) in &rows {
        table.row(app_id, || {
            let peer = GrpcApp::peer(svid, kinds);
            listed(&mesh, app_id, &peer);
            let answer = path("Unary").to(app_id).send(caller.grpc(), &["x"]);
            let Some(id) = refused else {
                answer.expect_ok(&["x"]);
                return;
            };
            assert_eq!(answer.code(), 14, "{answer:?}");
            let text = format!("unexpected SPIFFE ID: \"{id}\"");
            assert!(answer.message().contains(&text), "{answer:?}");
            assert_eq!(peer.count(), 0, "it was sent the call");
        });
    }
}

/// What a peer gets of a forwarded call: its addressing, and no secret.
#[test]
fn the_remote_leg_names_both_ends() {
    let mesh = Mesh::mtls();
    let caller = mesh.sidecar("caller").run();
    let peer = GrpcApp::peer(&mesh.ca().app("callee"), kinds);
    listed(&mesh, "callee", &peer);
    let request = kind("Unary")
        .metadata("dapr-api-token", "mine")
        .metadata("dapr-caller-app-id", "spoofed")
        .metadata("dapr-stream", "true")
        .metadata(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        );
    request.send(caller.grpc(), &["x"]).expect_ok(&["x"]);
    let seen = peer.take_one();
    assert_eq!(seen.path, "/testing.Kinds/Unary");
    for (name, values) in [
        ("dapr-caller-app-id", &["caller"][..]),
        ("dapr-callee-app-id", &["callee"]),
        ("dapr-api-token", &[]),
        ("dapr-stream", &["true"]),
        ("te", &["trailers"]),
        ("dapr-caller-namespace", &[]),
        ("x-forwarded-for", &[]),
    ] {
        assert_eq!(seen.values(name), values, "{name}");
    }
    // Peers before 1.15.9 know only this one.
    let older = seen.values("dapr-app-id");
    assert!(older.is_empty() || older == ["callee"], "{older:?}");
    // V9: both forms, of one span.
    let [parent] = seen.values("traceparent")[..] else {
        panic!("one traceparent: {seen:?}");
    };
    let [binary] = seen.values("grpc-trace-bin")[..] else {
        panic!("one grpc-trace-bin: {seen:?}");
    };
    let binary = tests::grpc_app::wire::binary(binary.as_bytes());
    assert_eq!(binary.len(), 29);
    let bytes = |hex: &str| -> Vec<u8> {
        let pairs = (0..hex.len()).step_by(2);
        pairs
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    let parts: Vec<_> = parent.split('-').map(bytes).collect();
    assert_eq!(parts[0], [0]);
    assert_eq!(parts[1], binary[2..18]);
    assert_eq!(parts[2], binary[19..27]);
    assert_eq!(parts[3], binary[28..]);
    assert_eq!((binary[0], binary[1], binary[18], binary[27]), (0, 0, 1, 2));
}

/// V22: a peer counts pings closer than 8 s between which it said nothing,
/// and hangs up at the third.
#[test]
fn pings_are_such_that_no_peer_hangs_up() {
    const WATCHED: Duration = Duration::from_secs(22);
    let mesh = Mesh::mtls();
    let app = GrpcApp::kinds();
    let own = mesh.sidecar("own").grpc_app(&app).run();
    let caller = mesh.sidecar("caller").run();
    let peers = ["called", "fed", "idle"].map(|app_id| {
        let peer = GrpcApp::peer(&mesh.ca().app(app_id), kinds);
        listed(&mesh, app_id, &peer);
        let request = path("Unary").to(app_id);
        request.send(caller.grpc(), &["x"]).expect_ok(&["x"]);
        peer
    });
    let [called, fed, idle] = &peers;
    path("Unary")
        .to("own")
        .send(own.grpc(), &["x"])
        .expect_ok(&["x"]);

    // One peer has a silent stream and now and then a call, one gets what it
    // makes room for without saying a word, one is left alone.
    let client = connect(&caller);
    let mut silent = client.open(&path("Hang").to("called")).unwrap();
    silent.head().unwrap();
    let mut feeding = client.open(&path("ClientStream").to("fed")).unwrap();
    let begun = std::time::Instant::now();
    for turn in 1.. {
        feeding.send(vec![b'x'; 60_000]).unwrap();
        std::thread::sleep(Duration::from_millis(1700));
        if turn % 4 == 0 {
            // Names nobody renews are forgotten.
            listed(&mesh, "called", called);
            let request = path("Unary").to("called");
            client.call(&request, &["x"]).unwrap().expect_ok(&["x"]);
        }
        if begun.elapsed() > WATCHED {
            break;
        }
    }
    for (name, peer) in [("called", called), ("fed", fed), ("idle", idle)] {
        let pings = peer.pings();
        let apart: Vec<_> = pings.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(peer.ping_strikes(), 0, "{name}, pings apart: {apart:?}");
        assert_eq!(
            peer.connections(),
            1,
            "the connection to {name} was given up"
        );
    }
    assert_eq!(app.pings().len(), 0, "apps are not pinged");
    silent.reset(h2::Reason::CANCEL);
}
