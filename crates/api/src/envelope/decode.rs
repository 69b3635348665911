//! Message to header map and body.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::proto::{Reader, Value};
use crate::{
    grpc::{Code, Status},
    headers::IDENTITY,
    verb::Verb,
};

/// Bytes that are not the message they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not protobuf, or cut short.
    #[error("grpc: failed to unmarshal the received message: malformed protobuf")]
    Malformed,
    /// A string field that is not UTF-8.
    #[error("grpc: failed to unmarshal the received message: string field contains invalid UTF-8")]
    NotUtf8,
}

/// One piece of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// Bytes of this piece; may be empty.
    pub data: Bytes,
    /// Position of the piece, from 0.
    pub sequence: u64,
}

/// What the first message of a request says.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// API version; 1 is the only one.
    pub version: u64,
    /// True when the metadata map had entries.
    pub has_metadata: bool,
    /// True when the `message` field was there.
    pub has_message: bool,
    /// True when the metadata came from a gRPC client (keys as on HTTP/2).
    pub grpc_origin: bool,
    /// Metadata, names lower-cased; the pseudo headers of a gRPC client under
    /// the names of [`crate::metadata::PSEUDO`].
    pub headers: HeaderMap,
    /// Method as sent.
    pub method: Bytes,
    /// Verb; `None` for a number outside the enum.
    pub verb: Option<Verb>,
    /// True when the HTTP extension was there.
    pub has_extension: bool,
    /// Raw query.
    pub query: Bytes,
    /// Content type of the message, empty when there is none.
    pub content_type: Bytes,
    /// Type URL of a packed message, empty for plain bytes.
    pub type_url: Bytes,
    /// Body of a unary call.
    pub data: Bytes,
}

/// A message of a streamed request.
#[derive(Debug, Default)]
pub struct RequestMessage {
    /// Set in the first message.
    pub head: Option<RequestHead>,
    /// A piece of the body.
    pub payload: Option<Payload>,
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusHead {
    /// 100 and above: HTTP status. Below: gRPC status, or 0 for server-sent
    /// events.
    pub code: i64,
    /// Message of a gRPC status.
    pub message: String,
    /// Details of a gRPC status, each an encoded `google.protobuf.Any`.
    pub details: Vec<Bytes>,
}

impl StatusHead {
    /// The HTTP status of an HTTP app, unless it answered with events.
    pub fn http(&self) -> Option<u16> {
        u16::try_from(self.code).ok().filter(|code| *code >= 100)
    }

    /// As gRPC status; codes outside the standard are `Unknown`.
    pub fn into_grpc(self) -> Status {
        Status {
            code: Code::from_wire(self.code),
            message: self.message,
            details: self.details,
        }
    }
}

/// What the first message of a response says.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// How the call ended; `None` when the field was absent.
    pub status: Option<StatusHead>,
    /// Headers, names lower-cased, content type as the app sent it.
    pub headers: HeaderMap,
    /// Trailers of a gRPC app, names lower-cased.
    pub trailers: HeaderMap,
    /// True when the `message` field was there.
    pub has_message: bool,
    /// Content type of the message.
    pub content_type: Bytes,
    /// Type URL of a packed message, empty for plain bytes.
    pub type_url: Bytes,
    /// Body of a unary call.
    pub data: Bytes,
}

impl ResponseHead {
    /// True when the message carries anything that only a first message may.
    pub fn is_leading(&self) -> bool {
        self.status.is_some() || !self.headers.is_empty() || self.has_message
    }
}

/// A message of a streamed response.
#[derive(Debug, Default)]
pub struct ResponseMessage {
    /// Set, and not empty, in the first message.
    pub head: Option<ResponseHead>,
    /// A piece of the body.
    pub payload: Option<Payload>,
}

/// Reads a message of a streamed request.
pub fn decode_request(message: Bytes) -> Result<RequestMessage, DecodeError> {
    let mut out = RequestMessage::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match (field, value) {
            (1, Value::Bytes(inner)) => {
                read_request(inner, out.head.get_or_insert_with(empty_request))?;
            }
            (2, Value::Bytes(inner)) => out.payload = Some(read_payload(inner)?),
            _ => {}
        }
    }
    Ok(out)
}

/// Reads the message of a unary request.
pub fn decode_call_request(message: Bytes) -> Result<RequestHead, DecodeError> {
    let mut head = empty_request();
    read_request(message, &mut head)?;
    Ok(head)
}

/// Reads a message of a streamed response.
pub fn decode_response(message: Bytes) -> Result<ResponseMessage, DecodeError> {
    let mut out = ResponseMessage::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match (field, value) {
            (1, Value::Bytes(inner)) => {
                read_response(inner, out.head.get_or_insert_with(ResponseHead::default))?;
            }
            (2, Value::Bytes(inner)) => out.payload = Some(read_payload(inner)?),
            _ => {}
        }
    }
    Ok(out)
}

/// Reads the message of a unary response.
pub fn decode_call_response(message: Bytes) -> Result<ResponseHead, DecodeError> {
    let mut head = ResponseHead::default();
    read_response(message, &mut head)?;
    Ok(head)
}

fn empty_request() -> RequestHead {
    RequestHead {
        version: 0,
        has_metadata: false,
        has_message: false,
        grpc_origin: false,
        headers: HeaderMap::new(),
        method: Bytes::new(),
        verb: Some(Verb::None),
        has_extension: false,
        query: Bytes::new(),
        content_type: Bytes::new(),
        type_url: Bytes::new(),
        data: Bytes::new(),
    }
}

fn read_payload(message: Bytes) -> Result<Payload, DecodeError> {
    let mut out = Payload::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match (field, value) {
            (1, Value::Bytes(data)) => out.data = data,
            (2, Value::Number(sequence)) => out.sequence = sequence,
            _ => {}
        }
    }
    Ok(out)
}

fn read_request(message: Bytes, head: &mut RequestHead) -> Result<(), DecodeError> {
    let mut metadata = Metadata::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match (field, value) {
            (1, Value::Number(version)) => head.version = version,
            (2, Value::Bytes(entry)) => {
                head.has_metadata = true;
                metadata.read_entry(entry, &mut head.headers)?;
            }
            (3, Value::Bytes(inner)) => {
                head.has_message = true;
                read_request_message(inner, head)?;
            }
            _ => {}
        }
    }
    head.grpc_origin |= metadata.grpc_origin;
    Ok(())
}

fn read_request_message(message: Bytes, head: &mut RequestHead) -> Result<(), DecodeError> {
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match (field, value) {
            (1, Value::Bytes(method)) => head.method = text(method)?,
            (2, Value::Bytes(any)) => read_any(any, &mut head.type_url, &mut head.data)?,
            (3, Value::Bytes(content_type)) => head.content_type = text(content_type)?,
            (4, Value::Bytes(extension)) => {
                head.has_extension = true;
                let mut reader = Reader::new(extension);
                while let Some((field, value)) = reader.next()? {
                    match (field, value) {
                        (1, Value::Number(verb)) => head.verb = Verb::from_wire(verb),
                        (2, Value::Bytes(query)) => head.query = text(query)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_response(message: Bytes, head: &mut ResponseHead) -> Result<(), DecodeError> {
    let mut headers = Metadata::default();
    let mut trailers = Metadata::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match (field, value) {
            (1, Value::Bytes(status)) => {
                read_status(status, head.status.get_or_insert_default())?;
            }
            (2, Value::Bytes(entry)) => headers.read_entry(entry, &mut head.headers)?,
            (3, Value::Bytes(entry)) => trailers.read_entry(entry, &mut head.trailers)?,
            (4, Value::Bytes(inner)) => {
                head.has_message = true;
                let mut reader = Reader::new(inner);
                while let Some((field, value)) = reader.next()? {
                    match (field, value) {
                        (1, Value::Bytes(any)) => {
                            read_any(any, &mut head.type_url, &mut head.data)?;
                        }
                        (2, Value::Bytes(content_type)) => head.content_type = text(content_type)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_status(message: Bytes, head: &mut StatusHead) -> Result<(), DecodeError> {
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match (field, value) {
            // int32: negative numbers travel as ten-byte varints.
            (1, Value::Number(number)) => head.code = i64::from(number as u32 as i32),
            (2, Value::Bytes(message)) => {
                head.message = String::from_utf8_lossy(&message).into_owned();
            }
            (3, Value::Bytes(detail)) => head.details.push(detail),
            _ => {}
        }
    }
    Ok(())
}

fn read_any(message: Bytes, type_url: &mut Bytes, data: &mut Bytes) -> Result<(), DecodeError> {
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match (field, value) {
            (1, Value::Bytes(url)) => *type_url = text(url)?,
            (2, Value::Bytes(bytes)) => *data = bytes,
            _ => {}
        }
    }
    Ok(())
}

fn text(bytes: Bytes) -> Result<Bytes, DecodeError> {
    if std::str::from_utf8(&bytes).is_ok() {
        Ok(bytes)
    } else {
        Err(DecodeError::NotUtf8)
    }
}

/// Reads map entries; remembers what decides between entries whose keys
/// differ only in case.
#[derive(Default)]
struct Metadata {
    grpc_origin: bool,
    /// Which identity headers came in the spelling only a sidecar writes.
    stamped: [bool; 3],
}

impl Metadata {
    fn read_entry(&mut self, entry: Bytes, headers: &mut HeaderMap) -> Result<(), DecodeError> {
        let (mut key, mut list) = (Bytes::new(), Bytes::new());
        let mut reader = Reader::new(entry);
        while let Some((field, value)) = reader.next()? {
            match (field, value) {
                (1, Value::Bytes(bytes)) => key = text(bytes)?,
                (2, Value::Bytes(bytes)) => list = bytes,
                _ => {}
            }
        }
        let Some(name) = header_name(&key) else {
            return Ok(());
        };
        if !self.admits(&key, &name, headers) {
            return Ok(());
        }
        let mut reader = Reader::new(list);
        while let Some((field, value)) = reader.next()? {
            let (1, Value::Bytes(bytes)) = (field, value) else {
                continue;
            };
            if name == header::CONTENT_TYPE && key.starts_with(b"c") {
                self.grpc_origin |= bytes.starts_with(b"application/grpc");
            }
            if let Ok(value) = HeaderValue::from_maybe_shared(text(bytes)?) {
                headers.append(name.clone(), value);
            }
        }
        Ok(())
    }

    /// Identity headers in the all-lower-case spelling come from the peer
    /// sidecar and win over every other spelling, whatever the order.
    fn admits(&mut self, key: &[u8], name: &HeaderName, headers: &mut HeaderMap) -> bool {
        let Some(index) = IDENTITY.iter().position(|identity| identity == name) else {
            return true;
        };
        let Some(stamped) = self.stamped.get_mut(index) else {
            return true;
        };
        if key == name.as_str().as_bytes() {
            *stamped = true;
            headers.remove(name);
            return true;
        }
        !*stamped
    }
}

/// `None` for keys that cannot be a header. HTTP/2 pseudo headers of gRPC
/// clients reach apps with a `dapr-` prefix.
fn header_name(key: &[u8]) -> Option<HeaderName> {
    match key.strip_prefix(b":") {
        Some(pseudo) => {
            let prefixed = [b"dapr-", pseudo].concat();
            HeaderName::from_bytes(&prefixed).ok()
        }
        None => HeaderName::from_bytes(key).ok(),
    }
}
