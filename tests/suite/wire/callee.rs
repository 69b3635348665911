//! Our internal server towards a raw client.

use std::sync::Arc;

use api::common::v1::http_extension::Verb;
use api::internals::v1::{
    InternalInvokeRequestStream, InternalInvokeResponse, InternalInvokeResponseStream,
};
use tests::peer::{CALL_LOCAL, CALL_LOCAL_STREAM, Rpc, message};
use tests::{Gate, Mesh, PeerClient, RawApp};

use crate::table::Table;

/// V1, V2: how our callee frames a stream.
#[test]
fn a_stream_is_framed_as_peers_expect() {
    let mesh = Mesh::plain();
    let proceed = Arc::new(Gate::new());
    let gate = proceed.clone();
    let app = RawApp::new(move |exchange| {
        exchange.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        exchange.chunk("hi");
        gate.wait();
        exchange.chunk("x");
        exchange.send("0\r\n\r\n");
    });
    let callee = mesh.sidecar("callee").app(&app).run();
    let client = PeerClient::plain(callee.internal()).unwrap();
    let mut request = message::request("caller", "callee", Verb::Get, "x");
    message::set(&mut request, "Accept", &["text/event-stream"]);
    let mut rpc = client.open(CALL_LOCAL_STREAM, &[]).unwrap();
    rpc.send(&message::first(request, b"")).unwrap();
    rpc.finish();
    let mut messages = Vec::new();
    let mut text = Vec::new();
    let mut next = |rpc: &mut Rpc, text: &mut Vec<u8>| {
        let raw = rpc.receive().unwrap().expect("more comes");
        let message = prost::Message::decode(raw.clone()).unwrap();
        let message: InternalInvokeResponseStream = message;
        if let Some(payload) = &message.payload {
            text.extend_from_slice(&payload.data);
        }
        messages.push((raw, message));
    };
    while text != b"hi" {
        next(&mut rpc, &mut text);
    }
    proceed.open();
    while text != b"hix" {
        next(&mut rpc, &mut text);
    }
    let status = messages[0].1.response.as_ref().unwrap().status.as_ref();
    let code = status.expect("the first message has a status").code;
    assert!(matches!(code, 0 | 200), "{code}");
    let payloads: Vec<_> = messages
        .iter()
        .filter_map(|(_, message)| message.payload.as_ref())
        .collect();
    let sequence: Vec<_> = payloads.iter().map(|payload| payload.seq).collect();
    assert_eq!(sequence, (0..payloads.len() as u64).collect::<Vec<_>>());
    if sequence == [0, 1] {
        let last = messages.last().unwrap().0.to_vec();
        let last = last.strip_prefix(&[0x0a, 0x00]).unwrap_or(&last);
        assert_eq!(last, [0x12, 0x05, 0x0a, 0x01, 0x78, 0x10, 0x01]);
    }
    let end = rpc.answer().unwrap();
    assert_eq!(end.code(), 0);
}

/// V15 and its neighbours: what a callee refuses before it calls the app.
#[test]
fn broken_requests_are_refused_by_name() {
    let mesh = Mesh::plain();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let client = PeerClient::plain(callee.internal()).unwrap();
    let sound = || message::request("caller", "callee", Verb::Get, "x");
    let incomplete = "parsing InternalInvokeRequest error: request does not contain the required fields in the leading chunk";
    let mut table = Table::default();
    let mut row = |name: &str, messages: &[InternalInvokeRequestStream], code: u32, text: &str| {
        table.row(name, || {
            let answer = client.stream(messages).unwrap();
            assert_eq!((answer.code(), answer.message().as_str()), (code, text));
            assert_eq!(app.take().len(), 0);
        });
    };
    let mut no_metadata = sound();
    no_metadata.metadata.clear();
    row(
        "empty metadata",
        &[message::first(no_metadata, b"")],
        3,
        incomplete,
    );
    let mut no_message = sound();
    no_message.message = None;
    row(
        "no message",
        &[message::first(no_message, b"")],
        3,
        incomplete,
    );
    row("payload first", &[message::later(b"x", 0)], 3, incomplete);
    row("nothing at all", &[], 2, "EOF");
    let mut forbidden = sound();
    forbidden.message.as_mut().unwrap().method = "a#b".to_owned();
    row(
        "a forbidden character",
        &[message::first(forbidden, b"")],
        3,
        "invalid method: method contains forbidden character: \"a#b\"",
    );
    let mut version = sound();
    version.ver = 2;
    row(
        "another version",
        &[message::first(version, b"")],
        13,
        "error invoking app channel: rpc error: code = Unimplemented desc = Unsupported spec version: 2",
    );
    drop(table);
    let answer = client.invoke(sound()).unwrap();
    assert_eq!((answer.code(), answer.body()), (0, b"ok".to_vec()));
}

#[test]
fn a_body_out_of_order_never_looks_whole() {
    let mesh = Mesh::plain();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let client = PeerClient::plain(callee.internal()).unwrap();
    let sound = || message::request("caller", "callee", Verb::Post, "x");
    let mut table = Table::default();
    for (name, messages) in [
        (
            "a gap",
            vec![message::first(sound(), b"a"), message::later(b"c", 2)],
        ),
        (
            "a repeat",
            vec![message::first(sound(), b"a"), message::later(b"b", 0)],
        ),
        (
            "starts at 1",
            vec![message::first(sound(), b""), message::later(b"b", 2)],
        ),
        (
            "a second request",
            vec![message::first(sound(), b"a"), message::first(sound(), b"b")],
        ),
    ] {
        table.row(name, || {
            let answer = client.stream(&messages).unwrap();
            assert_eq!(answer.code(), 13, "{answer:?}");
            assert!(
                answer.message().starts_with("error invoking app channel: "),
                "{}",
                answer.message()
            );
            let whole = app.take_ended().iter().any(|seen| seen.complete);
            assert!(!whole, "the app believes in it");
        });
    }
    let mut wrong_length = sound();
    message::set(&mut wrong_length, "Content-Length", &["zz"]);
    let answer = client
        .stream(&[message::first(wrong_length, b"a")])
        .unwrap();
    assert_eq!(answer.code(), 13, "{answer:?}");
    assert_eq!(app.take().len(), 0);
    // Empty payloads count.
    let counted = [
        message::first(sound(), b"a"),
        message::later(b"", 1),
        message::later(b"b", 2),
    ];
    let answer = client.stream(&counted).unwrap();
    assert_eq!(answer.code(), 0, "{answer:?}");
    assert_eq!(app.take_one().body, b"ab");
}

/// V16: the callee's limit is per message.
#[test]
fn a_long_stream_of_short_messages_passes() {
    let mesh = Mesh::plain();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let client = PeerClient::plain(callee.internal()).unwrap();
    let body = tests::pattern::Pattern::new(9).take(5 << 20);
    let request = message::request("caller", "callee", Verb::Post, "x");
    let mut pieces = body.chunks(64 * 1024);
    let mut messages = vec![message::first(request.clone(), pieces.next().unwrap())];
    messages.extend(
        (1..)
            .zip(pieces)
            .map(|(seq, data)| message::later(data, seq)),
    );
    let answer = client.stream(&messages).unwrap();
    assert_eq!(
        (answer.code(), answer.app_status()),
        (0, 200),
        "{:?}",
        answer.trailers
    );
    assert!(app.take_one().body == body);
    let too_long = vec![0; (4 << 20) + 1];
    let answer = client
        .stream(&[message::first(request, &too_long)])
        .unwrap();
    assert_eq!(answer.code(), 8, "{:?}", answer.trailers);
    assert_eq!(app.take().len(), 0);
}

/// The unary call of an old peer to us.
#[test]
fn an_old_caller_is_served() {
    let mesh = Mesh::plain();
    let app = RawApp::echo();
    let callee = mesh.sidecar("callee").app(&app).run();
    let client = PeerClient::plain(callee.internal()).unwrap();
    let mut request = message::request("caller", "callee", Verb::Put, "x");
    request.message.as_mut().unwrap().data = Some(prost_types::Any {
        type_url: String::new(),
        value: b"in".to_vec(),
    });
    // Empty metadata is fine here.
    request.metadata.clear();
    let answer = client.unary(CALL_LOCAL, &request).unwrap();
    assert_eq!(answer.code(), 0, "{answer:?}");
    let response: InternalInvokeResponse =
        prost::Message::decode(answer.messages[0].clone()).unwrap();
    assert_eq!(response.status.unwrap().code, 200);
    assert_eq!(response.message.unwrap().data.unwrap().value, b"PUT /x\nin");
    request.message = None;
    let answer = client.unary(CALL_LOCAL, &request).unwrap();
    assert_eq!(
        (answer.code(), answer.message().as_str()),
        (
            3,
            "parsing InternalInvokeRequest error: field Message is nil"
        )
    );
}
