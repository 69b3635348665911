//! From method and path to handler. Everything that matches nothing is an
//! invocation: that is how calls with the `dapr-app-id` header arrive.

use std::borrow::Cow;

use http::Method;

use super::unimplemented;

/// A handler of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Healthz,
    HealthzOutbound,
    Metadata,
    SetMetadata(String),
    Shutdown,
    /// Of a building block that is not served: its pattern.
    Unimplemented(&'static str),
    Invoke,
}

/// Routes on the cleaned, still encoded path. One slash at the end does not
/// matter.
pub(super) fn route(method: &Method, path: &str) -> Route {
    if !path.trim_start_matches('/').starts_with("v1.0") && !path.contains("/.") {
        return Route::Invoke;
    }
    let cleaned = cleaned(path);
    let Some(rest) = cleaned.strip_prefix("v1.0") else {
        return Route::Invoke;
    };
    if rest.starts_with("/invoke/") {
        return Route::Invoke;
    }
    match (method, rest) {
        (&Method::GET, "/healthz") => Route::Healthz,
        (&Method::GET, "/healthz/outbound") => Route::HealthzOutbound,
        (&Method::GET, "/metadata") => Route::Metadata,
        (&Method::POST, "/shutdown") => Route::Shutdown,
        (&Method::PUT, rest) if is_metadata_key(rest) => {
            let key = rest.strip_prefix("/metadata/").unwrap_or_default();
            Route::SetMetadata(key.to_owned())
        }
        (method, rest) => match unimplemented::find(method, rest) {
            Some(route) => Route::Unimplemented(route),
            None => Route::Invoke,
        },
    }
}

fn is_metadata_key(rest: &str) -> bool {
    rest.strip_prefix("/metadata/")
        .is_some_and(|key| !key.is_empty() && !key.contains('/'))
}

fn cleaned(path: &str) -> Cow<'_, str> {
    let needs_work = path.contains("//") || path.contains("/.") || path.ends_with('/');
    if needs_work {
        Cow::Owned(policy::method::clean(path))
    } else {
        Cow::Borrowed(path.strip_prefix('/').unwrap_or(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_for_routing_only() {
        for (method, path, expected) in [
            ("GET", "/v1.0/healthz", Route::Healthz),
            ("GET", "//v1.0///healthz/", Route::Healthz),
            ("GET", "/x/../v1.0/healthz/outbound", Route::HealthzOutbound),
            ("HEAD", "/v1.0/healthz", Route::Invoke),
            ("POST", "/v1.0/healthz", Route::Invoke),
            ("GET", "/v1.0/metadata", Route::Metadata),
            ("POST", "/v1.0/metadata", Route::Invoke),
            (
                "PUT",
                "/v1.0/metadata/a%20b",
                Route::SetMetadata("a%20b".into()),
            ),
            ("PUT", "/v1.0/metadata/", Route::Invoke),
            ("POST", "/v1.0/shutdown", Route::Shutdown),
            ("POST", "/v1.0/invoke/a/method/v1.0/shutdown", Route::Invoke),
            (
                "GET",
                "/v1.0/state/store/key",
                Route::Unimplemented("/state/*/*"),
            ),
            (
                "POST",
                "/v1.0-alpha1/unlock/store",
                Route::Unimplemented("-alpha1/unlock/*"),
            ),
            ("GET", "/orders", Route::Invoke),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(route(&method, path), expected, "{method} {path}");
        }
    }
}
