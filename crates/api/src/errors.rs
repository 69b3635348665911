//! Error codes of the HTTP API and their wire form.

/// One row: the code clients match on and the status it travels with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// Value of `errorCode`.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
}

/// An invocation failed before the app answered.
pub const DIRECT_INVOKE: ErrorCode = ErrorCode {
    code: "ERR_DIRECT_INVOKE",
    status: 500,
};
/// The sidecar is not ready.
pub const HEALTH_NOT_READY: ErrorCode = ErrorCode {
    code: "ERR_HEALTH_NOT_READY",
    status: 500,
};
/// The health probe named another app id.
pub const HEALTH_APPID_NOT_MATCH: ErrorCode = ErrorCode {
    code: "ERR_HEALTH_APPID_NOT_MATCH",
    status: 500,
};
/// Outbound calls are not possible yet.
pub const OUTBOUND_HEALTH_NOT_READY: ErrorCode = ErrorCode {
    code: "ERR_OUTBOUND_HEALTH_NOT_READY",
    status: 500,
};
/// A request body could not be read.
pub const BODY_READ: ErrorCode = ErrorCode {
    code: "ERR_BODY_READ",
    status: 400,
};
/// A building block that this product does not have.
pub const API_UNIMPLEMENTED: ErrorCode = ErrorCode {
    code: "ERR_API_UNIMPLEMENTED",
    status: 501,
};

/// Text of [`API_UNIMPLEMENTED`]; clients match on it.
pub const API_UNIMPLEMENTED_MESSAGE: &str = "this API is currently not implemented";

/// The JSON body of an error: `errorCode` first, no trailing newline.
pub fn body(code: &str, message: &str) -> String {
    let mut out = String::with_capacity(code.len() + message.len() + 32);
    out.push_str("{\"errorCode\":");
    push_json(&mut out, code);
    out.push_str(",\"message\":");
    push_json(&mut out, message);
    out.push('}');
    out
}

pub(crate) fn push_json(out: &mut String, text: &str) {
    use std::fmt::Write as _;

    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Go's encoder escapes these for safety inside HTML; peers'
            // tests compare whole bodies.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_keeps_key_order_and_escapes() {
        assert_eq!(
            body("ERR_DIRECT_INVOKE", "a \"b\"\n<c>"),
            r#"{"errorCode":"ERR_DIRECT_INVOKE","message":"a \"b\"\n\u003cc\u003e"}"#
        );
    }
}
