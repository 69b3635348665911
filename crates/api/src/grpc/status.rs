//! A failure in its forms: trailers, Go text, JSON.

use std::fmt;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message as _;

use super::{Code, details};
use crate::{
    envelope::proto::{Reader, Value, put_bytes, put_number},
    metadata::binary,
    rpc::ErrorInfo,
};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Bytes of an app's error body that travel in a detail, as Dapr cuts it.
const PROPAGATED: usize = 63;

/// A gRPC failure as it travels: code, message and details.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Status {
    /// Code of the failure.
    pub code: Code,
    /// Message, unescaped.
    pub message: String,
    /// Details, each an encoded `google.protobuf.Any`.
    pub details: Vec<Bytes>,
}

impl Status {
    /// A status of `code` saying `message`, without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// A status with one `google.rpc.ErrorInfo` of the domain `dapr.io`.
    pub fn with_error_info(
        code: Code,
        message: impl Into<String>,
        reason: &str,
        metadata: &[(&str, &str)],
    ) -> Self {
        let info = ErrorInfo {
            reason: reason.to_owned(),
            domain: "dapr.io".to_owned(),
            metadata: metadata
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let any = prost_types::Any {
            type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
            value: info.encode_to_vec(),
        };
        Self {
            details: vec![any.encode_to_vec().into()],
            ..Self::new(code, message)
        }
    }

    /// What a gRPC client is told when an HTTP app answers with `status`:
    /// the reason phrase, and the beginning of `body` in a detail.
    ///
    /// Mirrors Dapr 1.18 `pkg/messaging/v1/util.go`.
    /// Differs from Dapr: a body cut inside a character keeps its detail.
    pub fn of_http(status: u16, body: &[u8]) -> Self {
        let beginning = body.get(..PROPAGATED + 4).unwrap_or(body);
        let text = String::from_utf8_lossy(beginning);
        let cut = text.floor_char_boundary(PROPAGATED);
        let reason = reason(status);
        Self::with_error_info(
            Code::from_http(status),
            reason,
            reason,
            &[
                ("http.code", &status.to_string()),
                ("http.error_message", text.get(..cut).unwrap_or_default()),
            ],
        )
    }

    /// The message as a `grpc-message` header value: percent-encoded, so any
    /// text is legal.
    pub fn header_message(&self) -> HeaderValue {
        use std::fmt::Write as _;

        let mut out = String::with_capacity(self.message.len());
        for byte in self.message.bytes() {
            if (b' '..=b'~').contains(&byte) && byte != b'%' {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        HeaderValue::from_str(&out).unwrap_or(HeaderValue::from_static(""))
    }

    /// Reads a `grpc-message` header value.
    pub fn decode_message(raw: &[u8]) -> String {
        let mut out = Vec::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((&byte, tail)) = rest.split_first() {
            let escaped = (byte == b'%')
                .then(|| tail.get(..2))
                .flatten()
                .and_then(|hex| std::str::from_utf8(hex).ok())
                .and_then(|hex| u8::from_str_radix(hex, 16).ok());
            if let Some(value) = escaped {
                out.push(value);
                rest = tail.get(2..).unwrap_or_default();
            } else {
                out.push(byte);
                rest = tail;
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Reads `grpc-status`, `grpc-message` and `grpc-status-details-bin`;
    /// `None` without a status. Details that cannot be read are left out.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let code = headers.get(STATUS)?.to_str().ok()?.parse().ok()?;
        let message = headers
            .get(MESSAGE)
            .map(|value| Self::decode_message(value.as_bytes()))
            .unwrap_or_default();
        let details = headers.get(DETAILS).and_then(decode_details);
        Some(Self {
            code: Code::from_wire(code),
            message,
            details: details.unwrap_or_default(),
        })
    }

    /// Writes `grpc-status` and, where there are such, `grpc-message` and
    /// `grpc-status-details-bin`.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        headers.insert(STATUS, HeaderValue::from(u16::from(self.code as u8)));
        if !self.message.is_empty() {
            headers.insert(MESSAGE, self.header_message());
        }
        if !self.details.is_empty() {
            headers.insert(DETAILS, self.header_details());
        }
    }

    /// A `google.rpc.Status` as header value.
    fn header_details(&self) -> HeaderValue {
        let mut out = BytesMut::new();
        self.encode(&mut out);
        binary::encode(&out)
    }

    /// Writes the fields of `google.rpc.Status`, which are those of
    /// `dapr.proto.internals.v1.Status` as well.
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        put_number(out, 1, self.code as usize);
        put_bytes(out, 2, self.message.as_bytes());
        for detail in &self.details {
            put_bytes(out, 3, detail);
        }
    }

    /// The body an HTTP client gets: JSON as protobuf defines it, members
    /// without a value left out.
    ///
    /// Differs from Dapr: details of unknown types are left out instead of
    /// making the whole answer another error.
    pub fn json(&self) -> String {
        let mut out = String::from("{");
        let mut members = details::Members::new(&mut out);
        if self.code != Code::Ok {
            members
                .name("code")
                .push_str(&(self.code as u8).to_string());
        }
        if !self.message.is_empty() {
            crate::errors::push_json(members.name("message"), &self.message);
        }
        let known: Vec<String> = self.details.iter().filter_map(details::json).collect();
        if !known.is_empty() {
            let out = members.name("details");
            out.push('[');
            out.push_str(&known.join(","));
            out.push(']');
        }
        out.push('}');
        out
    }
}

/// As Go renders a gRPC error inside other texts.
impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "rpc error: code = {} desc = {}",
            self.code.name(),
            self.message
        )
    }
}

fn decode_details(value: &HeaderValue) -> Option<Vec<Bytes>> {
    let mut reader = Reader::new(binary::decode(value)?);
    let mut details = Vec::new();
    while let Some((field, value)) = reader.next().ok()? {
        if let (3, Value::Bytes(detail)) = (field, value) {
            details.push(detail);
        }
    }
    Some(details)
}

/// The phrase of a status as Go knows it; empty for unknown ones.
fn reason(status: u16) -> &'static str {
    match status {
        203 => "Non-Authoritative Information",
        413 => "Request Entity Too Large",
        414 => "Request URI Too Long",
        416 => "Requested Range Not Satisfiable",
        _ => http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
