//! gRPC status codes, their Go names and their HTTP counterparts.

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
    /// Code a gRPC client sees for the HTTP status of an app. Not the inverse
    /// of [`Self::http_status`].
    ///
    /// Mirrors Dapr 1.18 `pkg/messaging/v1/util.go`.
    pub fn from_http(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::NotFound,
            408 => Self::Canceled,
            409 => Self::AlreadyExists,
            429 => Self::ResourceExhausted,
            501 => Self::Unimplemented,
            503 => Self::Unavailable,
            504 => Self::DeadlineExceeded,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_numbers_are_unknown() {
        assert_eq!(Code::from_wire(99), Code::Unknown);
        assert_eq!(Code::from_wire(-1), Code::Unknown);
        assert_eq!(Code::from_wire(14), Code::Unavailable);
    }

    #[test]
    fn the_two_tables_are_no_inverses() {
        assert_eq!(Code::from_http(400), Code::Internal);
        assert_eq!(Code::Internal.http_status(), 500);
        for (status, code) in [
            (200, Code::Ok),
            (204, Code::Ok),
            (101, Code::Unknown),
            (302, Code::Unknown),
            (404, Code::NotFound),
            (408, Code::Canceled),
            (409, Code::AlreadyExists),
            (412, Code::Unknown),
            (429, Code::ResourceExhausted),
            (500, Code::Unknown),
            (502, Code::Unknown),
            (503, Code::Unavailable),
            (599, Code::Unknown),
        ] {
            assert_eq!(Code::from_http(status), code, "{status}");
        }
    }
}
