//! Our caller towards a callee that the test plays.

use api::common::v1::{InvokeResponse, StreamPayload, http_extension::Verb};
use api::internals::v1::{
    InternalInvokeRequest, InternalInvokeRequestStream, InternalInvokeResponse,
    InternalInvokeResponseStream, Status,
};
use tests::peer::{CALL_LOCAL, CALL_LOCAL_STREAM};
use tests::{FakePeer, Mesh, PeerCall, Reply, Request, Sidecar, invoke_path};

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
            let message: InternalInvokeRequestStream = prost::Message::decode(raw.clone()).unwrap();
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

/// V17: peers without the streaming call.
#[test]
fn an_old_peer_is_called_the_old_way() {
    let old = |call: &PeerCall| {
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
    let unary: InternalInvokeRequest =
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
                    let method = |call: &&PeerCall| {
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
