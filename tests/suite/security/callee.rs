//! The caller towards raw servers: whoever answers at the address must be
//! the app that was called.

use std::thread;

use api::common::v1::{InvokeResponse, StreamPayload};
use api::internals::v1::{InternalInvokeResponse, InternalInvokeResponseStream, Status};
use tests::{Ca, FakePeer, Mesh, PeerCall, RawApp, Reply, Sidecar, Svid};

use crate::names::insert;
use crate::table::Table;

/// 200 with body `here`, as a real sidecar frames it.
fn here(_: &PeerCall) -> Reply {
    Reply::messages(&[InternalInvokeResponseStream {
        response: Some(InternalInvokeResponse {
            status: Some(Status {
                code: 200,
                ..Status::default()
            }),
            message: Some(InvokeResponse::default()),
            ..InternalInvokeResponse::default()
        }),
        payload: Some(StreamPayload {
            data: "here".into(),
            seq: 0,
        }),
    }])
}

fn listed(mesh: &Mesh, app_id: &str, peer: &FakePeer) {
    let address = format!("127.0.0.1:{}", peer.port());
    insert(&mesh.names().open(), app_id, &address, "");
}

#[test]
fn whoever_is_not_the_callee_is_refused_and_its_twin_is_not() {
    let mesh = Mesh::mtls();
    let caller = mesh.sidecar("caller").run();
    let ca = mesh.ca();
    let other_root = Ca::new();
    let id = |app: &str| format!("spiffe://public/ns/default/{app}");
    let rows: Vec<(&str, Option<Svid>, &str)> = vec![
        (
            "other-app",
            Some(ca.app("somebody")),
            "unexpected SPIFFE ID: \"spiffe://public/ns/default/somebody\"",
        ),
        (
            "other-namespace",
            Some(
                ca.svid("spiffe://public/ns/elsewhere/other-namespace")
                    .issue(),
            ),
            "unexpected SPIFFE ID: \"spiffe://public/ns/elsewhere/other-namespace\"",
        ),
        (
            "longer-path",
            Some(ca.svid("spiffe://public/ns/default/longer-path/x").issue()),
            "unexpected SPIFFE ID: \"spiffe://public/ns/default/longer-path/x\"",
        ),
        (
            "other-domain",
            Some(other_root.svid(&id("other-domain")).issue()),
            "",
        ),
        (
            "expired",
            Some(ca.svid(&id("expired")).expired().issue()),
            "",
        ),
        (
            "authority",
            Some(ca.svid(&id("authority")).as_authority().issue()),
            "",
        ),
        (
            "two-ids",
            Some(ca.svid(&id("two-ids")).also(&id("somebody")).issue()),
            "",
        ),
        (
            "named",
            Some(ca.svid(&id("named")).named("named.example").issue()),
            "",
        ),
        ("plaintext", None, ""),
    ];
    let outcomes: Vec<_> = thread::scope(|scope| {
        let runs: Vec<_> = rows
            .iter()
            .map(|(app_id, svid, _)| {
                let (mesh, caller) = (&mesh, &caller);
                scope.spawn(move || {
                    let peer = match svid {
                        Some(svid) => FakePeer::tls(svid, here),
                        None => FakePeer::plain(here),
                    };
                    listed(mesh, app_id, &peer);
                    let refused = caller.invoke(app_id, "x");
                    let twin_id = format!("{app_id}-twin");
                    let twin = FakePeer::tls(&mesh.ca().app(&twin_id), here);
                    listed(mesh, &twin_id, &twin);
                    (refused, peer.calls().len(), caller.invoke(&twin_id, "x"))
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let mut table = Table::default();
    for ((app_id, _, reason), (refused, calls, twin)) in rows.iter().zip(&outcomes) {
        table.row(app_id, || {
            assert_eq!(refused.status, 500, "{refused:?}");
            let json = refused.json();
            assert_eq!(json["errorCode"], "ERR_DIRECT_INVOKE");
            let message = json["message"].as_str().unwrap();
            assert!(
                message.contains("rpc error: code = Unavailable desc = "),
                "{message}"
            );
            assert!(message.contains(reason), "{message}");
            assert_eq!(*calls, 0, "it was sent the call");
            twin.expect(200, "here");
        });
    }
}

#[test]
fn the_trust_domain_of_a_callee_is_its_own_business() {
    let mesh = Mesh::mtls();
    let caller = mesh.sidecar("caller").run();
    let svid = mesh
        .ca()
        .svid("spiffe://elsewhere/ns/default/callee")
        .issue();
    let peer = FakePeer::tls(&svid, here);
    listed(&mesh, "callee", &peer);
    caller.invoke("callee", "x").expect(200, "here");
}

#[test]
fn an_open_connection_is_no_pass_for_another_name() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let _callee = mesh.sidecar("callee").app(&app).run();
    let caller = mesh.sidecar("caller").run();
    let other_name = |caller: &Sidecar| caller.invoke("callee.elsewhere", "x");
    caller.invoke("callee", "x").expect(200, "ok");
    assert_eq!(other_name(&caller).status, 500);
    caller.invoke("callee", "x").expect(200, "ok");
    assert_eq!(app.take().len(), 2);
}

#[test]
fn namespaces_are_called_by_name() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let _callee = mesh.sidecar("callee").namespace("north").app(&app).run();
    let caller = mesh.sidecar("caller").namespace("south").run();
    caller.invoke("callee.north", "x").expect(200, "ok");
    let seen = app.take_one();
    assert_eq!(seen.values("dapr-caller-namespace"), ["south"]);
    assert_eq!(seen.values("dapr-caller-app-id"), ["caller"]);
    assert_eq!(seen.values("dapr-callee-app-id"), ["callee"]);
    // The bare name means the caller's own namespace.
    assert_eq!(caller.invoke("callee", "x").status, 500);
    assert_eq!(app.take().len(), 0);
}
