//! Header map and body to message.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    frame::{Frame, INLINE_BODY},
    proto::{field_len, put_bytes, put_length, put_number, put_varint, varint_len},
};
use crate::{grpc::Status, verb::Verb};

/// What the first message of a request says.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// Canonical method path without a leading slash.
    pub method: &'a str,
    /// HTTP verb.
    pub verb: Verb,
    /// Raw query without `?`; empty when there is none.
    pub query: &'a str,
    /// Everything that travels as metadata.
    pub headers: &'a HeaderMap,
    /// Headers without an upper-case letter on the wire: the sidecar's own.
    pub identity: &'a [(HeaderName, HeaderValue)],
    /// What kind of client made the call.
    pub origin: Origin<'a>,
}

/// What kind of client made a call.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// Keys go out in Go's canonical header case; the message has the content
    /// type of the headers, and an HTTP extension always.
    Http,
    /// Keys stay in lower case; values of names ending in `-bin` are base64
    /// and go out with padding.
    Grpc {
        /// What the client called us; becomes `:authority` unless empty.
        authority: &'a str,
        /// Content type of the `InvokeRequest`.
        content_type: &'a str,
        /// Type URL of its data; empty for plain bytes.
        type_url: &'a str,
        /// Whether the `InvokeRequest` has an HTTP extension.
        has_extension: bool,
    },
}

/// What the first message of a response says.
#[derive(Clone, Copy, Debug)]
pub struct ResponseParts<'a> {
    /// Headers of the app.
    pub headers: &'a HeaderMap,
    /// How the call ended.
    pub outcome: Outcome<'a>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// An HTTP app answered. Keys go out in Go's canonical header case; the
    /// message has the content type of the headers.
    Http {
        /// Status of the app (100 and above).
        status: u16,
    },
    /// A gRPC app answered. Keys stay in lower case; values of names ending
    /// in `-bin` are base64 and go out with padding.
    Grpc {
        /// Status of the app.
        status: &'a Status,
        /// Trailers of the app.
        trailers: &'a HeaderMap,
        /// Content type of the `InvokeResponse`, which is UTF-8.
        content_type: &'a [u8],
        /// Type URL of its data, which is UTF-8; empty for plain bytes.
        type_url: &'a [u8],
    },
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
    let (keys, content_type, type_url, has_extension) = match parts.origin {
        Origin::Http => (Keys::Canonical, content_type(parts.headers), "", true),
        Origin::Grpc {
            authority,
            content_type,
            type_url,
            has_extension,
        } => {
            if !authority.is_empty() {
                put_entry(out, 2, b":authority", Keys::Lower, &[authority.as_bytes()]);
            }
            (
                Keys::Lower,
                content_type.as_bytes(),
                type_url,
                has_extension,
            )
        }
    };
    put_headers(out, 2, parts.headers, keys);
    for (name, value) in parts.identity {
        put_entry(
            out,
            2,
            name.as_str().as_bytes(),
            Keys::Lower,
            &[value.as_bytes()],
        );
    }
    let data = Data::new(type_url.as_bytes(), body);
    let verb_len = if parts.verb == Verb::None { 0 } else { 2 };
    let extension_len = verb_len + optional_len(parts.query.len());
    let message_len = optional_len(parts.method.len())
        + data.field_len()
        + optional_len(content_type.len())
        + if has_extension {
            field_len(extension_len)
        } else {
            0
        };
    put_length(out, 3, message_len);
    put_bytes(out, 1, parts.method.as_bytes());
    data.put(out, 2);
    put_bytes(out, 3, content_type);
    if has_extension {
        put_length(out, 4, extension_len);
        put_number(out, 1, parts.verb as usize);
        put_bytes(out, 2, parts.query.as_bytes());
    }
}

fn put_response(out: &mut BytesMut, parts: &ResponseParts<'_>, body: Option<&Bytes>) {
    // The status is present even when zero: its presence is what marks a
    // first message.
    let (content_type, type_url, is_optional) = match parts.outcome {
        Outcome::Http { status } => {
            let mut inner = BytesMut::with_capacity(4);
            put_number(&mut inner, 1, usize::from(status));
            put_length(out, 1, inner.len());
            out.extend_from_slice(&inner);
            put_headers(out, 2, parts.headers, Keys::Canonical);
            (content_type(parts.headers), &b""[..], false)
        }
        Outcome::Grpc {
            status,
            trailers,
            content_type,
            type_url,
        } => {
            let mut inner = BytesMut::new();
            status.encode(&mut inner);
            put_length(out, 1, inner.len());
            out.extend_from_slice(&inner);
            put_headers(out, 2, parts.headers, Keys::Lower);
            put_headers(out, 3, trailers, Keys::Lower);
            (content_type, type_url, true)
        }
    };
    let data = Data::new(type_url, body);
    let message_len = data.field_len() + optional_len(content_type.len());
    if is_optional && message_len == 0 {
        return;
    }
    put_length(out, 4, message_len);
    data.put(out, 1);
    put_bytes(out, 2, content_type);
}

/// A `google.protobuf.Any`. In streamed forms the body travels apart, so it is
/// there only to name its type.
#[derive(Clone, Copy)]
struct Data<'a> {
    type_url: &'a [u8],
    value: Option<&'a [u8]>,
}

impl<'a> Data<'a> {
    fn new(type_url: &'a [u8], body: Option<&'a Bytes>) -> Self {
        Self {
            type_url,
            value: body.map(|body| &body[..]),
        }
    }

    fn is_present(self) -> bool {
        self.value.is_some() || !self.type_url.is_empty()
    }

    fn len(self) -> usize {
        optional_len(self.type_url.len()) + optional_len(self.value.map_or(0, <[u8]>::len))
    }

    fn field_len(self) -> usize {
        if self.is_present() {
            field_len(self.len())
        } else {
            0
        }
    }

    fn put(self, out: &mut BytesMut, field: u8) {
        if self.is_present() {
            put_length(out, field, self.len());
            put_bytes(out, 1, self.type_url);
            put_bytes(out, 2, self.value.unwrap_or_default());
        }
    }
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

/// How names are spelled on the wire, which tells peers the origin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Go's canonical header form.
    Canonical,
    /// As on HTTP/2.
    Lower,
}

/// `map<string, ListStringValue>` entries, one per name. Values that are not
/// UTF-8 cannot be encoded and are left out.
fn put_headers(out: &mut BytesMut, field: u8, headers: &HeaderMap, keys: Keys) {
    let mut name: Option<&HeaderName> = None;
    let mut values: Vec<&[u8]> = Vec::new();
    // A header map yields all values of one name consecutively.
    for (next, value) in headers {
        if name != Some(next) {
            put_group(out, field, name, keys, &values);
            values.clear();
            name = Some(next);
        }
        if value.as_bytes().is_ascii() || std::str::from_utf8(value.as_bytes()).is_ok() {
            values.push(value.as_bytes());
        }
    }
    put_group(out, field, name, keys, &values);
}

fn put_group(
    out: &mut BytesMut,
    field: u8,
    name: Option<&HeaderName>,
    keys: Keys,
    values: &[&[u8]],
) {
    // Peers take the first value unchecked: a name without one must not go.
    let Some(name) = name.filter(|_| !values.is_empty()) else {
        return;
    };
    let name = name.as_str().as_bytes();
    if keys == Keys::Lower && name.ends_with(b"-bin") {
        // Peers drop binary values without padding.
        let padded: Vec<Vec<u8>> = values.iter().map(|value| padded(value)).collect();
        let values: Vec<&[u8]> = padded.iter().map(Vec::as_slice).collect();
        put_entry(out, field, name, keys, &values);
    } else {
        put_entry(out, field, name, keys, values);
    }
}

fn padded(base64: &[u8]) -> Vec<u8> {
    let mut out = base64.to_vec();
    out.resize(base64.len().next_multiple_of(4), b'=');
    out
}

fn put_entry(out: &mut BytesMut, field: u8, name: &[u8], keys: Keys, values: &[&[u8]]) {
    let list_len: usize = values.iter().map(|value| field_len(value.len())).sum();
    put_length(out, field, field_len(name.len()) + field_len(list_len));
    put_length(out, 1, name.len());
    match keys {
        Keys::Canonical => put_canonical(out, name),
        Keys::Lower => out.extend_from_slice(name),
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
