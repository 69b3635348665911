use super::*;

fn map(entries: &[(&str, &str)]) -> HeaderMap {
    let mut out = HeaderMap::new();
    for (name, value) in entries {
        out.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    out
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_client_cannot_name_identities_or_leak_its_token() {
    let mut headers = map(&[
        ("host", "localhost:3500"),
        ("dapr-app-id", "b"),
        ("dapr-api-token", "secret"),
        ("dapr-caller-app-id", "admin"),
        ("dapr-caller-namespace", "prod"),
        ("dapr-callee-app-id", "x"),
        ("destination-app-id", "x"),
        ("expect", "100-continue"),
        ("connection", "keep-alive"),
        ("authorization", "Basic eA=="),
        ("x-a", "1"),
    ]);
    from_client(&mut headers);
    assert_eq!(names(&headers), ["authorization", "x-a"]);
}

#[test]
fn an_app_sees_no_sidecar_headers_and_its_own_token() {
    let mut headers = map(&[
        ("content-type", "text/x"),
        ("content-length", "3"),
        ("x-id-bin", "AA=="),
        ("grpc-trace-bin", "AA=="),
        ("grpc-accept-encoding", "gzip"),
        ("grpc-accept-encoding", "br"),
        ("baggage", "a=1"),
        ("baggage", "b=2"),
        ("destination-app-id", "b"),
        ("dapr-api-token", "theirs"),
    ]);
    let token = HeaderValue::from_static("ours");
    let length = to_app(
        &mut headers,
        Some(HeaderValue::from_static("text/plain")),
        Some(&token),
    );
    assert_eq!(length.unwrap(), "3");
    assert_eq!(
        names(&headers),
        [
            "baggage",
            "content-type",
            "dapr-api-token",
            "dapr-grpc-accept-encoding"
        ]
    );
    assert_eq!(headers["content-type"], "text/plain");
    assert_eq!(headers["dapr-api-token"], "ours");
    assert_eq!(headers.get_all("baggage").iter().count(), 1);
    assert_eq!(
        headers.get_all("dapr-grpc-accept-encoding").iter().count(),
        2
    );
}

#[test]
fn without_a_content_type_none_is_invented() {
    let mut headers = map(&[("content-type", "left-over")]);
    to_app(&mut headers, None, None);
    assert!(headers.is_empty());
}

#[test]
fn forwarded_headers_are_appended_and_ipv6_is_quoted() {
    let mut headers = map(&[("x-forwarded-for", "10.0.0.1")]);
    Forwarder::new("fd00::1", "node").append(&mut headers);
    let all: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    assert_eq!(all, ["10.0.0.1", "fd00::1"]);
    assert_eq!(
        headers["forwarded"],
        "for=\"[fd00::1]\";by=\"[fd00::1]\";host=node"
    );
}
