//! Which headers cross, in which order, and which stay on their hop.

use tests::After;

use super::{Stage, To, WAYS};
use crate::table::Table;

/// What is sent; which name is looked at behind the hop; what it must hold.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static [&'static str],
);

const BOTH_WAYS: &[Row] = &[
    (
        "repeated names keep their lines and order",
        &[("X-Multi", "a"), ("x-multi", "b"), ("X-MULTI", "c, d")],
        "x-multi",
        &["a", "b", "c, d"],
    ),
    ("an empty value", &[("X-Empty", "")], "x-empty", &[""]),
    (
        "a name of token characters",
        &[("x!#$%&'*+-.^_`|~1", "v")],
        "x!#$%&'*+-.^_`|~1",
        &["v"],
    ),
    ("an underscore", &[("x_under", "v")], "x_under", &["v"]),
    (
        "UTF-8 in a value",
        &[("X-Utf8", "\u{c3}\u{a9}")],
        "x-utf8",
        &["\u{c3}\u{a9}"],
    ),
    (
        "inner blanks",
        &[("X-Blank", "a  b\tc")],
        "x-blank",
        &["a  b\tc"],
    ),
    (
        "a content type",
        &[("Content-Type", "text/plain; charset=x")],
        "content-type",
        &["text/plain; charset=x"],
    ),
    (
        "a content type without hyphen",
        &[("ContentType", "application/json")],
        "contenttype",
        &["application/json"],
    ),
    (
        "a content encoding",
        &[("Content-Encoding", "gzip")],
        "content-encoding",
        &["gzip"],
    ),
    (
        "cache control",
        &[("Cache-Control", "no-store")],
        "cache-control",
        &["no-store"],
    ),
    ("via", &[("Via", "1.1 x")], "via", &["1.1 x"]),
    (
        "warning",
        &[("Warning", "299 - \"x\"")],
        "warning",
        &["299 - \"x\""],
    ),
    (
        "connection",
        &[("Connection", "keep-alive")],
        "connection",
        &[],
    ),
    (
        "a name that Connection lists",
        &[("Connection", "X-Secret, x-other"), ("X-Secret", "1")],
        "x-secret",
        &[],
    ),
    (
        "the second name that Connection lists",
        &[("Connection", "X-Secret, x-other"), ("X-Other", "1")],
        "x-other",
        &[],
    ),
    (
        "keep-alive",
        &[("Keep-Alive", "timeout=5")],
        "keep-alive",
        &[],
    ),
    (
        "proxy-connection",
        &[("Proxy-Connection", "keep-alive")],
        "proxy-connection",
        &[],
    ),
    ("trailer", &[("Trailer", "X-T")], "trailer", &[]),
    ("upgrade", &[("Upgrade", "foo/2")], "upgrade", &[]),
    (
        "http2-settings",
        &[("HTTP2-Settings", "AA")],
        "http2-settings",
        &[],
    ),
    ("te", &[("TE", "trailers")], "te", &[]),
    (
        "proxy-authenticate",
        &[("Proxy-Authenticate", "Basic")],
        "proxy-authenticate",
        &[],
    ),
    (
        "proxy-authorization",
        &[("Proxy-Authorization", "Basic eDp5")],
        "proxy-authorization",
        &[],
    ),
    (
        "destination-app-id",
        &[("destination-app-id", "x")],
        "destination-app-id",
        &[],
    ),
    ("a binary name", &[("X-Foo-Bin", "AAAA")], "x-foo-bin", &[]),
    ("a gRPC name goes", &[("Grpc-Foo", "1")], "grpc-foo", &[]),
    (
        "a gRPC name returns under another",
        &[("Grpc-Foo", "1")],
        "dapr-grpc-foo",
        &["1"],
    ),
];

const REQUESTS: &[Row] = &[
    (
        "authorization",
        &[("Authorization", "Bearer x")],
        "authorization",
        &["Bearer x"],
    ),
    (
        "basic authorization of somebody",
        &[("Authorization", "Basic dXNlcjpwYXNz")],
        "authorization",
        &["Basic dXNlcjpwYXNz"],
    ),
    (
        "cookie lines",
        &[("Cookie", "a=1"), ("Cookie", "b=2")],
        "cookie",
        &["a=1", "b=2"],
    ),
    (
        "accept",
        &[("Accept", "text/html, */*;q=0.1")],
        "accept",
        &["text/html, */*;q=0.1"],
    ),
    (
        "accept-encoding",
        &[("Accept-Encoding", "br")],
        "accept-encoding",
        &["br"],
    ),
    (
        "no accept-encoding is invented",
        &[],
        "accept-encoding",
        &[],
    ),
    (
        "user-agent",
        &[("User-Agent", "me/1")],
        "user-agent",
        &["me/1"],
    ),
    ("no user-agent is invented", &[], "user-agent", &[]),
    ("no content type is invented", &[], "content-type", &[]),
    ("range", &[("Range", "bytes=0-1")], "range", &["bytes=0-1"]),
    (
        "if-none-match",
        &[("If-None-Match", "\"x\"")],
        "if-none-match",
        &["\"x\""],
    ),
    ("origin", &[("Origin", "http://x")], "origin", &["http://x"]),
    (
        "baggage keeps its first line",
        &[("baggage", "a=1,b=2"), ("baggage", "c=3")],
        "baggage",
        &["a=1,b=2"],
    ),
    ("the target is consumed", &[], "dapr-app-id", &[]),
    (
        "an API token nobody asked for",
        &[("dapr-foo", "t")],
        "dapr-foo",
        &["t"],
    ),
];

const ANSWERS: &[Row] = &[
    (
        "cookies keep their lines and order",
        &[
            ("Set-Cookie", "a=1; Path=/"),
            ("Set-Cookie", "b=2"),
            ("set-cookie", "a=3"),
        ],
        "set-cookie",
        &["a=1; Path=/", "b=2", "a=3"],
    ),
    (
        "the app's date",
        &[("Date", "Mon, 01 Jan 2024 00:00:00 GMT")],
        "date",
        &["Mon, 01 Jan 2024 00:00:00 GMT"],
    ),
    (
        "the app's server",
        &[("Server", "app/1")],
        "server",
        &["app/1"],
    ),
    ("no server is invented", &[], "server", &[]),
    ("no content type is invented", &[], "content-type", &[]),
    (
        "an entity tag",
        &[("ETag", "W/\"x\"")],
        "etag",
        &["W/\"x\""],
    ),
    (
        "authenticate lines",
        &[
            ("WWW-Authenticate", "Basic"),
            ("WWW-Authenticate", "Bearer"),
        ],
        "www-authenticate",
        &["Basic", "Bearer"],
    ),
    ("vary", &[("Vary", "Origin")], "vary", &["Origin"]),
    (
        "the app's trace",
        &[(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )],
        "traceparent",
        &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    ),
];

#[test]
fn request_headers_reach_the_app() {
    let stage = Stage::new();
    let mut table = Table::default();
    for (name, sent, look_at, expected) in BOTH_WAYS.iter().chain(REQUESTS) {
        for way in WAYS {
            table.row(&format!("{name}, {way}"), || {
                stage.forget();
                let request = way.request("GET", "x").headers(sent);
                request.send(stage.caller.http()).expect(200, "ok");
                let seen = stage.app(way).take_one();
                assert_eq!(seen.values(look_at), *expected, "{:?}", seen.headers);
            });
        }
    }
}

#[test]
fn response_headers_reach_the_client() {
    let stage = Stage::new();
    let mut table = Table::default();
    for (name, sent, look_at, expected) in BOTH_WAYS.iter().chain(ANSWERS) {
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n".to_vec();
        for (name, value) in *sent {
            answer.extend(name.bytes().chain(*b": "));
            answer.extend(value.chars().map(|symbol| symbol as u32 as u8));
            answer.extend(*b"\r\n");
        }
        answer.extend(*b"\r\nok");
        stage.script(&answer, After::Keep);
        for way in WAYS {
            table.row(&format!("{name}, {way}"), || {
                let answer = way.request("GET", "x").send(stage.caller.http());
                answer.expect(200, "ok");
                assert_eq!(answer.values(look_at), *expected, "{:?}", answer.headers);
            });
        }
    }
}

#[test]
fn the_app_sees_these_headers_and_no_others() {
    let stage = Stage::new();
    for way in WAYS {
        stage.forget();
        way.request("GET", "x")
            .send(stage.caller.http())
            .expect(200, "ok");
        let app = stage.app(way);
        let seen = app.take_one();
        let mut expected = vec![
            "dapr-callee-app-id",
            "dapr-caller-app-id",
            "dapr-caller-namespace",
            "host",
            "traceparent",
        ];
        if way.to == To::Other {
            expected.extend(["forwarded", "x-forwarded-for", "x-forwarded-host"]);
        }
        expected.sort_unstable();
        assert_eq!(seen.names(), expected, "{way}");
        assert_eq!(
            seen.values("host"),
            [format!("127.0.0.1:{}", app.port())],
            "{way}"
        );
        assert_eq!(seen.values("dapr-caller-app-id"), ["caller"], "{way}");
        assert_eq!(seen.values("dapr-caller-namespace"), ["default"], "{way}");
        assert_eq!(seen.values("dapr-callee-app-id"), [way.target()], "{way}");
    }
}

#[test]
fn forwarded_headers_are_appended_once_and_only_to_peers() {
    let stage = Stage::new();
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let own = format!("for=127.0.0.1;by=127.0.0.1;host={host}");
    let mut table = Table::default();
    for way in WAYS {
        table.row(&way.to_string(), || {
            stage.forget();
            let request = way.request("GET", "x").headers(&[
                ("X-Forwarded-For", "192.0.2.7"),
                ("X-Forwarded-Host", "example.test"),
                ("Forwarded", "for=192.0.2.7"),
            ]);
            request.send(stage.caller.http()).expect(200, "ok");
            let seen = stage.app(way).take_one();
            let remote = way.to == To::Other;
            let lines = |sent: &'static str, added: &'static str| {
                if remote {
                    vec![sent, added]
                } else {
                    vec![sent]
                }
            };
            assert_eq!(
                seen.values("x-forwarded-for"),
                lines("192.0.2.7", "127.0.0.1")
            );
            let hosts = seen.values("x-forwarded-host");
            assert_eq!(hosts[0], "example.test");
            assert_eq!(
                hosts[1..],
                if remote { vec![host.as_str()] } else { vec![] }
            );
            let forwarded = seen.values("forwarded");
            assert_eq!(forwarded[0], "for=192.0.2.7");
            assert_eq!(
                forwarded[1..],
                if remote { vec![own.as_str()] } else { vec![] }
            );
        });
    }
}

#[test]
fn a_value_that_is_not_text_never_breaks_the_call() {
    let stage = Stage::new();
    for way in WAYS {
        stage.forget();
        let request = way
            .request("GET", "x")
            .headers(&[("X-Latin", "caf\u{e9}"), ("X-After", "1")]);
        request.send(stage.caller.http()).expect(200, "ok");
        let seen = stage.app(way).take_one();
        assert_eq!(seen.values("x-after"), ["1"], "{way}");
        // Not UTF-8: it cannot travel between sidecars.
        if way.to == To::Other {
            assert_eq!(seen.header("x-latin"), None, "{way}");
        }
    }
}

#[test]
fn trailers_are_dropped_both_ways() {
    let stage = Stage::new();
    stage.script(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
        After::Keep,
    );
    for way in WAYS {
        stage.forget();
        let request = way
            .request("POST", "x")
            .header("Trailer", "X-Check")
            .chunked(&["in"])
            .trailer("X-Check", "1");
        let answer = request.send(stage.caller.http());
        answer.expect(200, "ok");
        assert_eq!(answer.trailers, [], "{way}");
        assert_eq!(answer.header("x-sum"), None, "{way}");
        assert_eq!(answer.header("trailer"), None, "{way}");
        let seen = stage.app(way).take_one();
        assert_eq!(seen.body, b"in", "{way}");
        assert_eq!(seen.trailers, [], "{way}");
        assert_eq!(seen.header("x-check"), None, "{way}");
        assert_eq!(seen.header("trailer"), None, "{way}");
    }
}

#[test]
fn expect_continue_is_answered_at_the_edge() {
    let stage = Stage::new();
    for way in WAYS {
        stage.forget();
        let mut client = tests::RawClient::connect(stage.caller.http());
        let request = way
            .request("POST", "x")
            .header("Expect", "100-continue")
            .body("in")
            .to_bytes(stage.caller.http());
        let head = request.len() - 2;
        client.send(&request[..head]).unwrap();
        let interim = client.head().unwrap();
        assert_eq!(interim.status(), 100, "{way}");
        client.send(&request[head..]).unwrap();
        client.response("POST").unwrap().expect(200, "ok");
        let seen = stage.app(way).take_one();
        assert_eq!(seen.header("expect"), None, "{way}");
        assert_eq!(seen.body, b"in", "{way}");
    }
}

#[test]
fn answers_of_sloppy_apps_are_read_as_go_reads_them() {
    const BROKEN: &str =
        "net/http: HTTP/1.x transport connection broken: unsupported transfer encoding: \\\"";
    let stage = Stage::new();
    let mut table = Table::default();
    for (name, head, outcome) in [
        (
            "a folded header",
            "X-Folded: a\r\n b\r\nContent-Length: 2",
            Ok("ok"),
        ),
        (
            "a space before the colon",
            "X-Spaced : a\r\nContent-Length: 2",
            Ok("ok"),
        ),
        ("chunks", "Transfer-Encoding: CHUNKED", Ok("k\r\n")),
        (
            "another coding",
            "Transfer-Encoding: gzip, chunked",
            Err("gzip, chunked"),
        ),
        (
            "another coding to the end of the connection",
            "Transfer-Encoding: gzip",
            Err("gzip"),
        ),
    ] {
        let body = if name == "chunks" {
            "3\r\nk\r\n\r\n0\r\n\r\n"
        } else {
            "ok"
        };
        stage.script(
            format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}"),
            After::Close,
        );
        for way in WAYS {
            table.row(&format!("{name}, {way}"), || {
                let answer = way.request("GET", "x").send(stage.caller.http());
                match outcome {
                    Ok(body) => {
                        answer.expect(200, body);
                    }
                    Err(coding) => {
                        assert_eq!(answer.status, 500, "{answer:?}");
                        let broken = format!("{BROKEN}{coding}\\\"");
                        assert!(answer.text().contains(&broken), "{answer:?}");
                    }
                }
            });
        }
    }
}
