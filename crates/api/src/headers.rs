//! Names with a fixed meaning, and which headers may cross which hop.

use http::{HeaderMap, HeaderName, header};

/// Selects the target of a call.
pub const DAPR_APP_ID: HeaderName = HeaderName::from_static("dapr-app-id");
/// Client to sidecar: API token. Sidecar to app: app token.
pub const DAPR_API_TOKEN: HeaderName = HeaderName::from_static("dapr-api-token");
/// Namespace of the calling app.
pub const CALLER_NAMESPACE: HeaderName = HeaderName::from_static("dapr-caller-namespace");
/// App id of the calling app.
pub const CALLER_APP_ID: HeaderName = HeaderName::from_static("dapr-caller-app-id");
/// App id of the called app.
pub const CALLEE_APP_ID: HeaderName = HeaderName::from_static("dapr-callee-app-id");
/// Target app id between sidecars; never reaches an app.
pub const DESTINATION_APP_ID: HeaderName = HeaderName::from_static("destination-app-id");
/// Ends the process without a graceful stop.
pub const FORCE_SHUTDOWN: HeaderName = HeaderName::from_static("dapr-force-shutdown");
/// W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// W3C baggage.
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
/// Binary trace context between sidecars.
pub const GRPC_TRACE_BIN: HeaderName = HeaderName::from_static("grpc-trace-bin");
/// RFC 7239.
pub const FORWARDED: HeaderName = header::FORWARDED;
/// Address of each sidecar on the way.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Host name of each sidecar on the way.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Trailer by which our callee tells our caller that the app was never
/// reached, so that the call may be repeated on another replica.
pub const APP_NOT_REACHED: HeaderName = HeaderName::from_static("dapr-app-not-reached");

/// The three identity headers; whatever an app sends under these names is
/// replaced.
pub const IDENTITY: [HeaderName; 3] = [CALLER_NAMESPACE, CALLER_APP_ID, CALLEE_APP_ID];

/// True for names that belong to one connection (RFC 9110 section 7.6.1) and
/// for those Dapr treats alike.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
            | "te"
            | "trailer"
            | "proxy-authorization"
            | "proxy-authenticate"
    )
}

/// Removes hop-by-hop headers and those the `Connection` header names.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let nominated: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
            .collect();
        for name in nominated {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    // Most messages carry one or two of these at most: look before removing.
    const REST: [HeaderName; 9] = [
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        HeaderName::from_static("http2-settings"),
        header::TE,
        header::TRAILER,
        header::PROXY_AUTHORIZATION,
        header::PROXY_AUTHENTICATE,
    ];
    if headers.keys().any(is_hop_by_hop) {
        for name in REST {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn nominated_and_hop_by_hop_headers_go_others_stay() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "X-Secret, close"),
            ("x-secret", "1"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("authorization", "Bearer x"),
            ("x-kept", "yes"),
        ] {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_static(value),
            );
        }
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "x-kept"]);
    }
}
