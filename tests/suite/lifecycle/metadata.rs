//! What a sidecar tells about itself: metadata, metrics, the public port.

use serde_json::json;
use tests::{RawApp, Request, ports, sidecar};

use crate::fidelity::error_body;
use crate::table::Table;

#[test]
fn metadata_is_the_documented_object() {
    let app = RawApp::scripted();
    let sidecar = sidecar("described")
        .app(&app)
        .flag("app-max-concurrency", "7")
        .run();
    let answer = sidecar.get("/v1.0/metadata");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.text().ends_with("}\n"), "{}", answer.text());
    let mut json = answer.json();
    let object = json.as_object_mut().unwrap();
    // Features come and go with releases.
    object.remove("enabledFeatures");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        json,
        json!({
            "id": "described",
            "runtimeVersion": version,
            "extended": {"daprRuntimeVersion": version},
            "appConnectionProperties": {
                "port": app.port(),
                "protocol": "http",
                "channelAddress": "127.0.0.1",
                "maxConcurrency": 7,
            },
            "actorRuntime": {
                "runtimeStatus": "DISABLED",
                "hostReady": false,
                "placement": "placement: disconnected",
            },
        })
    );
}

#[test]
fn metadata_without_an_app_still_names_the_protocol() {
    let sidecar = sidecar("bare").run();
    let json = sidecar.get("/v1.0/metadata").json();
    let connection = json["appConnectionProperties"].as_object().unwrap();
    assert_eq!(connection.get("protocol"), Some(&json!("http")));
    assert_eq!(connection.get("port"), None);
}

#[test]
fn metadata_shows_the_health_check() {
    let app = RawApp::scripted();
    let sidecar = sidecar("probed")
        .app(&app)
        .switch("enable-app-health-check")
        .flag("app-health-check-path", "/up")
        .run();
    assert_eq!(
        sidecar.get("/v1.0/metadata").json()["appConnectionProperties"]["health"],
        json!({
            "healthCheckPath": "/up",
            "healthProbeInterval": "5s",
            "healthProbeTimeout": "500ms",
            "healthThreshold": 3,
        })
    );
}

#[test]
fn metadata_can_be_extended() {
    let sidecar = sidecar("extended").run();
    let put = |key: &str, value: &str| {
        let request = Request::new("PUT", &format!("/v1.0/metadata/{key}")).body(value);
        sidecar.send(&request)
    };
    put("cliPID", "1234").expect(204, "");
    put("appCommand", "python3 app.py \"x\" \u{e9}").expect(204, "");
    put("with+blank", "1").expect(204, "");
    put("cliPID", "5678").expect(204, "");
    let extended = sidecar.get("/v1.0/metadata").json()["extended"].clone();
    assert_eq!(
        extended,
        json!({
            "daprRuntimeVersion": env!("CARGO_PKG_VERSION"),
            "cliPID": "5678",
            "appCommand": "python3 app.py \"x\" \u{e9}",
            "with blank": "1",
        })
    );
    let answer = put("big", &"x".repeat((4 << 20) + 1));
    answer.expect(
        400,
        &error_body(
            "ERR_BODY_READ",
            "failed to read request body: stream too large",
        ),
    );
}

#[test]
fn every_path_of_the_metrics_port_serves_metrics() {
    let app = RawApp::scripted();
    let sidecar = sidecar("measured").app(&app).run();
    sidecar.invoke("measured", "x").expect(200, "ok");
    for path in ["/", "/metrics", "/any/thing"] {
        let answer = Request::get(path).send(sidecar.metrics());
        assert_eq!(answer.status, 200, "{path}");
        let kind = answer.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/plain"), "{kind}");
        let text = answer.text();
        for name in [
            "process_resident_memory_bytes",
            "process_cpu_seconds_total",
            "process_open_fds",
        ] {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{name} ")))
                .unwrap_or_else(|| panic!("{name} is missing in\n{text}"));
            let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(value >= 0.0, "{line}");
        }
    }
}

#[test]
fn metrics_can_be_switched_off() {
    let sidecar = sidecar("unmeasured").switch("enable-metrics=false").run();
    assert!(tests::RawClient::try_connect(sidecar.metrics()).is_err());
}

#[test]
fn the_public_port_serves_health_and_metadata_only() {
    let app = RawApp::scripted();
    let port = ports::reserve();
    let sidecar = sidecar("public")
        .app(&app)
        .flag("dapr-public-port", &port.to_string())
        .flag("dapr-public-listen-address", "127.0.0.1")
        .env("DAPR_API_TOKEN", "secret")
        .run();
    let send = |request: Request| request.send(port);
    send(Request::get("/v1.0/healthz")).expect(204, "");
    send(Request::get("/v1.0/healthz/outbound")).expect(204, "");
    assert_eq!(send(Request::get("/v1.0/metadata")).json()["id"], "public");
    send(Request::new("PUT", "/v1.0/metadata/k").body("v")).expect(204, "");
    let mut table = Table::default();
    for path in [
        "/v1.0/invoke/public/method/x",
        "/x",
        "/v1.0/shutdown",
        "/v1.0/state/s",
    ] {
        table.row(path, || {
            let answer = send(Request::get(path).header("dapr-app-id", "public"));
            answer.expect(404, "404 page not found\n");
            assert_eq!(
                answer.header("content-type"),
                Some("text/plain; charset=utf-8")
            );
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        });
    }
    table.row("wrong method", || {
        let answer = send(Request::post("/v1.0/healthz", "x"));
        answer.expect(405, "");
        assert!(answer.header("allow").is_some());
    });
    assert_eq!(app.take().len(), 0);
    assert!(sidecar.exited().is_none());
}
