//! A namespace of a test's own, with apps in it. Goes away when dropped.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::stage::{Stage, image};

/// A namespace.
pub(super) struct Home<'a> {
    stage: &'a Stage,
    name: String,
}

/// A Deployment of the test app, about to be made.
pub(super) struct App {
    name: String,
    replicas: u32,
    annotations: Value,
    arguments: Vec<String>,
    env: Vec<Value>,
}

/// An app that answers, with a sidecar; its app id is its name.
pub(super) fn app(name: &str) -> App {
    App {
        name: name.to_owned(),
        replicas: 1,
        annotations: json!({
            "dapr.io/enabled": "true",
            "dapr.io/app-id": name,
            "dapr.io/app-port": "8080",
        }),
        arguments: vec!["serve".to_owned()],
        env: Vec::new(),
    }
}

/// [`app`] that speaks gRPC.
pub(super) fn grpc_app(name: &str) -> App {
    app(name)
        .arguments(&["serve-grpc"])
        .annotation("dapr.io/app-protocol", "grpc")
}

/// One without sidecar.
pub(super) fn stranger(name: &str, arguments: &[&str]) -> App {
    App {
        annotations: json!({}),
        arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        ..app(name)
    }
}

// === impl App ===

impl App {
    pub(super) fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    pub(super) fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations[name] = json!(value);
        self
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push(json!({ "name": name, "value": value }));
        self
    }

    /// What runs instead of the server.
    pub(super) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// The pod template.
    pub(super) fn template(&self) -> Value {
        let mut command = vec!["/test-app".to_owned()];
        command.extend(self.arguments.iter().cloned());
        json!({
            "metadata": {
                "labels": { "app": self.name },
                "annotations": self.annotations,
            },
            "spec": { "containers": [{
                "name": "app",
                "image": image("test-app"),
                "command": command,
                "env": self.env,
            }] },
        })
    }

    /// The Deployment in a namespace.
    pub(super) fn deployment(&self, namespace: &str) -> Value {
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": self.name, "namespace": namespace },
            "spec": {
                "replicas": self.replicas,
                "selector": { "matchLabels": { "app": self.name } },
                "template": self.template(),
            },
        })
    }
}

// === impl Home ===

impl<'a> Home<'a> {
    /// A namespace whose name begins with `prefix`.
    #[track_caller]
    pub(super) fn new(stage: &'a Stage, prefix: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        // A cluster that was there before may still have those of another run.
        let run = std::process::id();
        let name = format!("{prefix}-{run}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        stage.api().namespace(&name);
        Self { stage, name }
    }

    /// Where it is.
    pub(super) fn stage(&self) -> &Stage {
        self.stage
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Applies objects.
    #[track_caller]
    pub(super) fn apply(&self, object: &Value) {
        self.stage.api().apply(&object.to_string());
    }

    /// Starts apps and waits until all of them are ready.
    #[track_caller]
    pub(super) fn run<const N: usize>(&self, apps: &[App; N]) {
        for app in apps {
            self.apply(&app.deployment(&self.name));
        }
        for app in apps {
            let workload = format!("deployment/{}", app.name);
            self.stage.rolled_out(&self.name, &workload);
        }
    }

    /// Objects of Dapr's kinds, in this namespace.
    #[track_caller]
    pub(super) fn resource(&self, kind: &str, name: &str, content: Value) {
        let mut object = content;
        object["apiVersion"] = json!("dapr.io/v1alpha1");
        object["kind"] = json!(kind);
        object["metadata"] = json!({ "name": name, "namespace": self.name });
        self.apply(&object);
    }

    /// The only pod of an app.
    #[track_caller]
    pub(super) fn pod(&self, app: &str) -> Value {
        self.stage.pod(&self.name, &format!("app={app}"))
    }

    /// A call from the pod of `app` through its sidecar: the answer as JSON.
    #[track_caller]
    pub(super) fn call(&self, app: &str, arguments: &[&str]) -> Value {
        let mut command = vec!["call"];
        command.extend_from_slice(arguments);
        self.ask(app, &command)
    }

    /// Runs the test app once more in the pod of `app`.
    #[track_caller]
    pub(super) fn ask(&self, app: &str, arguments: &[&str]) -> Value {
        let child = self.start(app, arguments);
        answer(child, arguments)
    }

    /// The same in the background; [`answer`] waits for it.
    #[track_caller]
    pub(super) fn start(&self, app: &str, arguments: &[&str]) -> Child {
        let workload = format!("deployment/{app}");
        let mut command = self.stage.api().kubectl(&["exec", "-n", &self.name]);
        command
            .args([&workload, "-c", "app", "--", "/test-app"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("kubectl starts")
    }

    /// The log of a container.
    #[track_caller]
    pub(super) fn log(&self, pod: &str, container: &str) -> String {
        let arguments = ["logs", "-n", &self.name, pod, "-c", container];
        self.stage.api().must(&arguments)
    }

    /// Restarts an app and waits for its new pods.
    #[track_caller]
    pub(super) fn restart(&self, app: &str) {
        let workload = format!("deployment/{app}");
        let api = self.stage.api();
        api.must(&["rollout", "restart", &workload, "-n", &self.name]);
        self.stage.rolled_out(&self.name, &workload);
    }
}

impl Drop for Home<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let api = self.stage.api();
            let described = api.run(&["get", "pods", "-o", "wide", "-n", &self.name]);
            println!("{}", described.unwrap_or_default());
            for name in ["caller", "callee"] {
                let workload = format!("deployment/{name}");
                let arguments = [
                    "logs",
                    "-n",
                    &self.name,
                    &workload,
                    "-c",
                    "daprd",
                    "--tail=40",
                ];
                if let Ok(log) = api.run(&arguments) {
                    println!("---- daprd of {name} ----\n{log}");
                }
            }
        }
        let _ = self
            .stage
            .api()
            .run(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}

/// What a run of the test app printed.
#[track_caller]
pub(super) fn answer(child: Child, arguments: &[&str]) -> Value {
    let output = child.wait_with_output().expect("it is our child");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|_| {
        panic!(
            "test-app {}: {text}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// The path of a call to an app.
pub(super) fn to(target: &str, method: &str) -> String {
    tests::invoke_path(target, method)
}
