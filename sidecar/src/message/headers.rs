//! Which header crosses which hop.
//!
//! Four passages: client to caller sidecar, callee sidecar to app, app to
//! callee sidecar, caller sidecar to client. Each works in place on the one
//! header map of the message.

use api::headers::{
    BAGGAGE, CALLEE_APP_ID, CALLER_APP_ID, CALLER_NAMESPACE, DAPR_API_TOKEN, DAPR_APP_ID,
    DESTINATION_APP_ID, FORWARDED, IDENTITY, X_FORWARDED_FOR, X_FORWARDED_HOST, strip_hop_by_hop,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Who a call is from and to, as header values.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// Namespace of the caller.
    pub(crate) caller_namespace: HeaderValue,
    /// App id of the caller.
    pub(crate) caller: HeaderValue,
    /// App id of the callee.
    pub(crate) callee: HeaderValue,
}

impl Stamp {
    /// The three identity headers in wire spelling, and the target.
    pub(crate) fn remote(&self) -> [(HeaderName, HeaderValue); 4] {
        [
            (DESTINATION_APP_ID, self.callee.clone()),
            (CALLER_NAMESPACE, self.caller_namespace.clone()),
            (CALLER_APP_ID, self.caller.clone()),
            (CALLEE_APP_ID, self.callee.clone()),
        ]
    }

    /// Sets the three identity headers in place.
    pub(crate) fn local(&self, headers: &mut HeaderMap) {
        headers.insert(CALLER_NAMESPACE, self.caller_namespace.clone());
        headers.insert(CALLER_APP_ID, self.caller.clone());
        headers.insert(CALLEE_APP_ID, self.callee.clone());
    }
}

/// Own address and host name, as the forwarded headers carry them.
#[derive(Clone, Debug)]
pub(crate) struct Forwarder {
    address: HeaderValue,
    host: Option<HeaderValue>,
    forwarded: HeaderValue,
}

impl Forwarder {
    /// `address` is the host address advertised to peers.
    pub(crate) fn new(address: &str, host: &str) -> Self {
        let quoted = if address.contains(':') {
            format!("\"[{address}]\"")
        } else {
            address.to_owned()
        };
        let mut forwarded = format!("for={quoted};by={quoted}");
        if !host.is_empty() {
            forwarded.push_str(";host=");
            forwarded.push_str(host);
        }
        let empty = HeaderValue::from_static("");
        Self {
            address: HeaderValue::from_str(address).unwrap_or_else(|_| empty.clone()),
            host: (!host.is_empty())
                .then(|| HeaderValue::from_str(host).ok())
                .flatten(),
            forwarded: HeaderValue::from_str(&forwarded).unwrap_or(empty),
        }
    }

    /// Appends to what clients and earlier hops wrote.
    pub(crate) fn append(&self, headers: &mut HeaderMap) {
        headers.append(X_FORWARDED_FOR, self.address.clone());
        if let Some(host) = &self.host {
            headers.append(X_FORWARDED_HOST, host.clone());
        }
        headers.append(FORWARDED, self.forwarded.clone());
    }
}

/// Client to caller sidecar: what the client may not decide or what belongs
/// to its connection goes.
pub(crate) fn from_client(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    headers.remove(header::HOST);
    headers.remove(header::EXPECT);
    headers.remove(DAPR_APP_ID);
    headers.remove(DAPR_API_TOKEN);
    headers.remove(DESTINATION_APP_ID);
    for name in IDENTITY {
        headers.remove(name);
    }
}

/// Callee sidecar to its HTTP app. `content_type` is the message's; the
/// declared length, if any, is taken out and returned as sent.
pub(crate) fn to_app(
    headers: &mut HeaderMap,
    content_type: Option<HeaderValue>,
    app_token: Option<&HeaderValue>,
) -> Option<HeaderValue> {
    strip_hop_by_hop(headers);
    let length = headers.remove(header::CONTENT_LENGTH);
    match content_type {
        Some(value) => {
            headers.insert(header::CONTENT_TYPE, value);
        }
        None => {
            headers.remove(header::CONTENT_TYPE);
        }
    }
    headers.remove(header::HOST);
    headers.remove(header::EXPECT);
    headers.remove(DESTINATION_APP_ID);
    drop_unspeakable(headers);
    if let Some(first) = headers.get(BAGGAGE).cloned() {
        headers.insert(BAGGAGE, first);
    }
    match app_token {
        Some(token) => {
            headers.insert(DAPR_API_TOKEN, token.clone());
        }
        None => {
            headers.remove(DAPR_API_TOKEN);
        }
    }
    length
}

/// App to callee sidecar.
pub(crate) fn from_app(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    headers.remove(header::CONTENT_LENGTH);
}

/// Caller sidecar to its HTTP client. `content_type` is the message's.
pub(crate) fn to_client(headers: &mut HeaderMap, content_type: Option<HeaderValue>) {
    strip_hop_by_hop(headers);
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(DESTINATION_APP_ID);
    match content_type {
        Some(value) => {
            headers.insert(header::CONTENT_TYPE, value);
        }
        None => {
            headers.remove(header::CONTENT_TYPE);
        }
    }
    drop_unspeakable(headers);
}

/// Compares a token with the expected one, in a time that does not tell how
/// much of it is right.
pub(crate) fn is_secret(given: Option<&HeaderValue>, expected: &HeaderValue) -> bool {
    let Some(given) = given else { return false };
    let (given, expected) = (given.as_bytes(), expected.as_bytes());
    let differing = given
        .iter()
        .zip(expected)
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    given.len() == expected.len() && std::hint::black_box(differing) == 0
}

/// True when the one thing a client accepts is an event stream.
pub(crate) fn wants_events(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_some_and(|value| {
        value
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"text/event-stream")
    })
}

/// Binary metadata has no HTTP form; `grpc-` names are reserved and get a
/// prefix.
fn drop_unspeakable(headers: &mut HeaderMap) {
    let special: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("grpc-") || name.as_str().ends_with("-bin"))
        .cloned()
        .collect();
    for name in special {
        let mut values = Vec::new();
        if let http::header::Entry::Occupied(entry) = headers.entry(&name) {
            values.extend(entry.remove_entry_mult().1);
        }
        if name.as_str().ends_with("-bin") {
            continue;
        }
        if let Ok(prefixed) = HeaderName::try_from(format!("dapr-{name}")) {
            for value in values {
                headers.append(prefixed.clone(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
