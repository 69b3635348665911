//! Routes of building blocks this product does not have. They are answered
//! with 501 at once instead of being mistaken for invocations.

use http::Method;

/// Method list (comma separated) and the path after `/v1.0`; `*` stands for
/// one segment, a `**` at the end for the rest.
///
/// Mirrors the routes Dapr 1.18 registers in `pkg/api/http`.
const ROUTES: &[(&str, &str)] = &[
    ("GET,POST,PUT,DELETE", "/state/*/*"),
    ("POST,PUT", "/state/*"),
    ("POST,PUT", "/state/*/bulk"),
    ("POST,PUT", "/state/*/transaction"),
    ("POST,PUT", "-alpha1/state/*/query"),
    ("POST,PUT", "/publish/*/**"),
    ("POST,PUT", "/publish/bulk/*/**"),
    ("POST,PUT", "-alpha1/publish/bulk/*/**"),
    ("POST,PUT", "/bindings/*"),
    ("GET", "/secrets/*/bulk"),
    ("GET", "/secrets/*/*"),
    ("GET", "/configuration/*"),
    ("GET", "/configuration/*/subscribe"),
    ("GET", "/configuration/*/*/unsubscribe"),
    ("GET", "-alpha1/configuration/*"),
    ("GET", "-alpha1/configuration/*/subscribe"),
    ("GET", "-alpha1/configuration/*/*/unsubscribe"),
    ("POST,PUT", "/actors/*/*/state"),
    ("GET", "/actors/*/*/state/*"),
    ("GET,POST,PUT,DELETE,PATCH", "/actors/*/*/reminders/*"),
    ("POST,PUT,DELETE", "/actors/*/*/timers/*"),
    ("GET,POST,PUT,DELETE", "/actors/*/*/method/**"),
    ("GET", "/workflows/*/*"),
    ("POST", "/workflows/*/*/start"),
    ("POST", "/workflows/*/*/raiseEvent/*"),
    ("POST", "/workflows/*/*/pause"),
    ("POST", "/workflows/*/*/resume"),
    ("POST", "/workflows/*/*/terminate"),
    ("POST", "/workflows/*/*/purge"),
    ("GET", "-alpha1/workflows/*/*"),
    ("POST", "-alpha1/workflows/*/*/start"),
    ("POST", "-alpha1/workflows/*/*/raiseEvent/*"),
    ("POST", "-alpha1/workflows/*/*/pause"),
    ("POST", "-alpha1/workflows/*/*/resume"),
    ("POST", "-alpha1/workflows/*/*/terminate"),
    ("POST", "-alpha1/workflows/*/*/purge"),
    ("GET", "-beta1/workflows/*/*"),
    ("POST", "-beta1/workflows/*/*/start"),
    ("POST", "-beta1/workflows/*/*/raiseEvent/*"),
    ("POST", "-beta1/workflows/*/*/pause"),
    ("POST", "-beta1/workflows/*/*/resume"),
    ("POST", "-beta1/workflows/*/*/terminate"),
    ("POST", "-beta1/workflows/*/*/purge"),
    ("GET,POST,DELETE", "/jobs/*"),
    ("GET,POST,DELETE", "-alpha1/jobs/*"),
    ("POST", "-alpha1/lock/*"),
    ("POST", "-alpha1/unlock/*"),
    ("PUT", "-alpha1/crypto/*/encrypt"),
    ("PUT", "-alpha1/crypto/*/decrypt"),
    ("POST", "-alpha1/subtlecrypto/*/*"),
    ("POST", "-alpha1/conversation/*/converse"),
    ("POST", "-alpha2/conversation/*/converse"),
];

/// True when the reference has a handler for `method` on `/v1.0` + `rest`.
pub(super) fn covers(method: &Method, rest: &str) -> bool {
    ROUTES.iter().any(|(methods, pattern)| {
        methods.split(',').any(|known| known == method.as_str()) && matches(pattern, rest)
    })
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        if expected == "**" {
            return segments.next().is_some_and(|segment| !segment.is_empty());
        }
        match segments.next() {
            Some(segment) if segment == expected || (expected == "*" && !segment.is_empty()) => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registered_methods_and_shapes_match() {
        assert!(covers(&Method::POST, "/publish/bus/a/b"));
        assert!(!covers(&Method::GET, "/publish/bus/a"));
        assert!(covers(&Method::GET, "/state/s/k"));
        assert!(!covers(&Method::GET, "/state/s"));
        assert!(!covers(&Method::GET, "/state//k"));
        assert!(!covers(&Method::POST, "/publish/bus"));
    }
}
