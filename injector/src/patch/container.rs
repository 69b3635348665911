//! The container of the sidecar.

use api::ports;
use serde_json::{Map, Value, json};

use super::{Context, args, env, resources, volumes};
use crate::annotations::{self as names, Annotations};
use crate::pod::{SIDECAR, item_text};

const PROGRAM: &str = "/daprd";
/// A variable that only Windows containers set.
const CERTIFICATE_DIRECTORY: &str = "SSL_CERT_DIR";
/// Seconds a native sidecar may take until it can serve its app. The control
/// plane may be away when a pod starts; restarting daprd would not bring it
/// back.
const STARTUP_PATIENCE: u32 = 3600;

pub(super) fn build(context: &Context<'_>, annotations: &mut Annotations<'_>) -> Value {
    let settings = context.settings;
    let image = annotations
        .text(names::SIDECAR_IMAGE)
        .unwrap_or(&settings.image);
    let env = env::env(context, annotations);
    let mut container = Map::new();
    let mut set = |key: &str, value: Value| container.insert(key.to_owned(), value);
    set("name", json!(SIDECAR));
    set("image", json!(image));
    set("imagePullPolicy", json!(settings.pull_policy));
    let (command, args) = command(context, annotations);
    if let Some(command) = command {
        set("command", json!([command]));
    }
    set("args", json!(args));
    set("ports", Value::Array(ports(annotations)));
    if let Some(resources) = resources::resources(annotations) {
        set("resources", resources);
    }
    set("readinessProbe", readiness(annotations));
    set("livenessProbe", liveness(annotations));
    set(
        "securityContext",
        security_context(context, annotations, &env),
    );
    set("env", Value::Array(env));
    let mounts = volumes::mounts(context, annotations);
    if !mounts.is_empty() {
        set("volumeMounts", Value::Array(mounts));
    }
    if context.native {
        set("restartPolicy", json!("Always"));
        // Differs from Dapr: apps start once their sidecar serves them. Not the
        // readiness path, which waits for the app.
        set(
            "startupProbe",
            json!({
                "httpGet": {"path": "/v1.0/healthz/outbound", "port": ports::DAPR_PUBLIC},
                "periodSeconds": 1,
                "failureThreshold": STARTUP_PATIENCE,
            }),
        );
        // Runs when the pod begins to end, long before the sidecar is told to
        // stop: peers leave while the app can still answer them. Only our own
        // program knows the flag.
        if annotations.text(names::SIDECAR_IMAGE).is_none() {
            set(
                "lifecycle",
                json!({"preStop": {"exec": {"command": [PROGRAM, "--terminating"]}}}),
            );
        }
    }
    Value::Object(container)
}

/// Command and arguments. The program is the first argument and the command
/// is left to the image, unless the pod is meant for a virtual node.
fn command(
    context: &Context<'_>,
    annotations: &mut Annotations<'_>,
) -> (Option<&'static str>, Vec<String>) {
    let mut words = args::args(context, annotations);
    let mut program = PROGRAM;
    if annotations.on(names::ENABLE_DEBUG, false) {
        program = "/dlv";
        let listen = format!(":{}", debug_port(annotations));
        let debugger = [
            "--listen",
            &listen,
            "--accept-multiclient",
            "--headless=true",
            "--log",
            "--api-version=2",
            "exec",
            PROGRAM,
            "--",
        ];
        words.splice(0..0, debugger.map(str::to_owned));
    }
    let tolerations = context.pod.tolerations.unwrap_or_default();
    let ignored = &context.settings.ignore_entrypoint;
    if tolerations
        .iter()
        .any(|given| ignored.iter().any(|ours| ours.equals(given)))
    {
        return (Some(program), words);
    }
    words.insert(0, program.to_owned());
    (None, words)
}

fn debug_port(annotations: &mut Annotations<'_>) -> i32 {
    annotations.int(names::DEBUG_PORT).unwrap_or(40000)
}

fn ports(annotations: &mut Annotations<'_>) -> Vec<Value> {
    let port = |name, number: i32| json!({"name": name, "containerPort": number});
    let mut of_flag = |name, flag, default: u16| {
        let number = annotations.int(names::of_flag(flag));
        port(name, number.unwrap_or_else(|| default.into()))
    };
    let mut ports = vec![
        port("dapr-http", ports::DAPR_HTTP.into()),
        of_flag("dapr-grpc", "dapr-grpc-port", ports::DAPR_GRPC),
        of_flag(
            "dapr-internal",
            "dapr-internal-grpc-port",
            ports::DAPR_INTERNAL_GRPC,
        ),
        of_flag("dapr-metrics", "metrics-port", ports::METRICS),
    ];
    if annotations.on(names::ENABLE_DEBUG, false) {
        ports.push(port("dapr-debug", debug_port(annotations)));
    }
    ports
}

fn readiness(annotations: &mut Annotations<'_>) -> Value {
    probe(
        annotations,
        names::READINESS,
        (
            "httpGet",
            json!({"path": "/v1.0/healthz", "port": ports::DAPR_PUBLIC}),
        ),
        [1, 1, 1, 5],
    )
}

/// Asks only whether somebody listens: a sidecar that waits for its app or for
/// the control plane must not be restarted.
fn liveness(annotations: &mut Annotations<'_>) -> Value {
    probe(
        annotations,
        names::LIVENESS,
        ("tcpSocket", json!({"port": ports::DAPR_PUBLIC})),
        [180, 3, 10, 5],
    )
}

fn probe(
    annotations: &mut Annotations<'_>,
    prefix: &str,
    (kind, how): (&str, Value),
    defaults: [i32; 4],
) -> Value {
    let mut probe = Map::new();
    probe.insert(kind.to_owned(), how);
    let rows = [
        ("delay-seconds", "initialDelaySeconds"),
        ("timeout-seconds", "timeoutSeconds"),
        ("period-seconds", "periodSeconds"),
        ("threshold", "failureThreshold"),
    ];
    for ((annotation, key), default) in rows.into_iter().zip(defaults) {
        let number = annotations.int(&format!("{prefix}{annotation}"));
        probe.insert(key.to_owned(), json!(number.unwrap_or(default)));
    }
    Value::Object(probe)
}

fn security_context(context: &Context<'_>, annotations: &Annotations<'_>, env: &[Value]) -> Value {
    let settings = context.settings;
    let windows = env
        .iter()
        .any(|variable| item_text(variable, "name") == CERTIFICATE_DIRECTORY);
    let mut security = Map::new();
    let mut set = |key: &str, value: Value| security.insert(key.to_owned(), value);
    set("allowPrivilegeEscalation", json!(false));
    set("runAsNonRoot", json!(settings.run_as_non_root && !windows));
    set(
        "readOnlyRootFilesystem",
        json!(settings.read_only_root && !windows),
    );
    if windows {
        set(
            "windowsOptions",
            json!({"runAsUserName": "ContainerAdministrator"}),
        );
    } else {
        for (key, id) in [
            ("runAsUser", settings.run_as_user),
            ("runAsGroup", settings.run_as_group),
        ] {
            if let Some(id) = id {
                set(key, json!(id));
            }
        }
    }
    // Differs from Dapr, which leaves both out: without them a namespace that
    // enforces the restricted Pod Security Standard refuses the pod.
    match annotations
        .text(names::SECCOMP_PROFILE)
        .unwrap_or("RuntimeDefault")
    {
        "" => {}
        profile => drop(set("seccompProfile", json!({"type": profile}))),
    }
    if settings.drop_all {
        set("capabilities", json!({"drop": ["ALL"]}));
    }
    Value::Object(security)
}
