use super::*;

fn map(entries: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in entries {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    map
}

/// Names and values, sorted by name; values of one name keep their order.
fn list(map: &HeaderMap) -> Vec<(&str, &str)> {
    let mut list: Vec<_> = map
        .iter()
        .map(|(name, value)| {
            (
                name.as_str(),
                std::str::from_utf8(value.as_bytes()).unwrap(),
            )
        })
        .collect();
    list.sort_by_key(|(name, _)| *name);
    list
}

fn app(entries: &[(&str, &str)], grpc_origin: bool) -> HeaderMap {
    let mut map = map(entries);
    to_grpc_app(&mut map, grpc_origin, None);
    map
}

#[test]
fn an_http_call_as_a_grpc_app_sees_it() {
    // Conformance vector V14.
    let seen = app(
        &[
            ("host", "example.com"),
            ("connection", "keep-alive"),
            ("content-type", "text/plain"),
            ("x-a", "1"),
            ("x-b-bin", "v"),
        ],
        false,
    );
    assert!(!seen.contains_key("host") && !seen.contains_key("connection"));
    assert_eq!(seen.get("dapr-connection").unwrap(), "keep-alive");
    assert_eq!(seen.get("dapr-content-type").unwrap(), "text/plain");
    assert_eq!(seen.get("x-a").unwrap(), "1");
    let raw = binary::decode(seen.get("x-b-bin").unwrap()).unwrap();
    assert_eq!(raw.as_ref(), b"v");
}

#[test]
fn permanent_names_of_http_get_a_prefix_with_all_values() {
    const PERMANENT: [&str; 28] = [
        "accept",
        "accept-charset",
        "accept-language",
        "accept-ranges",
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "cache-control",
        "content-type",
        "content-length",
        "cookie",
        "date",
        "expect",
        "from",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-schedule-tag-match",
        "if-unmodified-since",
        "max-forwards",
        "origin",
        "pragma",
        "referer",
        "via",
        "warning",
    ];
    for name in PERMANENT {
        let seen = app(&[(name, "1"), (name, "2")], false);
        let prefixed = format!("dapr-{name}");
        assert_eq!(
            list(&seen),
            [(prefixed.as_str(), "1"), (prefixed.as_str(), "2")]
        );
    }
}

#[test]
fn other_names_of_http_keep_theirs() {
    for name in [
        "accept-encoding",
        "authorization",
        "content-encoding",
        "if-range",
        "location",
        "server",
        "set-cookie",
        "etag",
        "http2-settings",
        "trailer",
        "proxy-authorization",
        "proxy-authenticate",
        "x-forwarded-for",
        "forwarded",
        "baggage",
        "traceparent",
        "dapr-app-id",
        "dapr-caller-app-id",
        "grpc-custom",
    ] {
        let seen = app(&[(name, "1"), (name, "2")], false);
        assert_eq!(list(&seen), [(name, "1"), (name, "2")]);
    }
}

#[test]
fn a_grpc_call_as_a_grpc_app_sees_it() {
    let seen = app(
        &[
            ("dapr-authority", "host:1"),
            ("dapr-method", "POST"),
            ("content-type", "application/grpc"),
            ("content-length", "5"),
            ("connection", "x-named"),
            ("x-named", "1"),
            ("keep-alive", "1"),
            ("host", "h"),
            ("accept", "text/plain"),
            ("cookie", "a=b"),
            ("baggage", "a=1"),
            ("baggage", "b=2"),
            ("x-b-bin", "AAE="),
            ("x-b-bin", "AAEC"),
            ("x-c-bin", "*"),
            ("dapr-app-id", "me"),
        ],
        true,
    );
    assert_eq!(
        list(&seen),
        [
            ("accept", "text/plain"),
            ("baggage", "a=1"),
            ("baggage", "b=2"),
            ("cookie", "a=b"),
            ("dapr-app-id", "me"),
            ("x-b-bin", "AAE"),
            ("x-b-bin", "AAEC"),
        ]
    );
}

#[test]
fn names_of_the_transport_never_reach_a_grpc_app() {
    for origin in [false, true] {
        for name in [
            "user-agent",
            "te",
            "grpc-message-type",
            "grpc-encoding",
            "grpc-message",
            "grpc-status",
            "grpc-timeout",
            "grpc-accept-encoding",
            "destination-app-id",
        ] {
            assert!(app(&[(name, "1")], origin).is_empty(), "{name}");
        }
    }
}

#[test]
fn what_grpc_cannot_carry_is_left_out() {
    for origin in [false, true] {
        let seen = app(
            &[
                ("x!y", "1"),
                ("x-umlaut", "\u{fc}"),
                ("x-tab", "a\tb"),
                ("x_ok.9", "~ "),
            ],
            origin,
        );
        assert_eq!(list(&seen), [("x_ok.9", "~ ")]);
    }
}

#[test]
fn the_sidecars_own_trace_is_in_wire_form_already() {
    let seen = app(&[("grpc-trace-bin", "AAE"), ("x-bin", "AAE")], false);
    assert_eq!(list(&seen), [("grpc-trace-bin", "AAE"), ("x-bin", "QUFF")]);
    assert!(app(&[("grpc-trace-bin", "junk!")], false).is_empty());
}

#[test]
fn the_app_gets_its_own_token_only() {
    let mut headers = map(&[("dapr-api-token", "client"), ("dapr-api-token", "again")]);
    to_grpc_app(&mut headers, true, Some(&HeaderValue::from_static("app")));
    assert_eq!(list(&headers), [("dapr-api-token", "app")]);
    assert!(app(&[("dapr-api-token", "client")], true).is_empty());
}

#[test]
fn answers_of_grpc_apps_keep_their_origin_and_lose_their_status() {
    let mut headers = map(&[
        ("content-type", "application/grpc+proto"),
        ("grpc-status", "5"),
        ("grpc-message", "no"),
        ("grpc-status-details-bin", "AA"),
        ("grpc-encoding", "gzip"),
        ("grpc-accept-encoding", "gzip"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("content-length", "1"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-b-bin", "AAE"),
    ]);
    from_grpc_app(&mut headers);
    assert_eq!(
        list(&headers),
        [
            ("content-type", "application/grpc+proto"),
            ("grpc-accept-encoding", "gzip"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("x-b-bin", "AAE"),
        ]
    );
}

#[test]
fn answers_for_grpc_clients() {
    let mut http = map(&[
        ("content-type", "text/plain"),
        ("date", "today"),
        ("server", "x"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
        ("x-b-bin", "v"),
        ("destination-app-id", "a"),
    ]);
    to_grpc_client(&mut http, false);
    assert_eq!(
        list(&http),
        [
            ("dapr-content-type", "text/plain"),
            ("dapr-date", "today"),
            ("server", "x"),
            ("set-cookie", "a"),
            ("set-cookie", "b"),
            ("x-b-bin", "dg"),
        ]
    );
    let mut grpc = map(&[
        ("content-type", "application/grpc"),
        ("date", "today"),
        ("grpc-accept-encoding", "identity, deflate, gzip"),
        ("grpc-status-details-bin", "AA"),
        ("x-b-bin", "dg=="),
    ]);
    to_grpc_client(&mut grpc, true);
    assert_eq!(list(&grpc), [("date", "today"), ("x-b-bin", "dg")]);
}

#[test]
fn metadata_of_a_grpc_client_is_what_a_go_server_shows() {
    let mut headers = map(&[
        ("content-type", "application/grpc"),
        ("user-agent", "grpc-go/1"),
        ("grpc-accept-encoding", "gzip"),
        ("dapr-app-id", "b"),
        ("te", "trailers"),
        ("grpc-timeout", "1S"),
        ("grpc-encoding", "gzip"),
        ("grpc-message-type", "x"),
        ("grpc-status", "0"),
        ("grpc-message", "x"),
        ("host", "h"),
        ("content-length", "7"),
        ("dapr-api-token", "secret"),
        ("dapr-caller-app-id", "spoofed"),
        ("dapr-caller-namespace", "spoofed"),
        ("dapr-callee-app-id", "spoofed"),
        ("destination-app-id", "spoofed"),
        ("grpc-trace-bin", "AA"),
        ("x-b-bin", "AAE"),
    ]);
    from_grpc_client(&mut headers);
    assert_eq!(
        list(&headers),
        [
            ("content-type", "application/grpc"),
            ("dapr-app-id", "b"),
            ("grpc-accept-encoding", "gzip"),
            ("grpc-trace-bin", "AA"),
            ("user-agent", "grpc-go/1"),
            ("x-b-bin", "AAE"),
        ]
    );
}

#[test]
fn a_proxied_call_keeps_what_is_end_to_end() {
    let mut headers = map(&[
        ("content-type", "application/grpc+json"),
        ("grpc-encoding", "gzip"),
        ("grpc-accept-encoding", "gzip,br"),
        ("dapr-stream", "true"),
        ("x-b-bin", "AAE="),
        ("x-a", "1"),
        ("x-a", "2"),
        ("dapr-app-id", "b"),
        ("dapr-callee-app-id", "b"),
        ("dapr-caller-app-id", "spoofed"),
        ("dapr-caller-namespace", "spoofed"),
        ("dapr-api-token", "secret"),
        ("te", "trailers"),
        ("user-agent", "x"),
        ("grpc-timeout", "1S"),
        ("content-length", "7"),
        ("host", "h"),
        ("proxy-connection", "x"),
    ]);
    proxied(&mut headers);
    assert_eq!(
        list(&headers),
        [
            ("content-type", "application/grpc+json"),
            ("dapr-stream", "true"),
            ("grpc-accept-encoding", "gzip,br"),
            ("grpc-encoding", "gzip"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("x-b-bin", "AAE="),
        ]
    );
}
