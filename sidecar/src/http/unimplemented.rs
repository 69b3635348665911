//! Routes of building blocks this product does not have. They are answered
//! with 501 at once instead of being mistaken for invocations.

use std::sync::Once;

use http::Method;
use tracing::warn;

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

/// The route the reference has for `method` on `/v1.0` + `rest`.
pub(super) fn find(method: &Method, rest: &str) -> Option<&'static str> {
    let route = ROUTES.iter().find(|(methods, pattern)| {
        methods.split(',').any(|known| known == method.as_str()) && matches(pattern, rest)
    });
    route.map(|(_, pattern)| *pattern)
}

/// Logs the first call of a route: apps often keep the answer to themselves.
pub(super) fn tell(route: &str) {
    static TOLD: [Once; ROUTES.len()] = [const { Once::new() }; ROUTES.len()];
    let mut routes = ROUTES.iter().zip(&TOLD);
    if let Some((_, told)) = routes.find(|((_, pattern), _)| *pattern == route) {
        told.call_once(|| {
            warn!(
                target: "dapr.runtime.http",
                "/v1.0{route} was called and is answered with 501: only service invocation is \
                 served here; an app that needs more can run with Dapr's own daprd, whose apps \
                 call those of this one and are called by them"
            );
        });
    }
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
        for (method, path, route) in [
            (Method::POST, "/publish/bus/a/b", Some("/publish/*/**")),
            (Method::GET, "/publish/bus/a", None),
            (Method::GET, "/state/s/k", Some("/state/*/*")),
            (Method::GET, "/state/s", None),
            (Method::GET, "/state//k", None),
            (Method::POST, "/publish/bus", None),
        ] {
            assert_eq!(find(&method, path), route, "{method} {path}");
        }
    }
}
