//! gRPC as bytes: messages with their prefix, and a status as trailers. Used
//! by the app and by the client; decodes nothing inside a message.

use api::internals::v1::Status;
use api::rpc::ErrorInfo;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;

use crate::peer::message::percent_decode;

/// One message as it travelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcMessage {
    /// The first byte of its prefix is not zero.
    pub compressed: bool,
    /// The bytes after the prefix.
    pub data: Bytes,
}

/// How a call ended, or shall end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcStatus {
    /// `grpc-status`.
    pub code: u32,
    /// `grpc-message`, unescaped.
    pub message: String,
    /// `grpc-status-details-bin`, decoded.
    pub details: Bytes,
    /// The trailers beside these three.
    pub trailers: Box<HeaderMap>,
}

/// Pieces of a body, put together to messages.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    buffer: BytesMut,
}

/// Type URL of [`ErrorInfo`] in details.
pub const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

// === impl GrpcMessage ===

impl GrpcMessage {
    /// The bytes as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }
}

// === impl GrpcStatus ===

impl GrpcStatus {
    /// The good end.
    pub fn ok() -> Self {
        Self::default()
    }

    /// A failure.
    pub fn error(code: u32, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
            ..Self::default()
        }
    }

    /// With these details, as they are.
    #[must_use]
    pub fn details(mut self, details: impl Into<Bytes>) -> Self {
        self.details = details.into();
        self
    }

    /// With one more trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        append(&mut self.trailers, name, value);
        self
    }

    /// The details as `google.rpc.Status`, which on the wire is the same as
    /// Dapr's own.
    #[track_caller]
    pub fn rpc_status(&self) -> Status {
        Status::decode(self.details.clone()).expect("the details are a google.rpc.Status")
    }

    /// The one `ErrorInfo` of the details.
    #[track_caller]
    pub fn error_info(&self) -> ErrorInfo {
        let status = self.rpc_status();
        let info = status.details.iter().find(|any| any.type_url == ERROR_INFO);
        let info = info.unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
        ErrorInfo::decode(info.value.as_slice()).expect("an ErrorInfo")
    }

    /// The trailers that say it.
    pub(crate) fn to_trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::clone(&self.trailers);
        append(&mut trailers, "grpc-status", &self.code.to_string());
        append(
            &mut trailers,
            "grpc-message",
            &percent_encode(&self.message),
        );
        if !self.details.is_empty() {
            let details = STANDARD_NO_PAD.encode(&self.details);
            append(&mut trailers, "grpc-status-details-bin", &details);
        }
        trailers
    }

    /// What these trailers say; `None` without a code.
    pub(crate) fn from_trailers(trailers: &HeaderMap) -> Option<Self> {
        let mut trailers = trailers.clone();
        // Part of an answer that has nothing else.
        trailers.remove("content-type");
        let code = trailers
            .remove("grpc-status")?
            .to_str()
            .ok()?
            .parse()
            .ok()?;
        let message = trailers.remove("grpc-message");
        let message = message.as_ref().map(HeaderValue::as_bytes);
        let details = trailers.remove("grpc-status-details-bin");
        let details = details.as_ref().map(|value| binary(value.as_bytes()));
        Some(Self {
            code,
            message: percent_decode(&String::from_utf8_lossy(message.unwrap_or_default())),
            details: details.unwrap_or_default(),
            trailers: Box::new(trailers),
        })
    }
}

// === impl Frames ===

impl Frames {
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    pub(crate) fn next(&mut self) -> Option<GrpcMessage> {
        let prefix = self.buffer.get(..5)?;
        let compressed = prefix[0] != 0;
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
        let whole = 5 + length as usize;
        if self.buffer.len() < whole {
            return None;
        }
        let mut message = self.buffer.split_to(whole);
        message.advance(5);
        Some(GrpcMessage {
            compressed,
            data: message.freeze(),
        })
    }
}

/// A message with its prefix.
pub(crate) fn frame(compressed: bool, data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(5 + data.len());
    out.put_u8(compressed.into());
    out.put_u32(u32::try_from(data.len()).expect("a test message is small"));
    out.extend_from_slice(data);
    out.freeze()
}

/// A `-bin` value as bytes, padded or not.
#[track_caller]
pub fn binary(value: &[u8]) -> Bytes {
    let engine = if value.ends_with(b"=") {
        STANDARD
    } else {
        STANDARD_NO_PAD
    };
    engine.decode(value).expect("base64").into()
}

/// Bytes as a `-bin` value, as gRPC sends it.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

pub(crate) fn append(headers: &mut HeaderMap, name: &str, value: &str) {
    headers.append(
        HeaderName::from_bytes(name.as_bytes()).expect("a header name"),
        HeaderValue::from_bytes(value.as_bytes()).expect("a header value"),
    );
}

fn percent_encode(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for byte in text.bytes() {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            out.push(byte.into());
        } else {
            write!(out, "%{byte:02X}").expect("a string grows");
        }
    }
    out
}
