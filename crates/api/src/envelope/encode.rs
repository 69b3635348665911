//! Header map and body to message.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    frame::{Frame, INLINE_BODY},
    proto::{field_len, put_bytes, put_length, put_number, put_varint, varint_len},
};
use crate::verb::Verb;

/// What the first message of a request says.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// Canonical method path without a leading slash.
    pub method: &'a str,
    /// HTTP verb.
    pub verb: Verb,
    /// Raw query without `?`; empty when there is none.
    pub query: &'a str,
    /// Everything that travels as metadata, content type included. Keys go
    /// out in Go's canonical header case.
    pub headers: &'a HeaderMap,
    /// Headers without an upper-case letter on the wire: the sidecar's own.
    pub identity: &'a [(HeaderName, HeaderValue)],
}

/// What the first message of a response says.
#[derive(Clone, Copy, Debug)]
pub struct ResponseParts<'a> {
    /// HTTP status of the app (100 and above).
    pub status: u16,
    /// Headers of the app; keys go out in Go's canonical header case.
    pub headers: &'a HeaderMap,
}

/// First message of a streamed request, with its first payload if there is
/// one yet.
pub fn request(parts: &RequestParts<'_>, first: Option<Bytes>) -> Frame {
    let mut inner = BytesMut::with_capacity(1024);
    put_request(&mut inner, parts, None);
    stream_message(&inner, first.map(|data| (data, 0)))
}

/// The one message of a unary request.
pub fn call_request(parts: &RequestParts<'_>, body: &Bytes) -> Frame {
    let mut inner = BytesMut::with_capacity(1024 + body.len());
    put_request(&mut inner, parts, Some(body));
    unary_message(&inner)
}

/// First message of a streamed response, with its first payload if there is
/// one yet.
pub fn response(parts: &ResponseParts<'_>, first: Option<Bytes>) -> Frame {
    let mut inner = BytesMut::with_capacity(512);
    put_response(&mut inner, parts, None);
    stream_message(&inner, first.map(|data| (data, 0)))
}

/// The one message of a unary response.
pub fn call_response(parts: &ResponseParts<'_>, body: &Bytes) -> Frame {
    let mut inner = BytesMut::with_capacity(512 + body.len());
    put_response(&mut inner, parts, Some(body));
    unary_message(&inner)
}

/// A later message: only a payload. Request and response spell it alike.
pub fn payload(data: Bytes, sequence: u64) -> Frame {
    framed(None, Some((data, sequence)))
}

fn stream_message(inner: &[u8], first: Option<(Bytes, u64)>) -> Frame {
    framed(Some(inner), first)
}

fn unary_message(inner: &[u8]) -> Frame {
    let mut out = BytesMut::with_capacity(5 + inner.len());
    out.put_u8(0);
    out.put_u32(u32::try_from(inner.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(inner);
    Frame::whole(out.freeze())
}

fn framed(inner: Option<&[u8]>, piece: Option<(Bytes, u64)>) -> Frame {
    let sequence = piece.as_ref().map_or(0, |(_, sequence)| *sequence as usize);
    let data_len = piece.as_ref().map_or(0, |(data, _)| data.len());
    let tail_len = if sequence == 0 {
        0
    } else {
        1 + varint_len(sequence)
    };
    let payload_len = if data_len == 0 {
        tail_len
    } else {
        field_len(data_len) + tail_len
    };
    let message_len = inner.map_or(0, |inner| field_len(inner.len()))
        + piece.as_ref().map_or(0, |_| field_len(payload_len));
    let inline = data_len <= INLINE_BODY;
    let mut out = BytesMut::with_capacity(5 + message_len - if inline { 0 } else { data_len });
    out.put_u8(0);
    out.put_u32(u32::try_from(message_len).unwrap_or(u32::MAX));
    if let Some(inner) = inner {
        put_length(&mut out, 1, inner.len());
        out.extend_from_slice(inner);
    }
    let Some((data, _)) = piece else {
        return Frame::whole(out.freeze());
    };
    put_length(&mut out, 2, payload_len);
    if data_len > 0 {
        put_length(&mut out, 1, data_len);
    }
    if inline {
        out.extend_from_slice(&data);
        put_number(&mut out, 2, sequence);
        return Frame::whole(out.freeze());
    }
    let mut tail = BytesMut::with_capacity(tail_len);
    put_number(&mut tail, 2, sequence);
    Frame::parts(out.freeze(), data, tail.freeze())
}

fn put_request(out: &mut BytesMut, parts: &RequestParts<'_>, body: Option<&Bytes>) {
    const VERSION_1: usize = 1;
    put_number(out, 1, VERSION_1);
    put_headers(out, parts.headers);
    for (name, value) in parts.identity {
        put_entry(out, name.as_str().as_bytes(), false, &[value.as_bytes()]);
    }
    let content_type = content_type(parts.headers);
    let verb_len = if parts.verb == Verb::None { 0 } else { 2 };
    let query_len = if parts.query.is_empty() {
        0
    } else {
        field_len(parts.query.len())
    };
    let data_len = body.map_or(0, |body| any_len(body));
    let message_len = optional_len(parts.method.len())
        + body.map_or(0, |_| field_len(data_len))
        + optional_len(content_type.len())
        + field_len(verb_len + query_len);
    put_length(out, 3, message_len);
    put_bytes(out, 1, parts.method.as_bytes());
    if let Some(body) = body {
        put_any(out, 2, body);
    }
    put_bytes(out, 3, content_type);
    put_length(out, 4, verb_len + query_len);
    put_number(out, 1, parts.verb as usize);
    put_bytes(out, 2, parts.query.as_bytes());
}

fn put_response(out: &mut BytesMut, parts: &ResponseParts<'_>, body: Option<&Bytes>) {
    let status = usize::from(parts.status);
    // Present even when zero: its presence is what marks a first message.
    put_length(
        out,
        1,
        if status == 0 {
            0
        } else {
            1 + varint_len(status)
        },
    );
    put_number(out, 1, status);
    put_headers(out, parts.headers);
    let content_type = content_type(parts.headers);
    let data_len = body.map_or(0, |body| any_len(body));
    put_length(
        out,
        4,
        body.map_or(0, |_| field_len(data_len)) + optional_len(content_type.len()),
    );
    if let Some(body) = body {
        put_any(out, 1, body);
    }
    put_bytes(out, 2, content_type);
}

fn any_len(value: &[u8]) -> usize {
    if value.is_empty() {
        0
    } else {
        field_len(value.len())
    }
}

/// A `google.protobuf.Any` without a type: plain bytes.
fn put_any(out: &mut BytesMut, field: u8, value: &[u8]) {
    put_length(out, field, any_len(value));
    put_bytes(out, 2, value);
}

fn optional_len(length: usize) -> usize {
    if length == 0 { 0 } else { field_len(length) }
}

fn content_type(headers: &HeaderMap) -> &[u8] {
    headers
        .get(http::header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .filter(|value| std::str::from_utf8(value).is_ok())
        .unwrap_or_default()
}

/// `map<string, ListStringValue>` entries, one per name, field 2 in requests
/// and responses alike. Values that are not UTF-8 cannot be encoded and are
/// left out.
fn put_headers(out: &mut BytesMut, headers: &HeaderMap) {
    let mut name: Option<&HeaderName> = None;
    let mut values: Vec<&[u8]> = Vec::new();
    // A header map yields all values of one name consecutively.
    for (next, value) in headers {
        if name != Some(next) {
            put_group(out, name, &values);
            values.clear();
            name = Some(next);
        }
        if value.as_bytes().is_ascii() || std::str::from_utf8(value.as_bytes()).is_ok() {
            values.push(value.as_bytes());
        }
    }
    put_group(out, name, &values);
}

fn put_group(out: &mut BytesMut, name: Option<&HeaderName>, values: &[&[u8]]) {
    // Peers take the first value unchecked: a name without one must not go.
    if let Some(name) = name.filter(|_| !values.is_empty()) {
        put_entry(out, name.as_str().as_bytes(), true, values);
    }
}

fn put_entry(out: &mut BytesMut, name: &[u8], canonical: bool, values: &[&[u8]]) {
    let list_len: usize = values.iter().map(|value| field_len(value.len())).sum();
    put_length(out, 2, field_len(name.len()) + field_len(list_len));
    put_length(out, 1, name.len());
    if canonical {
        put_canonical(out, name);
    } else {
        out.extend_from_slice(name);
    }
    put_length(out, 2, list_len);
    for value in values {
        out.put_u8(1 << 3 | 2);
        put_varint(out, value.len());
        out.extend_from_slice(value);
    }
}

/// Go's canonical header form: upper case at the start and after each `-`.
/// Real peers compare keys in this spelling.
fn put_canonical(out: &mut BytesMut, name: &[u8]) {
    let mut upper = true;
    for &byte in name {
        out.put_u8(if upper {
            byte.to_ascii_uppercase()
        } else {
            byte
        });
        upper = byte == b'-';
    }
}
