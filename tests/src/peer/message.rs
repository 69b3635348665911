//! Messages of the internal protocol, built as a real sidecar builds them.

use std::collections::HashMap;

use api::common::v1::{HttpExtension, InvokeRequest, StreamPayload, http_extension::Verb};
use api::internals::v1::{InternalInvokeRequest, InternalInvokeRequestStream, ListStringValue};
use bytes::Bytes;

/// A request of app `from` to app `to` as a real sidecar sends it.
pub fn request(from: &str, to: &str, verb: Verb, method: &str) -> InternalInvokeRequest {
    let mut request = InternalInvokeRequest {
        ver: 1,
        metadata: HashMap::new(),
        message: Some(InvokeRequest {
            method: method.to_owned(),
            data: None,
            content_type: String::new(),
            http_extension: Some(HttpExtension {
                verb: verb.into(),
                querystring: String::new(),
            }),
        }),
        actor: None,
    };
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "peer"),
        ("Forwarded", "for=127.0.0.1;by=127.0.0.1;host=peer"),
        ("destination-app-id", to),
        ("dapr-caller-app-id", from),
        ("dapr-caller-namespace", "default"),
        ("dapr-callee-app-id", to),
    ] {
        set(&mut request, name, &[value]);
    }
    request
}

/// Sets one metadata entry.
pub fn set(request: &mut InternalInvokeRequest, name: &str, values: &[&str]) {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    request
        .metadata
        .insert(name.to_owned(), ListStringValue { values });
}

/// A first message with a body piece.
pub fn first(request: InternalInvokeRequest, data: &[u8]) -> InternalInvokeRequestStream {
    InternalInvokeRequestStream {
        request: Some(request),
        payload: Some(piece(data, 0)),
    }
}

/// A later message.
pub fn later(data: &[u8], seq: u64) -> InternalInvokeRequestStream {
    InternalInvokeRequestStream {
        request: None,
        payload: Some(piece(data, seq)),
    }
}

fn piece(data: &[u8], seq: u64) -> StreamPayload {
    StreamPayload {
        data: Bytes::copy_from_slice(data),
        seq,
    }
}

pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = hex {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
