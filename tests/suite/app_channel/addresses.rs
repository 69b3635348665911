//! Where the app is, and what it is said to speak.

use serde_json::json;
use tests::{AppTls, Listening, Speaks, WebApp, ports, sidecar};

use super::request;
use crate::fidelity::refusal;
use crate::table::Table;

#[test]
fn an_app_may_listen_on_ipv6() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        for typed in ["::1", "[::1]"] {
            table.row(&format!("{speaks:?} on {typed}"), || {
                let how = Listening {
                    ipv6: true,
                    ..Listening::default()
                };
                let app = WebApp::listening(speaks, how);
                let callee = sidecar("callee")
                    .web_app(&app)
                    .flag("app-channel-address", typed)
                    .run();
                request("GET", "callee", "x")
                    .send(callee.http())
                    .expect(200, "ok");
                let site = format!("[::1]:{}", app.port());
                assert_eq!(app.take_one().host, site);
                let metadata = callee.get("/v1.0/metadata").json();
                assert_eq!(metadata["appConnectionProperties"]["channelAddress"], "::1");
                app.stop();
                let scheme = speaks.protocol().replace("h2c", "http");
                let error = format!(
                    "Get \"{scheme}://{site}/x\": dial tcp {site}: connect: connection refused"
                );
                tests::holds("the app is gone", || {
                    let answer = request("GET", "callee", "x").send(callee.http());
                    answer.body == refusal("callee", &error).as_bytes()
                });
            });
        }
    }
}

#[test]
fn an_app_may_be_named() {
    for speaks in Speaks::ALL {
        let app = WebApp::new(speaks);
        let callee = sidecar("callee")
            .web_app(&app)
            .flag("app-channel-address", "localhost")
            .run();
        request("GET", "callee", "x")
            .send(callee.http())
            .expect(200, "ok");
        assert_eq!(app.take_one().host, format!("localhost:{}", app.port()));
    }
}

#[test]
fn addresses_that_are_none_end_the_start() {
    let mut table = Table::default();
    for typed in [
        "http://127.0.0.1",
        "127.0.0.1:80",
        "a host",
        "[::1",
        "[app]",
        "host/path",
    ] {
        table.row(typed, || {
            let sidecar = sidecar("wrong")
                .app_port(ports::reserve())
                .flag("app-channel-address", typed)
                .start();
            sidecar.wait_for_code(1);
            let line = format!(
                "Fatal error from runtime: invalid value for 'app-channel-address': {typed}; expected an IP address or a host name, without scheme, port or path"
            );
            assert!(sidecar.stdout().contains(&line), "{}", sidecar.stdout());
        });
    }
}

#[test]
fn metadata_names_the_protocol() {
    let mut table = Table::default();
    for (protocol, expected) in [
        ("http", "http"),
        ("https", "https"),
        ("HTTPS", "https"),
        ("h2c", "h2c"),
        ("H2C", "h2c"),
        ("grpc", "grpc"),
        ("grpcs", "grpcs"),
    ] {
        table.row(protocol, || {
            let port = ports::reserve();
            let sidecar = sidecar("described")
                .app_port(port)
                .flag("app-protocol", protocol)
                .start();
            sidecar.wait_until_outbound();
            let metadata = sidecar.get("/v1.0/metadata").json();
            assert_eq!(
                metadata["appConnectionProperties"],
                json!({"port": port, "protocol": expected, "channelAddress": "127.0.0.1"})
            );
        });
    }
}

/// Deprecated, and still what some scripts say.
#[test]
fn app_ssl_adds_tls() {
    let mut table = Table::default();
    for (protocol, becomes) in [
        ("http", "https"),
        ("https", "https"),
        ("grpc", "grpcs"),
        ("h2c", "h2c"),
    ] {
        table.row(protocol, || {
            let speaks = match becomes {
                "h2c" => Speaks::H2c,
                _ => Speaks::Https,
            };
            let app = WebApp::listening(
                speaks,
                Listening {
                    tls: (becomes != "h2c").then_some(AppTls {
                        alpn: &["http/1.1", "h2"],
                        ..AppTls::default()
                    }),
                    ..Listening::default()
                },
            );
            let callee = sidecar("callee")
                .app_port(app.port())
                .flag("app-protocol", protocol)
                .switch("app-ssl")
                .run();
            let metadata = callee.get("/v1.0/metadata").json();
            assert_eq!(metadata["appConnectionProperties"]["protocol"], becomes);
            let warning = "Flag --app-ssl has been deprecated";
            assert!(callee.stderr().contains(warning), "{}", callee.stderr());
            if becomes != "grpcs" {
                request("GET", "callee", "x")
                    .send(callee.http())
                    .expect(200, "ok");
            }
        });
    }
}

/// Any certificate is fine, and so is every version from TLS 1.2 on.
#[test]
fn apps_may_have_any_tls() {
    const BOTH: AppTls = AppTls {
        alpn: &["h2", "http/1.1"],
        old: false,
        expired: false,
    };
    let mut table = Table::default();
    for (name, speaks, tls) in [
        ("both versions of HTTP", Speaks::Https, BOTH),
        ("no ALPN", Speaks::Https, AppTls { alpn: &[], ..BOTH }),
        ("TLS 1.2", Speaks::Https, AppTls { old: true, ..BOTH }),
        (
            "TLS 1.2 without ALPN",
            Speaks::Https,
            AppTls {
                alpn: &[],
                old: true,
                ..BOTH
            },
        ),
        (
            "TLS 1.2 and HTTP/2 only",
            Speaks::HttpsOverHttp2,
            AppTls {
                alpn: &["h2"],
                old: true,
                ..BOTH
            },
        ),
        (
            "expired certificate",
            Speaks::Https,
            AppTls {
                expired: true,
                ..BOTH
            },
        ),
        (
            "expired certificate and HTTP/2 only",
            Speaks::HttpsOverHttp2,
            AppTls {
                alpn: &["h2"],
                expired: true,
                ..BOTH
            },
        ),
    ] {
        table.row(name, || {
            let how = Listening {
                tls: Some(tls),
                ..Listening::default()
            };
            let app = WebApp::listening(speaks, how);
            let callee = sidecar("callee").web_app(&app).run();
            for _ in 0..3 {
                request("POST", "callee", "x")
                    .body("x")
                    .send(callee.http())
                    .expect(200, "ok");
            }
            let version = if speaks.is_http2() {
                "HTTP/2.0"
            } else {
                "HTTP/1.1"
            };
            assert!(app.take().iter().all(|seen| seen.version == version));
        });
    }
}
