//! Conformance vectors of the sidecar-to-sidecar protocol that concern HTTP
//! apps, seen from both ends of a raw connection.

use std::sync::Arc;

use api::common::v1::{InvokeResponse, StreamPayload, http_extension::Verb};
use api::internals::v1::{InternalInvokeResponse, InternalInvokeResponseStream, Status};
use tests::peer::{CALL_LOCAL, CALL_LOCAL_STREAM, message};
use tests::{FakePeer, Gate, Mesh, PeerClient, RawApp, Reply, Request, Sidecar, invoke_path};

use crate::fidelity::refusal;
use crate::names::insert;
use crate::table::Table;

/// A caller whose callee is played by the test, without mTLS.
fn caller_of(peer: &FakePeer) -> (Mesh, Sidecar) {
    let mesh = Mesh::plain();
    let caller = mesh.sidecar("caller").run();
    let address = format!("127.0.0.1:{}", peer.port());
    insert(&mesh.names().open(), "callee", &address, "");
    (mesh, caller)
}

fn first(code: i32) -> InternalInvokeResponseStream {
    InternalInvokeResponseStream {
        response: Some(InternalInvokeResponse {
            status: Some(Status {
                code,
                ..Status::default()
            }),
            message: Some(InvokeResponse::default()),
            ..InternalInvokeResponse::default()
        }),
        payload: None,
    }
}

fn piece(data: &'static str, seq: u64) -> InternalInvokeResponseStream {
    InternalInvokeResponseStream {
        response: None,
        payload: Some(StreamPayload {
            data: data.into(),
            seq,
        }),
    }
}

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
    let mut next = |rpc: &mut tests::peer::Rpc, text: &mut Vec<u8>| {
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

/// V3: later messages of a real callee carry an empty response.
#[test]
fn an_empty_response_in_later_messages_is_legal() {
    let peer = FakePeer::plain(|_| Reply {
        messages: vec![
            vec![0x0a, 0x02, 0x0a, 0x00, 0x12, 0x04, 0x0a, 0x02, 0x68, 0x69],
            vec![0x0a, 0x00, 0x12, 0x05, 0x0a, 0x01, 0x78, 0x10, 0x01],
        ],
        ..Reply::default()
    });
    let (_mesh, caller) = caller_of(&peer);
    let request = Request::get(&invoke_path("callee", "x")).header("Accept", "text/event-stream");
    let answer = caller.send(&request);
    answer.expect(200, "hix");
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
}

/// V4, V9 and what else the first message must say.
#[test]
fn the_first_message_is_spelled_as_peers_expect() {
    let peer = FakePeer::plain(|_| Reply::messages(&[first(200)]));
    let (_mesh, caller) = caller_of(&peer);
    let request = Request::post(&invoke_path("callee", "a%20b?q=%20"), "body").headers(&[
        ("accept", "text/event-stream"),
        ("x-request-id", "1"),
        ("ETAG", "x"),
        ("content-type", "text/x"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ]);
    assert_eq!(caller.send(&request).status, 200);
    let calls = peer.calls();
    let call = &calls[0];
    assert_eq!(call.path, CALL_LOCAL_STREAM);
    let mut entry = vec![0x12, 0x1d, 0x0a, 0x06];
    entry.extend(b"Accept");
    entry.extend([0x12, 0x13, 0x0a, 0x11]);
    entry.extend(b"text/event-stream");
    let raw = call.messages[0].to_vec();
    assert!(
        raw.windows(entry.len()).any(|window| window == entry),
        "{raw:x?}"
    );
    for (key, values) in [
        ("X-Request-Id", vec!["1"]),
        ("Etag", vec!["x"]),
        ("X-Forwarded-For", vec!["127.0.0.1"]),
        ("destination-app-id", vec!["callee"]),
        ("dapr-caller-app-id", vec!["caller"]),
        ("dapr-caller-namespace", vec!["default"]),
        ("dapr-callee-app-id", vec!["callee"]),
        ("Host", vec![]),
    ] {
        assert_eq!(call.metadata(key), values, "{key}");
    }
    let request = call.first().request.unwrap();
    assert_eq!(request.ver, 1);
    let message = request.message.unwrap();
    assert_eq!(message.method, "a b");
    assert_eq!(message.content_type, "text/x");
    let extension = message.http_extension.unwrap();
    assert_eq!(
        (extension.verb, extension.querystring.as_str()),
        (Verb::Post.into(), "q=%20")
    );
    let sent: Vec<u8> = call
        .messages
        .iter()
        .filter_map(|raw| {
            let message: api::internals::v1::InternalInvokeRequestStream =
                prost::Message::decode(raw.clone()).unwrap();
            message.payload
        })
        .flat_map(|payload| payload.data)
        .collect();
    assert_eq!(sent, b"body");

    assert_eq!(call.headers["te"], "trailers");
    assert_eq!(call.headers["content-type"], "application/grpc");
    assert_eq!(
        call.headers["traceparent"],
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    );
    // 00 00 <trace> 01 <span> 02 01, base64 with or without padding.
    let trace = call.headers["grpc-trace-bin"].to_str().unwrap();
    assert_eq!(
        trace.trim_end_matches('='),
        "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE"
    );
    for app_header in ["x-request-id", "accept", "etag"] {
        assert!(
            !call.headers.contains_key(app_header),
            "{app_header} is gRPC metadata"
        );
    }
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
    let mut row = |name: &str,
                   messages: &[api::internals::v1::InternalInvokeRequestStream],
                   code: u32,
                   text: &str| {
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
            let whole = app.take().iter().any(|seen| seen.complete);
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

/// V17: peers without the streaming call.
#[test]
fn an_old_peer_is_called_the_old_way() {
    let old = |call: &tests::PeerCall| {
        if call.path == CALL_LOCAL {
            let answer = InternalInvokeResponse {
                status: Some(Status {
                    code: 201,
                    ..Status::default()
                }),
                message: Some(InvokeResponse {
                    data: Some(prost_types::Any {
                        type_url: String::new(),
                        value: b"old".to_vec(),
                    }),
                    content_type: "text/x".to_owned(),
                }),
                ..InternalInvokeResponse::default()
            };
            Reply::messages(&[answer])
        } else {
            Reply::status(12, "unknown method CallLocalStream")
        }
    };
    let peer = FakePeer::plain(old);
    let (_mesh, caller) = caller_of(&peer);
    let path = invoke_path("callee", "x");
    let body = vec![b'b'; 1024];
    let answer = caller.send(&Request::post(&path, &body));
    answer.expect(201, "old");
    assert_eq!(answer.header("content-type"), Some("text/x"));
    let calls = peer.calls();
    assert_eq!(calls.last().unwrap().path, CALL_LOCAL);
    let unary: api::internals::v1::InternalInvokeRequest =
        prost::Message::decode(calls.last().unwrap().messages[0].clone()).unwrap();
    assert_eq!(unary.message.unwrap().data.unwrap().value, body);
    // More than a sidecar keeps for a second attempt.
    let streamed = vec![b's'; 200_000];
    let chunks: Vec<&[u8]> = streamed.chunks(1000).collect();
    let answer = caller.send(&Request::new("POST", &path).chunked(&chunks));
    answer.expect(
        500,
        &refusal("callee", "target app 'callee' is running a version of Dapr that does not support streaming-based service invocation"),
    );
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

/// What a caller does with answers that break the protocol.
#[test]
fn broken_answers_are_errors() {
    let head = first(200);
    let rows: Vec<(&str, Reply, Option<&str>)> = vec![
        ("no message", Reply::default(), Some("EOF")),
        (
            "no status",
            Reply::messages(&[piece("x", 0)]),
            Some("response does not contain the required fields in the leading chunk"),
        ),
        (
            "an error at once",
            Reply::status(13, "broken"),
            Some("rpc error: code = Internal desc = broken"),
        ),
        (
            "a denial",
            Reply::status(7, "no"),
            Some("rpc error: code = PermissionDenied desc = no"),
        ),
        (
            "a gap",
            Reply::messages(&[head.clone(), piece("a", 0), piece("c", 2)]),
            None,
        ),
        (
            "a repeat",
            Reply::messages(&[head.clone(), piece("a", 0), piece("a", 0)]),
            None,
        ),
        (
            "a second head",
            Reply::messages(&[head.clone(), piece("a", 0), head.clone()]),
            None,
        ),
        (
            "an error late",
            Reply {
                code: 13,
                message: "broken".to_owned(),
                ..Reply::messages(&[head.clone(), piece("a", 0)])
            },
            None,
        ),
        (
            "a reset late",
            Reply {
                reset: true,
                ..Reply::messages(&[head, piece("a", 0)])
            },
            None,
        ),
    ];
    let mut table = Table::default();
    for (name, reply, refused) in rows {
        table.row(name, || {
            let peer = FakePeer::plain(move |_| reply.clone());
            let (_mesh, caller) = caller_of(&peer);
            let outcome = Request::get(&invoke_path("callee", "x")).try_send(caller.http());
            if let Some(cause) = refused {
                let status = if name == "a denial" { 403 } else { 500 };
                outcome.unwrap().expect(status, &refusal("callee", cause));
            } else {
                let whole = outcome
                    .as_ref()
                    .is_ok_and(|answer| answer.cut.is_none() && answer.status < 500);
                assert!(!whole, "{outcome:?}");
            }
            assert_eq!(peer.calls().len(), 1, "it is not repeated");
        });
    }
}

/// Unavailable and Unauthenticated are tried again, three times.
#[test]
fn only_two_codes_are_tried_again() {
    let mut table = Table::default();
    std::thread::scope(|scope| {
        let runs: Vec<_> = [
            (14, "Unavailable", 4),
            (16, "Unauthenticated", 4),
            (8, "ResourceExhausted", 1),
            (4, "DeadlineExceeded", 1),
        ]
        .into_iter()
        .map(|(code, name, tries)| {
            scope.spawn(move || {
                let peer = FakePeer::plain(move |_| Reply::status(code, "no"));
                let (_mesh, caller) = caller_of(&peer);
                let answer = caller.send(&Request::post(&invoke_path("callee", "x"), "body"));
                let pieces = vec![vec![b's'; 1000]; 200];
                let chunked = Request::new("POST", &invoke_path("callee", "y")).chunked(&pieces);
                let streamed = caller.send(&chunked);
                (name, tries, answer, streamed, peer.calls())
            })
        })
        .collect();
        for run in runs {
            let (name, tries, answer, streamed, calls) = run.join().unwrap();
            table.row(name, || {
                let inner = format!("rpc error: code = {name} desc = no");
                let cause = if tries == 1 {
                    inner
                } else {
                    format!("failed to invoke target callee after 3 retries. Error: {inner}")
                };
                answer.expect(500, &refusal("callee", &cause));
                assert_eq!(streamed.status, 500, "{streamed:?}");
                let of = |method: &str| {
                    let method = |call: &&tests::PeerCall| {
                        let request = call.first().request.unwrap();
                        request.message.unwrap().method == method
                    };
                    calls.iter().filter(method).count()
                };
                assert_eq!(of("x"), tries);
                assert_eq!(of("y"), 1, "a streamed body cannot be sent twice");
                for call in calls.iter().filter(|call| !call.messages.is_empty()) {
                    assert_eq!(
                        call.metadata("X-Forwarded-For"),
                        ["127.0.0.1"],
                        "added once"
                    );
                }
            });
        }
    });
}

/// V20: sentry takes the key of a request, and nothing else.
#[test]
fn sentry_signs_the_id_and_not_the_request() {
    use api::sentry::v1::{SignCertificateRequest, SignCertificateResponse};
    use x509_parser::prelude::{FromDer, GeneralName, Pem, X509Certificate};
    let mesh = Mesh::mtls();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["evil".to_owned()]).unwrap();
    let csr = params.serialize_request(&key).unwrap().pem().unwrap();
    let client = PeerClient::tls(mesh.sentry().port(), None).unwrap();
    let request = SignCertificateRequest {
        id: "honest".to_owned(),
        namespace: "default".to_owned(),
        certificate_signing_request: csr.into_bytes().into(),
        ..SignCertificateRequest::default()
    };
    let answer = client
        .unary("/dapr.proto.sentry.v1.CA/SignCertificate", &request)
        .unwrap();
    assert_eq!(answer.code(), 0, "{}", answer.message());
    let response: SignCertificateResponse =
        prost::Message::decode(answer.messages[0].clone()).unwrap();
    let blocks: Vec<_> = Pem::iter_from_buffer(&response.workload_certificate)
        .map(Result::unwrap)
        .collect();
    assert_eq!(blocks.len(), 2, "leaf and issuer");
    let (_, leaf) = X509Certificate::from_der(&blocks[0].contents).unwrap();
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    let [GeneralName::URI(id)] = names.value.general_names[..] else {
        panic!("only the id: {:?}", names.value.general_names);
    };
    assert_eq!(id, "spiffe://public/ns/default/honest");
    assert_eq!(leaf.subject().iter().count(), 0);
    let chain = &response.trust_chain_certificates;
    assert_eq!(chain.len(), 1);
    assert_eq!(
        String::from_utf8_lossy(&chain[0]).trim(),
        mesh.ca().anchors().trim()
    );
}
