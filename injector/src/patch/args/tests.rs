//! The order of the command line, and every flag's annotation.

use api::flags::{Kind, TABLE};
use serde_json::{Map, Value, json};

use super::args;
use crate::annotations::Annotations;
use crate::patch::{Context, Current};
use crate::pod::Pod;
use crate::settings::{Settings, Sidecar};

fn sidecar() -> Sidecar {
    let lookup = |name: &str| (name == "SIDECAR_IMAGE").then(|| "daprd".to_owned());
    let settings = Settings::from_lookup(lookup, "dapr-system".to_owned(), true, true, "");
    settings.unwrap().sidecar
}

fn args_of(given: &Value, settings: &Sidecar, mtls: bool) -> Vec<String> {
    let pod = json!({"metadata": {"annotations": given}});
    let pod = Pod::new(&pod).unwrap();
    let mut annotations = Annotations::new(pod.annotations);
    let context = Context {
        pod,
        app_id: "cart",
        namespace: "default",
        settings,
        current: Current { anchors: "", mtls },
        native: true,
    };
    args(&context, &mut annotations)
}

/// Between the part that is always there and the end.
fn middle(given: &Value) -> String {
    let mut bare = sidecar();
    bare.placement = None;
    bare.scheduler = None;
    let words = args_of(given, &bare, false);
    words[24..].join(" ")
}

#[test]
fn without_annotations() {
    let expected = "--dapr-http-port 3500 --dapr-grpc-port 50001 --dapr-internal-grpc-port 50002 \
        --dapr-listen-addresses [::1],127.0.0.1 --dapr-public-port 3501 --app-id cart \
        --app-protocol http --log-level info --dapr-graceful-shutdown-seconds -1 --mode kubernetes \
        --control-plane-address dapr-api.dapr-system.svc.cluster.local:443 \
        --sentry-address dapr-sentry.dapr-system.svc.cluster.local:443 \
        --enable-metrics --metrics-port 9090 \
        --placement-host-address dapr-placement-server.dapr-system.svc.cluster.local:50005 \
        --enable-mtls \
        --scheduler-host-address dapr-scheduler-server-a.dapr-system.svc.cluster.local:443";
    assert_eq!(args_of(&json!({}), &sidecar(), true).join(" "), expected);
}

#[test]
fn settings_of_real_images() {
    let mut settings = sidecar();
    settings.placement = None;
    settings.scheduler = None;
    settings.actors_service = Some("a:b:1".to_owned());
    settings.reminders_service = Some("r:s:2".to_owned());
    let words = args_of(
        &json!({"dapr.io/enable-metrics": "false"}),
        &settings,
        false,
    );
    assert_eq!(
        words[24..],
        ["--actors-service", "a:b:1", "--reminders-service", "r:s:2"]
    );
    // An address of the pod comes first.
    let words = args_of(
        &json!({"dapr.io/placement-host-address": "'p:1'"}),
        &settings,
        false,
    );
    assert_eq!(words[27..29], ["--placement-host-address", "p:1"]);
}

#[test]
fn an_address_without_content_is_none() {
    for empty in ["", "''", "\"\"", " ", "'\"\"'"] {
        let given = json!({
            "dapr.io/placement-host-address": empty,
            "dapr.io/scheduler-host-address": empty,
            "dapr.io/enable-metrics": "no",
        });
        let words = args_of(&given, &sidecar(), false);
        assert_eq!(words[24..], ["--scheduler-host-address", ""], "{empty:?}");
    }
}

#[test]
fn one_annotation_at_a_time() {
    for (name, value, expected) in [
        (
            "app-port",
            "80",
            "--app-port 80 --enable-metrics --metrics-port 9090",
        ),
        ("app-port", "0", "--enable-metrics --metrics-port 9090"),
        ("app-port", "-1", "--enable-metrics --metrics-port 9090"),
        (
            "app-port",
            "70000",
            "--app-port 70000 --enable-metrics --metrics-port 9090",
        ),
        (
            "app-port",
            "4294967301",
            "--enable-metrics --metrics-port 9090",
        ),
        (
            "metrics-port",
            "9 0",
            "--enable-metrics --metrics-port 9090",
        ),
        ("config", "", "--enable-metrics --metrics-port 9090"),
        (
            "enable-api-logging",
            "",
            "--enable-metrics --metrics-port 9090 --enable-api-logging=false",
        ),
        (
            "enable-api-logging",
            "yes",
            "--enable-metrics --metrics-port 9090 --enable-api-logging=true",
        ),
        ("log-as-json", "no", "--enable-metrics --metrics-port 9090"),
        (
            "app-max-concurrency",
            "many",
            "--enable-metrics --metrics-port 9090",
        ),
        (
            "app-binding-options-timeout",
            "30s",
            "--enable-metrics --metrics-port 9090 --app-binding-options-timeout 30s",
        ),
        (
            "block-shutdown-duration",
            "",
            "--enable-metrics --metrics-port 9090 --dapr-block-shutdown-duration ",
        ),
        (
            "unix-domain-socket-path",
            "/tmp",
            "--enable-metrics --metrics-port 9090 --unix-domain-socket /var/run/dapr-sockets",
        ),
        (
            "app-health-check-path",
            "/ready",
            "--enable-metrics --metrics-port 9090",
        ),
        (
            "enable-app-health-check",
            "true",
            "--enable-metrics --metrics-port 9090 --enable-app-health-check --app-health-check-path /healthz \
             --app-health-probe-interval 5 --app-health-probe-timeout 500 --app-health-threshold 3",
        ),
    ] {
        let given = json!({format!("dapr.io/{name}"): value});
        assert_eq!(middle(&given), expected, "{name}: {value}");
    }
    let words = args_of(
        &json!({"dapr.io/log-level": "", "dapr.io/app-protocol": "GRPC"}),
        &sidecar(),
        false,
    );
    assert_eq!(words[12..16], ["--app-protocol", "GRPC", "--log-level", ""]);
}

/// One row in the table of flags is all it takes for a new annotation.
#[test]
fn every_annotation_of_a_flag_is_passed_on() {
    let mut given = Map::new();
    for row in TABLE {
        if let Some(annotation) = row.annotation {
            let value = match row.kind {
                Kind::Bool => "true",
                Kind::Int | Kind::Uint | Kind::Text | Kind::List | Kind::Duration => "7",
            };
            given.insert(annotation.to_owned(), json!(value));
        }
    }
    let words = args_of(&Value::Object(given), &sidecar(), false);
    for row in TABLE.iter().filter(|row| row.annotation.is_some()) {
        let flag = format!("--{}", row.name);
        let inline = format!("{flag}=");
        let found = words
            .iter()
            .filter(|word| **word == flag || word.starts_with(&inline));
        assert_eq!(found.count(), 1, "{flag} in {words:?}");
    }
}
