//! API and app tokens: asked for everywhere but at the health checks, and
//! never carried further than their hop.

use tests::{FakePeer, Mesh, RawApp, Reply, Request, invoke_path, sidecar};

use crate::names::insert;
use crate::table::Table;

const TOKEN: &str = "s3cret";

#[test]
fn every_route_but_health_asks_for_the_token() {
    let app = RawApp::scripted();
    let sidecar = sidecar("guarded")
        .app(&app)
        .env("DAPR_API_TOKEN", TOKEN)
        .run();
    let invoke = invoke_path("guarded", "x");
    let mut table = Table::default();
    // The status each route has with the right token.
    for (method, path, status) in [
        ("GET", invoke.as_str(), 200),
        ("POST", invoke.as_str(), 200),
        ("OPTIONS", invoke.as_str(), 200),
        ("GET", "/anything", 200),
        ("GET", "/v1.0/metadata", 200),
        ("PUT", "/v1.0/metadata/key", 204),
        ("GET", "/v1.0/state/store/key", 501),
        ("POST", "/v1.0/healthz", 200),
        ("HEAD", "/v1.0/healthz", 200),
        ("GET", "/v1.0/healthz/other", 200),
        ("GET", "/healthz", 200),
        ("GET", "/v1.0/invoke/guarded/method/v1.0/healthz", 200),
        ("GET", "/x/../v1.0/metadata", 200),
    ] {
        let request = Request::new(method, path);
        let request = if path.starts_with("/v1.0/invoke/") || status != 200 {
            request
        } else {
            request.header("dapr-app-id", "guarded")
        };
        for (kind, token) in [
            ("none", None),
            ("wrong", Some("wrong")),
            ("empty", Some("")),
            ("longer", Some("s3cret!")),
            ("other case", Some("S3CRET")),
            ("as bearer", Some("Bearer s3cret")),
        ] {
            table.row(&format!("{method} {path}, token: {kind}"), || {
                let request = token.into_iter().fold(request.clone(), |request, token| {
                    request.header("dapr-api-token", token)
                });
                let answer = sidecar.send(&request);
                let body = if method == "HEAD" {
                    ""
                } else {
                    "invalid api token\n"
                };
                answer.expect(401, body);
                assert_eq!(
                    answer.header("content-type"),
                    Some("text/plain; charset=utf-8")
                );
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
                assert_eq!(app.take().len(), 0);
            });
        }
        table.row(&format!("{method} {path}, right token"), || {
            let answer = sidecar.send(&request.clone().header("dapr-api-token", TOKEN));
            assert_eq!(answer.status, status, "{answer:?}");
            for seen in app.take() {
                assert_eq!(seen.header("dapr-api-token"), None);
            }
        });
    }
    for path in [
        "/v1.0/healthz",
        "/v1.0/healthz/outbound",
        "/v1.0/healthz/",
        "/v1.0/healthz?appid=guarded",
    ] {
        table.row(path, || {
            sidecar.get(path).expect(204, "");
        });
    }
    table.row("shutdown", || {
        let shutdown = Request::new("POST", "/v1.0/shutdown");
        sidecar.send(&shutdown).expect(401, "invalid api token\n");
        sidecar.get("/v1.0/healthz").expect(204, "");
        sidecar
            .send(&shutdown.header("dapr-api-token", TOKEN))
            .expect(204, "");
        sidecar.wait_for_code(0);
    });
}

#[test]
fn without_a_token_nobody_is_asked() {
    let app = RawApp::scripted();
    let sidecar = sidecar("open").app(&app).env("DAPR_API_TOKEN", "").run();
    let request = Request::get(&invoke_path("open", "x"));
    sidecar.send(&request).expect(200, "ok");
    sidecar
        .send(&request.header("dapr-api-token", "any"))
        .expect(200, "ok");
}

#[test]
fn the_app_token_goes_to_the_own_app_only() {
    let mut table = Table::default();
    for caller_token in [None, Some("caller-token")] {
        for callee_token in [None, Some("callee-token")] {
            let mesh = Mesh::mtls();
            let (own, other) = (RawApp::scripted(), RawApp::scripted());
            let start = |id, app: &RawApp, token: Option<&str>| {
                let builder = mesh.sidecar(id).app(app);
                token
                    .into_iter()
                    .fold(builder, |builder, token| {
                        builder.env("APP_API_TOKEN", token)
                    })
                    .run()
            };
            let caller = start("caller", &own, caller_token);
            let _callee = start("callee", &other, callee_token);
            for (target, app, expected) in [
                ("caller", &own, caller_token),
                ("callee", &other, callee_token),
            ] {
                table.row(
                    &format!("{caller_token:?}, {callee_token:?}, to {target}"),
                    || {
                        caller.invoke(target, "x").expect(200, "ok");
                        let seen = app.take_one();
                        assert_eq!(
                            seen.values("dapr-api-token"),
                            expected.into_iter().collect::<Vec<_>>()
                        );
                        // A client's own value is replaced, never added to.
                        let request = Request::get(&invoke_path(target, "x"))
                            .header("dapr-api-token", "from client");
                        caller.send(&request).expect(200, "ok");
                        let seen = app.take_one();
                        assert!(
                            seen.values("dapr-api-token").len() <= 1,
                            "{:?}",
                            seen.headers
                        );
                        if let Some(token) = expected {
                            assert_eq!(seen.header("dapr-api-token"), Some(token));
                        }
                    },
                );
            }
        }
    }
}

#[test]
fn no_token_and_no_target_travels_to_a_peer() {
    let mesh = Mesh::mtls();
    let caller = mesh
        .sidecar("caller")
        .env("DAPR_API_TOKEN", TOKEN)
        .env("APP_API_TOKEN", "app-token")
        .run();
    let peer = FakePeer::tls(&mesh.ca().app("callee"), |_| Reply::status(13, "enough"));
    let address = format!("127.0.0.1:{}", peer.port());
    insert(&mesh.names().open(), "callee", &address, "");
    let request =
        Request::get("/x").headers(&[("dapr-app-id", "callee"), ("dapr-api-token", TOKEN)]);
    assert_eq!(caller.send(&request).status, 500);
    let calls = peer.calls();
    let request = calls[0].first().request.unwrap();
    let keys: Vec<_> = request
        .metadata
        .keys()
        .map(|key| key.to_ascii_lowercase())
        .collect();
    for secret in ["dapr-api-token", "dapr-app-id"] {
        assert!(!keys.contains(&secret.to_owned()), "{secret} in {keys:?}");
        assert!(
            !calls[0].headers.contains_key(secret),
            "{:?}",
            calls[0].headers
        );
    }
    let text = format!("{request:?}{:?}", calls[0].headers);
    assert!(
        !text.contains(TOKEN) && !text.contains("app-token"),
        "{text}"
    );
}
