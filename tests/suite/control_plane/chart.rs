//! The Helm chart: what it renders from which values, what it refuses, and
//! that a real API server takes all of it.

mod grants;
mod objects;
mod release;
mod settings;
mod webhook;

use std::process::{Command, Output};

use serde_json::Value;
use tests::binaries::checkout;
use tests::cluster::assets;

const NAMESPACE: &str = "dapr-system";
/// The Deployments and the key of each in maps of extra volumes and containers.
const PROGRAMS: [(&str, &str); 3] = [
    ("dapr-operator", "operator"),
    ("dapr-sentry", "sentry"),
    ("dapr-sidecar-injector", "injector"),
];

/// Every object of a rendered chart.
struct Chart(Vec<Value>);

/// Renders with values, each as `key=JSON`.
#[track_caller]
fn render(values: &[&str]) -> Chart {
    let output = template(values);
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{values:?}: {error}");
    Chart(serde_saphyr::from_multiple(&text).unwrap())
}

/// What Helm says about values that cannot be used.
#[track_caller]
fn refused(values: &[&str]) -> String {
    let output = template(values);
    assert!(!output.status.success(), "accepted: {values:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn template(values: &[&str]) -> Output {
    let mut helm = helm();
    helm.args(["template", "dapr", "charts/dapr", "--namespace", NAMESPACE]);
    for value in values {
        helm.args(["--set-json", value]);
    }
    helm.output().unwrap()
}

fn helm() -> Command {
    let mut helm = Command::new(assets::program("helm"));
    helm.current_dir(checkout());
    helm
}

impl Chart {
    #[track_caller]
    fn get(&self, kind: &str, name: &str) -> &Value {
        self.find(kind, name)
            .unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        self.of(kind).find(|it| it["metadata"]["name"] == name)
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |it| it["kind"] == kind)
    }

    /// The pod of a Deployment.
    #[track_caller]
    fn pod(&self, deployment: &str) -> &Value {
        &self.get("Deployment", deployment)["spec"]["template"]
    }

    /// The main container of a Deployment, which has to be the first one:
    /// command line tools read the version there.
    #[track_caller]
    fn container(&self, deployment: &str) -> &Value {
        let container = &self.pod(deployment)["spec"]["containers"][0];
        assert_eq!(container["name"], deployment);
        container
    }

    #[track_caller]
    fn args(&self, deployment: &str) -> Vec<&str> {
        texts(&self.container(deployment)["args"])
    }

    /// A variable of a Deployment.
    #[track_caller]
    fn env(&self, deployment: &str, name: &str) -> Option<&str> {
        let variables = self.container(deployment)["env"].as_array().unwrap();
        let variable = variables.iter().find(|it| it["name"] == name)?;
        variable["value"].as_str()
    }
}

#[track_caller]
fn texts(array: &Value) -> Vec<&str> {
    let items = array.as_array().unwrap();
    items.iter().map(|it| it.as_str().unwrap()).collect()
}

fn names(array: &Value) -> Vec<&str> {
    let items = array.as_array().into_iter().flatten();
    items.filter_map(|it| it["name"].as_str()).collect()
}
