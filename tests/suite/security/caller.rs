//! The internal server towards raw clients.

use api::common::v1::http_extension::Verb;
use tests::peer::message;
use tests::{Ca, Mesh, PeerClient, RawApp, Sidecar, Svid};

use crate::table::Table;

/// A call over this connection, judged by what the app answered.
fn call(client: Result<PeerClient, String>) -> Result<String, String> {
    let request = message::request("stranger", "callee", Verb::Get, "x");
    let answer = client?.invoke(request)?;
    if answer.code() != 0 {
        return Err(format!("code {}: {}", answer.code(), answer.message()));
    }
    Ok(String::from_utf8(answer.body()).unwrap())
}

fn with(sidecar: &Sidecar, svid: &Svid) -> Result<String, String> {
    call(PeerClient::tls(sidecar.internal(), Some(svid)))
}

#[test]
fn strangers_are_refused_and_their_twins_are_not() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let ca = mesh.ca();
    let other_root = Ca::new();
    let id = "spiffe://public/ns/default/stranger";
    let sound = ca.svid(id).issue();
    let port = callee.internal();
    let offering = |alpn: &[&[u8]]| call(PeerClient::tls_offering(port, Some(&sound), alpn));
    let mut table = Table::default();
    for (name, refused) in [
        ("plaintext", call(PeerClient::plain(port))),
        ("no certificate", call(PeerClient::tls(port, None))),
        (
            "another trust domain's root",
            with(&callee, &other_root.svid(id).issue()),
        ),
        ("expired", with(&callee, &ca.svid(id).expired().issue())),
        (
            "not yet valid",
            with(&callee, &ca.svid(id).not_yet_valid().issue()),
        ),
        (
            "a CA as leaf",
            with(&callee, &ca.svid(id).as_authority().issue()),
        ),
        (
            "two ids",
            with(
                &callee,
                &ca.svid(id).also("spiffe://public/ns/default/other").issue(),
            ),
        ),
        (
            "a name instead of an id",
            with(&callee, &ca.svid(id).named("stranger.example").issue()),
        ),
        ("another protocol", offering(&[b"http/1.1"])),
        ("no protocol", offering(&[])),
    ] {
        table.row(name, || {
            assert!(refused.is_err(), "it was answered {refused:?}");
            assert_eq!(with(&callee, &sound).as_deref(), Ok("ok"), "the twin");
            assert_eq!(app.take().len(), 1, "only the twin reached the app");
        });
    }
    assert!(callee.exited().is_none());
}

#[test]
fn every_id_of_the_same_root_is_a_valid_caller() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    for id in [
        "spiffe://public/ns/default/stranger",
        "spiffe://elsewhere/ns/default/stranger",
        "spiffe://public/ns/elsewhere/stranger",
    ] {
        // Who may call is the access list's business, not the handshake's.
        assert_eq!(
            with(&callee, &mesh.ca().svid(id).issue()).as_deref(),
            Ok("ok"),
            "{id}"
        );
    }
}

#[test]
fn a_call_for_another_app_is_refused() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let other_app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let _other = mesh.sidecar("other").app(&other_app).run();
    let svid = mesh.ca().app("stranger");
    let client = PeerClient::tls(callee.internal(), Some(&svid)).unwrap();
    let relayed = client
        .invoke(message::request("stranger", "other", Verb::Get, "x"))
        .unwrap();
    assert_ne!(relayed.code(), 0, "{relayed:?}");
    assert_eq!((app.take().len(), other_app.take().len()), (0, 0));
    let direct = client
        .invoke(message::request("stranger", "callee", Verb::Get, "x"))
        .unwrap();
    assert_eq!((direct.code(), direct.body()), (0, b"ok".to_vec()));
    assert_eq!(app.take().len(), 1);
}

#[test]
fn the_server_proves_who_it_is() {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let svid = mesh.ca().app("stranger");
    let client = PeerClient::tls(callee.internal(), Some(&svid)).unwrap();
    assert_eq!(client.alpn(), Some(b"h2".as_slice()));
    assert_eq!(client.chain().len(), 2, "leaf and issuer");
    let (_, leaf) = X509Certificate::from_der(&client.chain()[0]).unwrap();
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    assert!(names.critical);
    let [GeneralName::URI(id)] = names.value.general_names[..] else {
        panic!("one URI: {:?}", names.value.general_names);
    };
    assert_eq!(id, "spiffe://public/ns/default/callee");
    assert!(
        leaf.basic_constraints().unwrap().is_none(),
        "a leaf is no authority"
    );
    let usage = leaf.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign());
}

#[test]
fn a_certificate_that_names_no_app_is_denied() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let named = mesh.ca().app("stranger");
    assert_eq!(with(&callee, &named).as_deref(), Ok("ok"));
    assert_eq!(app.take_one().values("dapr-caller-app-id"), ["stranger"]);
    // The call says "stranger" here, too; the list that allows everybody asks
    // for a name nevertheless.
    let id = "spiffe://public/elsewhere";
    let refused = with(&callee, &mesh.ca().svid(id).issue());
    let text = format!("code 7: malformed SPIFFE ID: {id}");
    assert_eq!(refused, Err(text));
    assert_eq!(app.take().len(), 0);
}
