use std::collections::HashMap;

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;

use super::*;
use crate::{
    common::v1 as common,
    grpc::{Code, Status},
    internals::v1 as internals,
    metadata::PSEUDO,
    verb::Verb,
};

fn message(mut frame: Frame) -> Bytes {
    let all = frame.copy_to_bytes(frame.remaining());
    let mut reader = FrameReader::new(usize::MAX);
    reader.push(all);
    let message = reader.next_message().unwrap().unwrap();
    reader.finish().unwrap();
    message
}

fn headers(entries: &[(&str, &str)]) -> HeaderMap {
    entries
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}

fn list(values: &[&str]) -> internals::ListStringValue {
    internals::ListStringValue {
        values: values.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn streamed_request_is_what_the_generated_types_read() {
    let headers = headers(&[
        ("accept", "text/event-stream"),
        ("x-request-id", "1"),
        ("content-type", "application/json"),
        ("x-request-id", "2"),
    ]);
    let identity = [(crate::headers::CALLER_APP_ID, HeaderValue::from_static("a"))];
    let parts = RequestParts {
        method: "orders/new",
        verb: Verb::Post,
        query: "a=1&b=%20",
        headers: &headers,
        identity: &identity,
        origin: Origin::Http,
    };
    let decoded =
        internals::InternalInvokeRequestStream::decode(message(request(&parts, Some("hi".into()))))
            .unwrap();
    let expected = internals::InternalInvokeRequestStream {
        request: Some(internals::InternalInvokeRequest {
            ver: 1,
            metadata: HashMap::from([
                ("Accept".to_owned(), list(&["text/event-stream"])),
                ("X-Request-Id".to_owned(), list(&["1", "2"])),
                ("Content-Type".to_owned(), list(&["application/json"])),
                ("dapr-caller-app-id".to_owned(), list(&["a"])),
            ]),
            message: Some(common::InvokeRequest {
                method: "orders/new".to_owned(),
                data: None,
                content_type: "application/json".to_owned(),
                http_extension: Some(common::HttpExtension {
                    verb: 3,
                    querystring: "a=1&b=%20".to_owned(),
                }),
            }),
            actor: None,
        }),
        payload: Some(common::StreamPayload {
            data: "hi".into(),
            seq: 0,
        }),
    };
    assert_eq!(decoded, expected);
}

#[test]
fn large_payloads_keep_field_order_and_sequence() {
    for size in [0, 1, 4096, 4097, 70_000] {
        let data = Bytes::from(vec![7u8; size]);
        for sequence in [0, 1, 300] {
            let bytes = message(payload(data.clone(), sequence));
            let expected = internals::InternalInvokeResponseStream {
                response: None,
                payload: Some(common::StreamPayload {
                    data: data.clone(),
                    seq: sequence,
                }),
            };
            assert_eq!(
                bytes,
                Bytes::from(expected.encode_to_vec()),
                "{size} {sequence}"
            );
            let back = decode_response(bytes).unwrap().payload.unwrap();
            assert_eq!((back.data.len(), back.sequence), (size, sequence));
        }
    }
}

#[test]
fn golden_response_messages() {
    let first = ResponseParts {
        headers: &HeaderMap::new(),
        outcome: Outcome::Grpc {
            status: &Status::new(Code::Ok, ""),
            trailers: &HeaderMap::new(),
            content_type: b"",
            type_url: b"",
        },
    };
    // V1.
    assert_eq!(
        message(response(&first, Some("hi".into()))).as_ref(),
        b"\x0a\x02\x0a\x00\x12\x04\x0a\x02hi"
    );
    // The same of an HTTP app: the message is always there.
    let events = ResponseParts {
        outcome: Outcome::Http { status: 0 },
        ..first
    };
    assert_eq!(
        message(response(&events, Some("hi".into()))).as_ref(),
        b"\x0a\x04\x0a\x00\x22\x00\x12\x04\x0a\x02hi"
    );
    // V2.
    assert_eq!(
        message(payload("x".into(), 1)).as_ref(),
        b"\x12\x05\x0a\x01x\x10\x01"
    );
    // V3, what a real callee sends for later server-sent events: an empty head.
    let later = decode_response(Bytes::from_static(b"\x0a\x00\x12\x03\x0a\x01x")).unwrap();
    assert!(!later.head.unwrap().is_leading());
}

#[test]
fn golden_metadata_entry() {
    // V4, inside the field of `InternalInvokeRequest`.
    let headers = headers(&[("accept", "text/event-stream")]);
    let parts = RequestParts {
        method: "",
        verb: Verb::None,
        query: "",
        headers: &headers,
        identity: &[],
        origin: Origin::Http,
    };
    let bytes = message(call_request(&parts, &Bytes::new()));
    let entry = b"\x12\x1d\x0a\x06Accept\x12\x13\x0a\x11text/event-stream";
    assert_eq!(bytes.get(2..2 + entry.len()).unwrap(), entry);
}

#[test]
fn golden_messages_of_the_generated_types() {
    // V5: the number of the message is 3.
    let invoke = crate::runtime::v1::InvokeServiceRequest {
        id: "a".to_owned(),
        message: Some(common::InvokeRequest {
            method: "m".to_owned(),
            ..Default::default()
        }),
    };
    assert_eq!(invoke.encode_to_vec(), b"\x0a\x01a\x1a\x03\x0a\x01m");
    // V6: the number of the namespace is 2.
    let list = crate::operator::v1::ListSubscriptionsRequest {
        namespace: "ns".to_owned(),
    };
    assert_eq!(list.encode_to_vec(), b"\x12\x02ns");
}

fn any(type_url: &str, value: &[u8]) -> prost_types::Any {
    prost_types::Any {
        type_url: type_url.to_owned(),
        value: value.to_vec(),
    }
}

#[test]
fn a_grpc_origin_keeps_keys_and_pads_binary_values() {
    let headers = headers(&[
        ("content-type", "application/grpc"),
        ("x-request-id", "1"),
        ("x-b-bin", "AA"),
        ("x-b-bin", "AAA="),
        ("x-b-bin", "AAAA"),
    ]);
    let identity = [(crate::headers::CALLER_APP_ID, HeaderValue::from_static("a"))];
    for (authority, content_type, type_url, has_extension) in [
        ("127.0.0.1:50001", "text/plain", "", true),
        ("", "", "type.googleapis.com/x.Y", false),
    ] {
        let parts = RequestParts {
            method: "/orders",
            verb: Verb::Put,
            query: "a=1",
            headers: &headers,
            identity: &identity,
            origin: Origin::Grpc {
                authority,
                content_type,
                type_url,
                has_extension,
            },
        };
        let mut expected = internals::InternalInvokeRequest {
            ver: 1,
            metadata: HashMap::from([
                ("content-type".to_owned(), list(&["application/grpc"])),
                ("x-request-id".to_owned(), list(&["1"])),
                ("x-b-bin".to_owned(), list(&["AA==", "AAA=", "AAAA"])),
                ("dapr-caller-app-id".to_owned(), list(&["a"])),
            ]),
            message: Some(common::InvokeRequest {
                method: "/orders".to_owned(),
                data: (!type_url.is_empty()).then(|| any(type_url, b"")),
                content_type: content_type.to_owned(),
                http_extension: has_extension.then(|| common::HttpExtension {
                    verb: 4,
                    querystring: "a=1".to_owned(),
                }),
            }),
            actor: None,
        };
        if !authority.is_empty() {
            expected
                .metadata
                .insert(":authority".to_owned(), list(&[authority]));
        }
        let streamed = message(request(&parts, Some("hi".into())));
        assert_eq!(
            internals::InternalInvokeRequestStream::decode(streamed.clone()).unwrap(),
            internals::InternalInvokeRequestStream {
                request: Some(expected.clone()),
                payload: Some(common::StreamPayload {
                    data: "hi".into(),
                    seq: 0,
                }),
            }
        );

        let head = decode_request(streamed).unwrap().head.unwrap();
        assert!(head.grpc_origin);
        assert_eq!(head.has_extension, has_extension);
        assert_eq!(head.type_url, type_url);
        assert_eq!(head.content_type, content_type);
        let [.., pseudo] = PSEUDO;
        assert_eq!(
            head.headers.get(pseudo).map(HeaderValue::as_bytes),
            (!authority.is_empty()).then_some(authority.as_bytes())
        );

        let unary = message(call_request(&parts, &Bytes::from_static(b"body")));
        expected.message.as_mut().unwrap().data = Some(any(type_url, b"body"));
        assert_eq!(
            internals::InternalInvokeRequest::decode(unary).unwrap(),
            expected
        );
    }
}

#[test]
fn answers_of_grpc_apps_are_what_the_generated_types_read() {
    let headers = headers(&[
        ("content-type", "application/grpc"),
        ("x-multi", "1"),
        ("x-multi", "2"),
        ("x-b-bin", "AA"),
    ]);
    let trailers = self::headers(&[("x-cost", "3"), ("x-t-bin", "AAA")]);
    let failed = Status::with_error_info(Code::NotFound, "gone", "WHY", &[("k", "v")]);
    let fine = Status::new(Code::Ok, "");
    for (status, content_type, type_url) in [
        (&failed, &b""[..], &b""[..]),
        (&fine, b"text/plain", b""),
        (&fine, b"", b"type.googleapis.com/x.Y"),
    ] {
        let parts = ResponseParts {
            headers: &headers,
            outcome: Outcome::Grpc {
                status,
                trailers: &trailers,
                content_type,
                type_url,
            },
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let url = text(type_url);
        let data = (!url.is_empty()).then(|| any(&url, b""));
        let mut expected = internals::InternalInvokeResponse {
            status: Some(internals::Status {
                code: status.code as i32,
                message: status.message.clone(),
                details: status
                    .details
                    .iter()
                    .map(|detail| prost_types::Any::decode(detail.clone()).unwrap())
                    .collect(),
            }),
            headers: HashMap::from([
                ("content-type".to_owned(), list(&["application/grpc"])),
                ("x-multi".to_owned(), list(&["1", "2"])),
                ("x-b-bin".to_owned(), list(&["AA=="])),
            ]),
            trailers: HashMap::from([
                ("x-cost".to_owned(), list(&["3"])),
                ("x-t-bin".to_owned(), list(&["AAA="])),
            ]),
            message: (data.is_some() || !content_type.is_empty()).then(|| common::InvokeResponse {
                data,
                content_type: text(content_type),
            }),
        };
        let streamed = message(response(&parts, None));
        assert_eq!(
            internals::InternalInvokeResponseStream::decode(streamed.clone()).unwrap(),
            internals::InternalInvokeResponseStream {
                response: Some(expected.clone()),
                payload: None,
            }
        );

        let head = decode_response(streamed).unwrap().head.unwrap();
        assert!(head.is_leading());
        assert_eq!(head.headers.get_all("x-multi").iter().count(), 2);
        assert_eq!(head.trailers.get("x-cost").unwrap(), "3");
        assert_eq!(
            (&head.content_type[..], &head.type_url[..]),
            (content_type, type_url)
        );
        let read = head.status.unwrap();
        assert_eq!(read.http(), None);
        assert_eq!(read.into_grpc(), *status);

        let unary = message(call_response(&parts, &Bytes::from_static(b"body")));
        expected.message = Some(common::InvokeResponse {
            data: Some(any(&url, b"body")),
            content_type: text(content_type),
        });
        assert_eq!(
            internals::InternalInvokeResponse::decode(unary).unwrap(),
            expected
        );
    }
}

#[test]
fn codes_of_a_hundred_and_more_are_http() {
    let head = |code| StatusHead {
        code,
        ..StatusHead::default()
    };
    assert_eq!(head(99).http(), None);
    assert_eq!(head(100).http(), Some(100));
    assert_eq!(head(70_000).http(), None);
    assert_eq!(head(-1).http(), None);
    assert_eq!(head(20).into_grpc().code, Code::Unknown);
}

#[test]
fn generated_request_decodes_to_the_same_parts() {
    let wire = internals::InternalInvokeRequestStream {
        request: Some(internals::InternalInvokeRequest {
            ver: 1,
            metadata: HashMap::from([
                (":authority".to_owned(), list(&["host"])),
                ("content-type".to_owned(), list(&["application/grpc"])),
                ("empty".to_owned(), list(&[])),
                ("X-Multi".to_owned(), list(&["1", "2"])),
            ]),
            message: Some(common::InvokeRequest {
                method: "m".to_owned(),
                data: Some(prost_types::Any {
                    type_url: "t".to_owned(),
                    value: vec![1, 2],
                }),
                content_type: "text/plain".to_owned(),
                http_extension: None,
            }),
            actor: None,
        }),
        payload: Some(common::StreamPayload {
            data: "body".into(),
            seq: 9,
        }),
    };
    let decoded = decode_request(wire.encode_to_vec().into()).unwrap();
    let head = decoded.head.unwrap();
    assert!(head.grpc_origin && head.has_message && head.has_metadata && !head.has_extension);
    assert_eq!(head.headers.get("dapr-authority").unwrap(), "host");
    assert!(!head.headers.contains_key("empty"));
    assert_eq!(head.headers.get_all("x-multi").iter().count(), 2);
    assert_eq!(
        (head.method.as_ref(), head.type_url.as_ref()),
        (&b"m"[..], &b"t"[..])
    );
    assert_eq!(
        decoded.payload.unwrap(),
        Payload {
            data: "body".into(),
            sequence: 9
        }
    );
}

#[test]
fn identity_written_by_the_peer_wins_over_other_spellings() {
    // Both orders: map order is random on the wire.
    for order in [
        ["Dapr-Caller-App-Id", "dapr-caller-app-id"],
        ["dapr-caller-app-id", "Dapr-Caller-App-Id"],
    ] {
        let mut inner = Vec::new();
        for key in order {
            let value = if key.starts_with('d') {
                "real"
            } else {
                "spoofed"
            };
            let entry = [
                vec![0x0a, 18],
                key.as_bytes().to_vec(),
                vec![0x12, value.len() as u8 + 2, 0x0a, value.len() as u8],
                value.as_bytes().to_vec(),
            ]
            .concat();
            inner.extend([0x12, entry.len() as u8]);
            inner.extend(entry);
        }
        let head = decode_call_request(inner.into()).unwrap();
        let values: Vec<_> = head.headers.get_all("dapr-caller-app-id").iter().collect();
        assert_eq!(values, ["real"]);
    }
}

#[test]
fn unary_forms_match_the_generated_types() {
    let headers = headers(&[("content-type", "text/plain"), ("etag", "x")]);
    let parts = ResponseParts {
        headers: &headers,
        outcome: Outcome::Http { status: 404 },
    };
    let decoded = internals::InternalInvokeResponse::decode(message(call_response(
        &parts,
        &Bytes::from_static(b"nope"),
    )))
    .unwrap();
    assert_eq!(decoded.status.unwrap().code, 404);
    let inner = decoded.message.unwrap();
    assert_eq!(inner.data.unwrap().value, b"nope");
    assert_eq!(inner.content_type, "text/plain");
    assert_eq!(decoded.headers.get("Etag"), Some(&list(&["x"])));
}

#[test]
fn garbage_is_refused_without_panic() {
    for bytes in [
        &b"\x0a"[..],
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0a\x05abc",
        b"\x00\x00",
        b"\x0b\x00",
        b"\x0a\x04\x12\x02\x0a\x7f",
    ] {
        assert!(
            decode_request(Bytes::copy_from_slice(bytes)).is_err(),
            "{bytes:?}"
        );
    }
    let not_utf8 = b"\x0a\x05\x1a\x03\x0a\x01\xff";
    assert_eq!(
        decode_request(Bytes::from_static(not_utf8)).unwrap_err(),
        DecodeError::NotUtf8
    );
}

#[test]
fn reader_joins_split_messages_and_keeps_limits() {
    let mut frame = payload(Bytes::from(vec![1; 5000]), 3);
    let all = frame.copy_to_bytes(frame.remaining());
    for cut in [1, 4, 5, 6, 4999] {
        let mut reader = FrameReader::new(10_000);
        reader.push(all.slice(..cut));
        assert_eq!(reader.next_message().unwrap(), None);
        reader.push(all.slice(cut..));
        reader.push(all.clone());
        assert_eq!(reader.next_message().unwrap().unwrap().len(), all.len() - 5);
        assert_eq!(reader.next_message().unwrap().unwrap().len(), all.len() - 5);
        reader.finish().unwrap();
    }
    let mut reader = FrameReader::new(100);
    reader.push(all.slice(..10));
    assert_eq!(
        reader.next_message(),
        Err(ReadError::TooLarge {
            length: all.len() - 5,
            limit: 100
        })
    );
    let mut reader = FrameReader::new(10_000);
    reader.push(all.slice(..10));
    assert_eq!(reader.finish(), Err(ReadError::Truncated));
}
