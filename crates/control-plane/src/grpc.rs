//! What a gRPC server of ours says to methods it does not have.

/// Says that the path is none of the `methods` of `service`, in the words of
/// Go servers; `None` when it is one.
pub fn unknown_method(path: &str, service: &str, methods: &[&str]) -> Option<String> {
    let name = path
        .strip_prefix('/')
        .and_then(|path| path.rsplit_once('/'));
    match name {
        Some((named, method)) if named == service => (!methods.contains(&method))
            .then(|| format!("unknown method {method} for service {service}")),
        Some((named, _)) => Some(format!("unknown service {named}")),
        None => Some(format!("malformed method name: {path:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_paths_are_named_as_go_names_them() {
        for (path, message) in [
            ("/dapr.proto.sentry.v1.CA/SignCertificate", None),
            (
                "/dapr.proto.sentry.v1.CA/Nope",
                Some("unknown method Nope for service dapr.proto.sentry.v1.CA"),
            ),
            (
                "/grpc.health.v1.Health/Check",
                Some("unknown service grpc.health.v1.Health"),
            ),
            ("/", Some("malformed method name: \"/\"")),
        ] {
            let found = unknown_method(path, "dapr.proto.sentry.v1.CA", &["SignCertificate"]);
            assert_eq!(found.as_deref(), message);
        }
    }
}
