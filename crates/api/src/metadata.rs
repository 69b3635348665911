//! Which metadata crosses which hop of a gRPC call, and in which form.
//!
//! Each passage works in place on the one header map of the message. Names
//! and values of a gRPC origin are those of HTTP/2 throughout: lower case,
//! `-bin` values in base64.

pub mod binary;
pub mod timeout;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::headers::{
    CALLEE_APP_ID, CALLER_APP_ID, CALLER_NAMESPACE, DAPR_API_TOKEN, DAPR_APP_ID,
    DESTINATION_APP_ID, GRPC_TRACE_BIN, IDENTITY, strip_hop_by_hop,
};

/// Name under which the pseudo headers of a gRPC client are kept in header
/// maps, and reach HTTP apps.
pub const PSEUDO: [HeaderName; 4] = [
    HeaderName::from_static("dapr-method"),
    HeaderName::from_static("dapr-scheme"),
    HeaderName::from_static("dapr-path"),
    HeaderName::from_static("dapr-authority"),
];

/// Callee sidecar to its gRPC app: the metadata of `OnInvoke`.
/// `grpc_origin`: the call was made by a gRPC client.
pub fn to_grpc_app(headers: &mut HeaderMap, grpc_origin: bool, app_token: Option<&HeaderValue>) {
    if grpc_origin {
        remove(headers, &PSEUDO);
    }
    headers.remove(DESTINATION_APP_ID);
    speak_grpc(headers, grpc_origin);
    match app_token {
        Some(token) => {
            headers.insert(DAPR_API_TOKEN, token.clone());
        }
        // Differs from Dapr: what a client sent is for its own sidecar.
        None => {
            headers.remove(DAPR_API_TOKEN);
        }
    }
}

/// gRPC app to its sidecar: initial metadata or trailers of an answer. The
/// content type stays: peers know the origin by it.
pub fn from_grpc_app(headers: &mut HeaderMap) {
    strip_connection(headers);
    remove(headers, &RESERVED);
    remove(headers, &STATUS);
}

/// Caller sidecar to its gRPC client: initial metadata or trailers of the
/// answer to `InvokeService`. `from_grpc_app`: a gRPC app gave the answer.
pub fn to_grpc_client(headers: &mut HeaderMap, from_grpc_app: bool) {
    headers.remove(DESTINATION_APP_ID);
    speak_grpc(headers, from_grpc_app);
    remove(headers, &STATUS);
}

/// gRPC client to caller sidecar: from the request headers of
/// `InvokeService`, what a Go server would show as metadata. The authority is
/// no header.
pub fn from_grpc_client(headers: &mut HeaderMap) {
    strip_connection(headers);
    remove(
        headers,
        &[
            header::TE,
            GRPC_TIMEOUT,
            GRPC_ENCODING,
            GRPC_MESSAGE,
            GRPC_MESSAGE_TYPE,
            GRPC_STATUS,
            DAPR_API_TOKEN,
            DESTINATION_APP_ID,
        ],
    );
    remove(headers, &IDENTITY);
}

/// Request headers of a call that is passed on as it is, before its next hop.
/// What the next hop is told by us comes afterwards.
pub fn proxied(headers: &mut HeaderMap) {
    strip_connection(headers);
    remove(
        headers,
        &[
            DAPR_APP_ID,
            CALLEE_APP_ID,
            CALLER_APP_ID,
            CALLER_NAMESPACE,
            DAPR_API_TOKEN,
            header::TE,
            header::USER_AGENT,
            GRPC_TIMEOUT,
        ],
    );
}

const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_MESSAGE_TYPE: HeaderName = HeaderName::from_static("grpc-message-type");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Names the transport writes itself, besides the content type.
const RESERVED: [HeaderName; 7] = [
    header::USER_AGENT,
    header::TE,
    GRPC_MESSAGE_TYPE,
    GRPC_ENCODING,
    GRPC_MESSAGE,
    GRPC_STATUS,
    GRPC_TIMEOUT,
];

/// How an answer ended; this travels apart from its metadata.
const STATUS: [HeaderName; 3] = [GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS];

/// Names that HTTP/2 refuses, or that would contradict it.
const CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    header::CONTENT_LENGTH,
];

/// The name under which a permanent HTTP header travels in gRPC metadata, so
/// that it is not taken for one of the gRPC call.
///
/// Mirrors Dapr 1.18 `pkg/messaging/v1/util.go`.
fn prefixed(name: &HeaderName) -> Option<HeaderName> {
    Some(HeaderName::from_static(match name.as_str() {
        "accept" => "dapr-accept",
        "accept-charset" => "dapr-accept-charset",
        "accept-language" => "dapr-accept-language",
        "accept-ranges" => "dapr-accept-ranges",
        "connection" => "dapr-connection",
        "keep-alive" => "dapr-keep-alive",
        "proxy-connection" => "dapr-proxy-connection",
        "transfer-encoding" => "dapr-transfer-encoding",
        "upgrade" => "dapr-upgrade",
        "cache-control" => "dapr-cache-control",
        "content-type" => "dapr-content-type",
        "content-length" => "dapr-content-length",
        "cookie" => "dapr-cookie",
        "date" => "dapr-date",
        "expect" => "dapr-expect",
        "from" => "dapr-from",
        "host" => "dapr-host",
        "if-match" => "dapr-if-match",
        "if-modified-since" => "dapr-if-modified-since",
        "if-none-match" => "dapr-if-none-match",
        "if-schedule-tag-match" => "dapr-if-schedule-tag-match",
        "if-unmodified-since" => "dapr-if-unmodified-since",
        "max-forwards" => "dapr-max-forwards",
        "origin" => "dapr-origin",
        "pragma" => "dapr-pragma",
        "referer" => "dapr-referer",
        "via" => "dapr-via",
        "warning" => "dapr-warning",
        _ => return None,
    }))
}

fn is_binary(name: &HeaderName) -> bool {
    name.as_str().ends_with("-bin")
}

/// Turns the metadata of a message into what a gRPC call may carry.
fn speak_grpc(headers: &mut HeaderMap, grpc_origin: bool) {
    if grpc_origin {
        strip_connection(headers);
        headers.remove(header::CONTENT_TYPE);
    } else {
        prefix_permanent(headers);
    }
    remove(headers, &RESERVED);
    // Differs from Dapr: each sidecar says itself what it can unpack.
    headers.remove(GRPC_ACCEPT_ENCODING);
    fit(headers, grpc_origin);
}

fn prefix_permanent(headers: &mut HeaderMap) {
    let permanent: Vec<(HeaderName, HeaderName)> = headers
        .keys()
        .filter_map(|name| Some((name.clone(), prefixed(name)?)))
        .collect();
    for (name, prefixed) in permanent {
        if let header::Entry::Occupied(entry) = headers.entry(name) {
            let values: Vec<_> = entry.remove_entry_mult().1.collect();
            for value in values {
                headers.append(prefixed.clone(), value);
            }
        }
    }
}

/// Leaves out what gRPC cannot carry and gives binary values their wire form.
fn fit(headers: &mut HeaderMap, grpc_origin: bool) {
    let fits = |(name, value): (&HeaderName, &HeaderValue)| {
        !is_binary(name) && is_legal_name(name) && is_legal_value(value)
    };
    if headers.iter().all(fits) {
        return;
    }
    let mut fitting = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers.iter().filter(|(name, _)| is_legal_name(name)) {
        let value = if !is_binary(name) {
            is_legal_value(value).then(|| value.clone())
        } else if grpc_origin || *name == GRPC_TRACE_BIN {
            // Receivers end the whole call over a value that is not base64.
            binary::decode(value).map(|raw| binary::encode(&raw))
        } else {
            Some(binary::encode(value.as_bytes()))
        };
        if let Some(value) = value {
            fitting.append(name.clone(), value);
        }
    }
    *headers = fitting;
}

/// gRPC names are stricter than those of HTTP.
fn is_legal_name(name: &HeaderName) -> bool {
    name.as_str()
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.'))
}

fn is_legal_value(value: &HeaderValue) -> bool {
    value
        .as_bytes()
        .iter()
        .all(|byte| (b' '..=b'~').contains(byte))
}

/// Removes what belongs to one connection; a gRPC message has its own length.
fn strip_connection(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        strip_hop_by_hop(headers);
    }
    remove(headers, &CONNECTION);
}

fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
