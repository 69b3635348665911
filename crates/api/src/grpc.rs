//! gRPC status codes, their Go names and their HTTP counterparts.

use std::fmt;

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the gRPC standard's")]
pub enum Code {
    Ok = 0,
    Canceled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Code {
    /// The code of a wire number; numbers outside the standard are `Unknown`.
    pub fn from_wire(value: i64) -> Self {
        const ALL: [Code; 17] = [
            Code::Ok,
            Code::Canceled,
            Code::Unknown,
            Code::InvalidArgument,
            Code::DeadlineExceeded,
            Code::NotFound,
            Code::AlreadyExists,
            Code::PermissionDenied,
            Code::ResourceExhausted,
            Code::FailedPrecondition,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unimplemented,
            Code::Internal,
            Code::Unavailable,
            Code::DataLoss,
            Code::Unauthenticated,
        ];
        usize::try_from(value)
            .ok()
            .and_then(|index| ALL.get(index).copied())
            .unwrap_or(Self::Unknown)
    }

    /// Name as Go prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Canceled => "Canceled",
            Self::Unknown => "Unknown",
            Self::InvalidArgument => "InvalidArgument",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::PermissionDenied => "PermissionDenied",
            Self::ResourceExhausted => "ResourceExhausted",
            Self::FailedPrecondition => "FailedPrecondition",
            Self::Aborted => "Aborted",
            Self::OutOfRange => "OutOfRange",
            Self::Unimplemented => "Unimplemented",
            Self::Internal => "Internal",
            Self::Unavailable => "Unavailable",
            Self::DataLoss => "DataLoss",
            Self::Unauthenticated => "Unauthenticated",
        }
    }

    /// HTTP status an HTTP client sees for this code.
    ///
    /// Mirrors Dapr 1.18 `pkg/messaging/v1/util.go`.
    pub fn http_status(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::Canceled => 408,
            Self::InvalidArgument | Self::FailedPrecondition | Self::OutOfRange => 400,
            Self::DeadlineExceeded => 504,
            Self::NotFound => 404,
            Self::AlreadyExists | Self::Aborted => 409,
            Self::PermissionDenied => 403,
            Self::ResourceExhausted => 429,
            Self::Unimplemented => 501,
            Self::Unavailable => 503,
            Self::Unauthenticated => 401,
            Self::Unknown | Self::Internal | Self::DataLoss => 500,
        }
    }
}

/// A gRPC failure as it travels: code and message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Status {
    /// Code of the failure.
    pub code: Code,
    /// Message, unescaped.
    pub message: String,
}

impl Status {
    /// A status of `code` saying `message`.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The message as a `grpc-message` header value: percent-encoded, so any
    /// text is legal.
    pub fn header_message(&self) -> http::HeaderValue {
        use std::fmt::Write as _;

        let mut out = String::with_capacity(self.message.len());
        for byte in self.message.bytes() {
            if (b' '..=b'~').contains(&byte) && byte != b'%' {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        http::HeaderValue::from_str(&out).unwrap_or(http::HeaderValue::from_static(""))
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

    /// Reads `grpc-status` and `grpc-message`; `None` without a status.
    pub fn from_headers(headers: &http::HeaderMap) -> Option<Self> {
        let code = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
        let message = headers
            .get("grpc-message")
            .map(|value| Self::decode_message(value.as_bytes()))
            .unwrap_or_default();
        Some(Self {
            code: Code::from_wire(code),
            message,
        })
    }

    /// Writes `grpc-status` and, when there is one, `grpc-message`.
    pub fn write_headers(&self, headers: &mut http::HeaderMap) {
        headers.insert(
            "grpc-status",
            http::HeaderValue::from(u16::from(self.code as u8)),
        );
        if !self.message.is_empty() {
            headers.insert("grpc-message", self.header_message());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_survives_the_header_form() {
        let status = Status::new(Code::Internal, "50% \u{fc}ber\nline");
        let value = status.header_message();
        assert_eq!(value.to_str().unwrap(), "50%25 %C3%BCber%0Aline");
        assert_eq!(Status::decode_message(value.as_bytes()), status.message);
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(Status::decode_message(b"a%zz%4"), "a%zz%4");
    }

    #[test]
    fn unknown_numbers_are_unknown() {
        assert_eq!(Code::from_wire(99), Code::Unknown);
        assert_eq!(Code::from_wire(-1), Code::Unknown);
        assert_eq!(Code::from_wire(14), Code::Unavailable);
    }
}
