//! Trace context along a call: taken over or made, passed on, told to the
//! client. Nothing is recorded here.

use api::headers::{BAGGAGE, GRPC_TRACE_BIN, TRACEPARENT};
use base64::{Engine as _, engine::general_purpose};
use http::{HeaderMap, HeaderName, HeaderValue};
use telemetry::trace_context::TraceContext;

/// The context of a client's request; one that nobody records is made where
/// there is none, and written into the headers.
pub(crate) fn from_client(headers: &mut HeaderMap) -> TraceContext {
    let given = headers
        .get(TRACEPARENT)
        .and_then(|value| TraceContext::parse(value.as_bytes()));
    given.unwrap_or_else(|| {
        let made = TraceContext::random_unsampled();
        headers.insert(TRACEPARENT, value(&made));
        made
    })
}

/// As [`from_client`], of a gRPC client: the binary form counts first.
pub(crate) fn from_grpc_client(metadata: &mut HeaderMap) -> TraceContext {
    match binary(metadata) {
        Some(context) => {
            metadata.insert(TRACEPARENT, value(&context));
            context
        }
        None => from_client(metadata),
    }
}

/// Both forms peers read.
pub(crate) fn to_peer(context: &TraceContext) -> [(HeaderName, HeaderValue); 2] {
    let mut text = value(context);
    let encoded = general_purpose::STANDARD_NO_PAD.encode(context.to_binary());
    let mut binary = HeaderValue::try_from(encoded).unwrap_or(HeaderValue::from_static(""));
    // New with each call: not worth a place in the header table.
    text.set_sensitive(true);
    binary.set_sensitive(true);
    [(TRACEPARENT, text), (GRPC_TRACE_BIN, binary)]
}

/// What the app is told: the context of the rpc, else the one among the
/// message's headers, else a new one. gRPC apps know both its forms.
pub(crate) fn to_app(headers: &mut HeaderMap, rpc: &HeaderMap, is_grpc: bool) {
    let context = binary(rpc)
        .or_else(|| TraceContext::parse(rpc.get(TRACEPARENT)?.as_bytes()))
        .or_else(|| TraceContext::parse(headers.get(TRACEPARENT)?.as_bytes()))
        .unwrap_or_else(TraceContext::random_unsampled);
    if is_grpc {
        headers.extend(to_peer(&context));
    } else {
        headers.insert(TRACEPARENT, value(&context));
    }
}

fn binary(metadata: &HeaderMap) -> Option<TraceContext> {
    let value = metadata.get(GRPC_TRACE_BIN)?;
    let text = value.as_bytes().trim_ascii_end();
    let unpadded = text
        .strip_suffix(b"==")
        .or_else(|| text.strip_suffix(b"="))
        .unwrap_or(text);
    let bytes = general_purpose::STANDARD_NO_PAD.decode(unpadded).ok()?;
    TraceContext::from_binary(&bytes)
}

/// Told to the client unless the app said something itself.
pub(crate) fn to_client(headers: &mut HeaderMap, context: &TraceContext) {
    if !headers.contains_key(TRACEPARENT) {
        headers.insert(TRACEPARENT, value(context));
    }
}

/// What is wrong with the baggage of a request, if anything (W3C Baggage).
pub(crate) fn baggage_error(headers: &HeaderMap) -> Option<String> {
    headers.get_all(BAGGAGE).iter().find_map(|value| {
        let text = value.to_str().unwrap_or("\u{fffd}");
        text.split(',')
            .find(|member| !is_baggage_member(member))
            .map(|member| {
                format!(
                    "invalid baggage header: invalid list-member: {}",
                    policy::method::quote(member)
                )
            })
    })
}

/// `key=value`, then properties that may lack a value.
fn is_baggage_member(member: &str) -> bool {
    let mut parts = member.split(';');
    let has_value = parts
        .next()
        .and_then(|pair| pair.split_once('='))
        .is_some_and(|(key, value)| is_token(key.trim()) && is_baggage_value(value.trim()));
    has_value
        && parts.all(|property| match property.split_once('=') {
            Some((key, value)) => is_token(key.trim()) && is_baggage_value(value.trim()),
            None => is_token(property.trim()),
        })
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_baggage_value(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e))
}

fn value(context: &TraceContext) -> HeaderValue {
    HeaderValue::from_bytes(context.traceparent().as_bytes())
        .unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_survives_from_client_to_app() {
        const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(TEXT));
        let context = from_client(&mut headers);
        let rpc: HeaderMap = to_peer(&context).into_iter().collect();
        let mut app = HeaderMap::new();
        to_app(&mut app, &rpc, false);
        assert_eq!(app[TRACEPARENT], TEXT);
    }

    #[test]
    fn baggage_follows_its_grammar() {
        let error = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(BAGGAGE, HeaderValue::from_static(text));
            baggage_error(&headers)
        };
        for good in ["a=1", "a=1,b=2;p;q=3", " a = 1 , b=%20", "a="] {
            assert_eq!(error(good), None, "{good}");
        }
        for bad in ["a", "=1", "a b=1", "a=1,,b=2", "a=\"x\"", ""] {
            assert!(error(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn an_all_zero_context_is_replaced() {
        let mut rpc = HeaderMap::new();
        let zero = "00-00000000000000000000000000000000-0000000000000000-00";
        rpc.insert(TRACEPARENT, HeaderValue::from_static(zero));
        let mut app = HeaderMap::new();
        to_app(&mut app, &rpc, false);
        assert_ne!(app[TRACEPARENT], zero);
        assert!(TraceContext::parse(app[TRACEPARENT].as_bytes()).is_some());
    }
}
