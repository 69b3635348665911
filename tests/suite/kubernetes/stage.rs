//! The cluster and the release on it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use serde_json::Value;
use tests::cluster::{assets, node};
use tests::{Api, binaries, within};

/// Where the control plane lives.
pub(super) const SYSTEM: &str = "dapr-system";

/// How long pods and rollouts may take: the machine is small and busy.
pub(super) const SLOW: Duration = Duration::from_mins(2);

/// A cluster with the control plane on it.
pub(super) struct Stage {
    api: Api,
    turn: RwLock<()>,
}

/// The stage, and the right to use it.
pub(super) struct Shared(RwLockReadGuard<'static, ()>);

/// The stage, and the right to do anything to it.
pub(super) struct Alone(RwLockWriteGuard<'static, ()>);

/// For tests that leave the control plane as it is.
pub(super) fn shared() -> Shared {
    Shared(stage().turn.read())
}

/// For tests that others would not survive.
pub(super) fn alone() -> Alone {
    Alone(stage().turn.write())
}

impl std::ops::Deref for Shared {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        let Self(_turn) = self;
        stage()
    }
}

impl std::ops::Deref for Alone {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        let Self(_turn) = self;
        stage()
    }
}

/// Installed by whoever comes first; a failure is everybody's.
fn stage() -> &'static Stage {
    static STAGE: OnceLock<Result<Stage, String>> = OnceLock::new();
    let stage = STAGE.get_or_init(|| {
        let given = std::env::var_os("KUBECONFIG").filter(|file| !file.is_empty());
        let stage = Stage {
            api: Api::new(&given.map_or_else(node::kubeconfig, Into::into)),
            turn: RwLock::default(),
        };
        if stage
            .api
            .get(&format!("/api/v1/namespaces/{SYSTEM}"))
            .is_some()
        {
            return Err(format!("the cluster has a namespace {SYSTEM} already"));
        }
        let took = stage.install()?;
        println!("installed and ready after {:.1} s", took.as_secs_f64());
        Ok(stage)
    });
    match stage {
        Ok(stage) => stage,
        Err(error) => panic!("no control plane: {error}"),
    }
}

/// Where images are pulled from; those of the own node are on it.
pub(super) fn image(name: &str) -> String {
    format!("{}/{name}:edge", registry())
}

fn registry() -> String {
    let given = std::env::var("DAPR_REGISTRY").unwrap_or_default();
    if given.is_empty() {
        "localhost/dapr".to_owned()
    } else {
        given
    }
}

/// A number of repetitions that a variable may raise.
pub(super) fn times(variable: &str, default: usize) -> usize {
    let given = std::env::var(variable).ok();
    given
        .and_then(|number| number.parse().ok())
        .unwrap_or(default)
}

impl Stage {
    pub(super) fn api(&self) -> &Api {
        &self.api
    }

    /// `helm install`, as the documentation has it; how long it took.
    pub(super) fn install(&self) -> Result<Duration, String> {
        let begun = Instant::now();
        let registry = format!("global.registry={}", registry());
        self.helm(&[
            "install",
            "dapr",
            "charts/dapr",
            "--namespace",
            SYSTEM,
            "--create-namespace",
            "--set",
            &registry,
            "--set",
            "global.tag=edge",
            "--set",
            "global.imagePullPolicy=IfNotPresent",
            "--wait",
            "--timeout=2m",
        ])?;
        Ok(begun.elapsed())
    }

    /// Removes the release; what it keeps stays.
    pub(super) fn uninstall(&self) {
        self.helm(&["uninstall", "dapr", "--namespace", SYSTEM, "--wait"])
            .unwrap();
    }

    /// Removes the release and what it keeps, the authority included.
    pub(super) fn wipe(&self) {
        self.uninstall();
        self.api.must(&["delete", "namespace", SYSTEM, "--wait"]);
    }

    fn helm(&self, arguments: &[&str]) -> Result<String, String> {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
        let output = Command::new(assets::program("helm"))
            .args(arguments)
            .current_dir(binaries::checkout())
            .env("KUBECONFIG", self.api.kubeconfig())
            .env("HELM_CACHE_HOME", home.join("cache"))
            .env("HELM_CONFIG_HOME", home.join("config"))
            .env("HELM_DATA_HOME", home.join("data"))
            .output()
            .expect("helm starts");
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let pods = self.api.run(&["get", "pods", "-A", "-o", "wide"]);
        Err(format!(
            "helm {}: {}\n{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim(),
            pods.unwrap_or_default()
        ))
    }

    /// Waits until a Deployment or StatefulSet is as it should be.
    #[track_caller]
    pub(super) fn rolled_out(&self, namespace: &str, workload: &str) {
        let timeout = format!("--timeout={}s", SLOW.as_secs());
        let arguments = ["rollout", "status", workload, "-n", namespace, &timeout];
        if let Err(refusal) = self.api.run(&arguments) {
            let described = self.api.run(&["describe", "pods", "-n", namespace]);
            panic!("{workload}: {refusal}\n{}", described.unwrap_or_default());
        }
    }

    /// The pods with this label that are not on their way out.
    #[track_caller]
    pub(super) fn pods(&self, namespace: &str, label: &str) -> Vec<Value> {
        let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={label}");
        let mut pods = self.api.list(&path);
        pods.retain(|pod| pod["metadata"].get("deletionTimestamp").is_none());
        pods
    }

    /// The one pod with this label.
    #[track_caller]
    pub(super) fn pod(&self, namespace: &str, label: &str) -> Value {
        let mut pods = self.pods(namespace, label);
        assert_eq!(pods.len(), 1, "pods of {label} in {namespace}");
        pods.remove(0)
    }

    /// Waits until this is true of the one pod with this label.
    #[track_caller]
    pub(super) fn pod_where(
        &self,
        namespace: &str,
        label: &str,
        what: &str,
        is_true: impl Fn(&Value) -> bool,
    ) -> Value {
        within(SLOW, &format!("the pod of {label} {what}"), || {
            let mut pods = self.pods(namespace, label);
            pods.retain(|pod| is_true(pod));
            pods.pop()
        })
    }
}

/// True when the webhook added a sidecar, native or not.
pub(super) fn is_injected(pod: &Value) -> bool {
    ["containers", "initContainers"].iter().any(|kind| {
        let containers = pod["spec"][kind].as_array().into_iter().flatten();
        containers.into_iter().any(|one| one["name"] == "daprd")
    })
}

/// True when all of it is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// How often containers of the pod were started again.
pub(super) fn restarts(pod: &Value) -> u64 {
    ["containerStatuses", "initContainerStatuses"]
        .iter()
        .flat_map(|kind| pod["status"][kind].as_array().into_iter().flatten())
        .filter_map(|status| status["restartCount"].as_u64())
        .sum()
}

/// A pod's name.
pub(super) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("it has one")
}
