//! The operator on a real API server: with the grants of the chart and no
//! more, and an identity from a real sentry.

mod api;
mod election;
mod services;
mod start;
mod streams;

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::ports::reserve;
use tests::{Bare, Ca, PeerClient, Process, Request, Svid, binaries, eventually, holds};

/// A control plane as the chart prepares it, with its sentry, and a namespace
/// for apps that only its operator looks after.
struct Home {
    bare: &'static Bare,
    /// Of the control plane.
    namespace: String,
    /// Of the apps.
    apps: String,
    ca: Ca,
    _sentry: Process,
    folder: TempDir,
}

/// A replica.
struct Operator {
    process: Process,
    port: u16,
    health: u16,
    metrics: u16,
}

// === impl Home ===

impl Home {
    fn new(prefix: &str) -> Self {
        let bare = Bare::shared();
        let namespace = bare.namespace(prefix);
        let apps = bare.namespace(&format!("{prefix}-apps"));
        let ca = Ca::new();
        grant(bare, &namespace);
        publish(bare, &namespace, &ca);
        let sentry_port = reserve();
        let home = Self {
            _sentry: Process::spawn("sentry", sentry(bare, &namespace, sentry_port)),
            bare,
            apps,
            ca,
            folder: TempDir::new().expect("a temporary directory"),
            namespace,
        };
        home.configure(&json!({
            "enabled": true,
            "controlPlaneTrustDomain": "localhost",
            "sentryAddress": format!("127.0.0.1:{sentry_port}"),
        }));
        home.apply(&json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "operator", "namespace": home.namespace,
                "annotations": { "dapr.io/control-plane": "operator" },
            },
            "spec": {
                "serviceAccountName": "dapr-operator",
                "containers": [{ "name": "operator", "image": "operator:1" }],
            },
        }));
        home
    }

    /// `spec.mtls` of the control plane's Configuration.
    fn configure(&self, mtls: &Value) {
        self.apply(&json!({
            "apiVersion": "dapr.io/v1alpha1", "kind": "Configuration",
            "metadata": { "name": "daprsystem", "namespace": self.namespace },
            "spec": { "mtls": mtls },
        }));
    }

    fn command(&self, flags: &[&str]) -> Command {
        let program = binaries::operator();
        let mut command = self
            .bare
            .program(&program, &self.namespace, "dapr-operator");
        command
            .env("DAPR_SENTRY_TOKEN_FILE", self.token())
            .arg("--trust-anchors-file")
            .arg(self.ca.directory().join("ca.crt"))
            .args(["--watch-namespace", &self.apps])
            .args(["--listen-address", "127.0.0.1"])
            .args(["--healthz-listen-address", "127.0.0.1"])
            .args(["--metrics-listen-address", "127.0.0.1"])
            .args(flags);
        command
    }

    fn token(&self) -> PathBuf {
        let audience = "dapr.io/sentry";
        let token =
            self.bare
                .api()
                .token(&self.namespace, "dapr-operator", audience, Some("operator"));
        let file = self.folder.path().join("token");
        std::fs::write(&file, token).expect("the directory is ours");
        file
    }

    /// A replica; not yet ready.
    fn start(&self, flags: &[&str]) -> Operator {
        let (port, health, metrics) = (reserve(), reserve(), reserve());
        let mut command = self.command(flags);
        command
            .args(["--port", &port.to_string()])
            .args(["--healthz-port", &health.to_string()])
            .args(["--metrics-port", &metrics.to_string()]);
        Operator {
            process: Process::spawn("operator", command),
            port,
            health,
            metrics,
        }
    }

    /// A replica that is ready.
    #[track_caller]
    fn operator(&self) -> Operator {
        self.start(&[]).ready()
    }

    #[track_caller]
    fn apply(&self, object: &Value) {
        self.bare.api().apply(&object.to_string());
    }

    /// An SVID of an app in the apps' namespace.
    fn app(&self, app_id: &str) -> Svid {
        let id = format!("spiffe://public/ns/{}/{app_id}", self.apps);
        self.ca.svid(&id).issue()
    }

    /// A Deployment whose pods are labelled `app: <name>`.
    #[track_caller]
    fn deployment(&self, name: &str, annotations: &Value) {
        self.workload("Deployment", name, annotations);
    }

    #[track_caller]
    fn workload(&self, kind: &str, name: &str, annotations: &Value) {
        let labels = json!({ "app": name });
        self.apply(&json!({
            "apiVersion": "apps/v1", "kind": kind,
            "metadata": { "name": name, "namespace": self.apps },
            "spec": {
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels, "annotations": annotations },
                    "spec": { "containers": [{ "name": "app", "image": "app:1" }] },
                },
            },
        }));
    }

    fn path(&self, kind: &str, name: &str) -> String {
        let group = match kind {
            "deployments" | "statefulsets" => "/apis/apps/v1",
            "services" | "events" => "/api/v1",
            _ => "/apis/dapr.io/v1alpha1",
        };
        let path = format!("{group}/namespaces/{}/{kind}/{name}", self.apps);
        path.trim_end_matches('/').to_owned()
    }

    fn service(&self, name: &str) -> Option<Value> {
        self.bare.api().get(&self.path("services", name))
    }

    #[track_caller]
    fn wait_for_service(&self, name: &str) -> Value {
        eventually(&format!("Service {name} exists"), || self.service(name))
    }

    /// An object of ours in the apps' namespace.
    #[track_caller]
    fn resource(&self, kind: &str, name: &str, rest: &Value) {
        let mut object = json!({
            "apiVersion": "dapr.io/v1alpha1", "kind": kind,
            "metadata": { "name": name, "namespace": self.apps },
        });
        for (key, value) in rest.as_object().expect("fields") {
            object[key] = value.clone();
        }
        self.apply(&object);
    }
}

// === impl Operator ===

impl Operator {
    #[track_caller]
    fn ready(self) -> Self {
        holds("the operator is ready", || {
            let process = &self.process;
            let output = process.stdout();
            assert!(process.exited().is_none(), "the operator ended: {output}");
            let answer = Request::get("/healthz").try_send(self.health);
            answer.is_ok_and(|answer| answer.status == 200)
        });
        self
    }

    /// A connection with the certificate of an app.
    #[track_caller]
    fn connect(&self, svid: &Svid) -> PeerClient {
        PeerClient::tls(self.port, Some(svid)).expect("the operator lets apps in")
    }

    /// How often Services of an app were `created`, `updated` or `deleted`.
    #[track_caller]
    fn count(&self, what: &str, app_id: &str) -> u64 {
        let text = Request::get("/metrics").send(self.metrics).text();
        let series = format!("dapr_operator_service_{what}_total{{app_id=\"{app_id}\"}} ");
        text.lines()
            .find_map(|line| line.strip_prefix(&series))
            .map_or(0, |count| count.parse().expect("a number"))
    }
}

/// The path of a method.
fn method(name: &str) -> String {
    format!("/dapr.proto.operator.v1.Operator/{name}")
}

/// What the chart gives to operator and sentry, for a namespace of this test.
fn grant(bare: &Bare, namespace: &str) {
    let manifest = binaries::checkout().join("manifests/dapr.yaml");
    let manifest = manifest.display().to_string();
    let rendered = bare
        .api()
        .must(&["create", "--dry-run=client", "-o", "json", "-f", &manifest]);
    let mut documents = Vec::new();
    for document in serde_json::Deserializer::from_str(&rendered).into_iter::<Value>() {
        let mut object = document.expect("kubectl writes JSON");
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let ours = ["operator", "sentry"]
            .iter()
            .any(|part| name.contains(part));
        let granted = kind.contains("Role") || kind == "ServiceAccount";
        if !ours || !granted {
            continue;
        }
        // Cluster roles of several tests live side by side.
        if kind.starts_with("Cluster") {
            object["metadata"]["name"] = json!(format!("{name}-{namespace}"));
        } else {
            object["metadata"]["namespace"] = json!(namespace);
        }
        if object["roleRef"]["kind"] == "ClusterRole" {
            let role = object["roleRef"]["name"].as_str().unwrap_or_default();
            object["roleRef"]["name"] = json!(format!("{role}-{namespace}"));
        }
        if let Some(subjects) = object.get_mut("subjects").and_then(Value::as_array_mut) {
            for subject in subjects {
                subject["namespace"] = json!(namespace);
            }
        }
        documents.push(object.to_string());
    }
    assert!(documents.len() >= 8, "{documents:?}");
    bare.api().apply(&documents.join("\n---\n"));
}

/// The bundle sentry starts from.
fn publish(bare: &Bare, namespace: &str, ca: &Ca) {
    let read = |name: &str| {
        std::fs::read_to_string(ca.directory().join(name)).expect("the directory is complete")
    };
    let metadata = json!({ "name": "dapr-trust-bundle", "namespace": namespace });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata,
        "stringData": {
            "ca.crt": read("ca.crt"), "issuer.crt": read("issuer.crt"), "issuer.key": read("issuer.key"),
        },
    });
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
        "data": { "ca.crt": read("ca.crt") },
    });
    bare.api().apply(&secret.to_string());
    bare.api().apply(&map.to_string());
}

fn sentry(bare: &Bare, namespace: &str, port: u16) -> Command {
    let mut command = bare.program(&binaries::sentry(), namespace, "dapr-sentry");
    command
        .args(["--mode", "kubernetes", "--trust-domain", "localhost"])
        .args(["--listen-address", "127.0.0.1"])
        .args(["--port", &port.to_string()])
        .args(["--healthz-listen-address", "127.0.0.1"])
        .args(["--healthz-port", &reserve().to_string()])
        .arg("--enable-metrics=false");
    command
}
