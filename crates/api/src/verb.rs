//! HTTP verbs as the wire knows them.

use http::Method;

/// Values of `dapr.proto.common.v1.HTTPExtension.Verb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verb {
    /// No verb: a gRPC origin that named none.
    None = 0,
    /// GET
    Get = 1,
    /// HEAD
    Head = 2,
    /// POST
    Post = 3,
    /// PUT
    Put = 4,
    /// DELETE
    Delete = 5,
    /// CONNECT
    Connect = 6,
    /// OPTIONS
    Options = 7,
    /// TRACE
    Trace = 8,
    /// PATCH
    Patch = 9,
}

impl Verb {
    /// The verb an HTTP method travels as; methods the wire does not know
    /// travel as POST.
    pub fn from_method(method: &Method) -> Self {
        match method.as_str() {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "CONNECT" => Self::Connect,
            "OPTIONS" => Self::Options,
            "TRACE" => Self::Trace,
            "PATCH" => Self::Patch,
            // A word of the wire, and no verb.
            "NONE" => Self::None,
            _ => Self::Post,
        }
    }

    /// The verb of a wire number; `None` for numbers nobody sends.
    pub fn from_wire(value: u64) -> Option<Self> {
        Some(match value {
            0 => Self::None,
            1 => Self::Get,
            2 => Self::Head,
            3 => Self::Post,
            4 => Self::Put,
            5 => Self::Delete,
            6 => Self::Connect,
            7 => Self::Options,
            8 => Self::Trace,
            9 => Self::Patch,
            _ => return None,
        })
    }

    /// The method an HTTP app is called with; `None` where there is none
    /// (NONE, and CONNECT, which is refused).
    pub fn to_method(self) -> Option<Method> {
        Some(match self {
            Self::None | Self::Connect => return None,
            Self::Get => Method::GET,
            Self::Head => Method::HEAD,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Delete => Method::DELETE,
            Self::Options => Method::OPTIONS,
            Self::Trace => Method::TRACE,
            Self::Patch => Method::PATCH,
        })
    }

    /// Upper-case name, as access lists and error texts spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
        }
    }
}
