//! The injector restarted while pods are created.

use std::thread;
use std::time::Duration;

use serde_json::json;
use tests::Request;

use super::home::{Home, app};
use super::stage::{self, SYSTEM, Stage, is_injected};

/// Pods per restart, at least.
const PODS: usize = 12;
/// Restarts.
const ROUNDS: usize = 5;
/// The pace of the creations, so that they span the whole change.
const PACE: Duration = Duration::from_millis(250);

#[test]
fn restarts_of_the_injector_lose_no_pod() {
    let stage = stage::alone();
    let home = Home::new(&stage, "restarts");
    stage.pod_where(
        SYSTEM,
        "app=dapr-sidecar-injector",
        "is ready",
        stage::is_ready,
    );
    let (mut created, mut lost) = (0, Vec::new());
    for round in 1..=ROUNDS {
        let old = stage.pod(SYSTEM, "app=dapr-sidecar-injector")["metadata"]["uid"].clone();
        stage.api().must(&[
            "rollout",
            "restart",
            "deployment/dapr-sidecar-injector",
            "-n",
            SYSTEM,
        ]);
        let mut number = 0;
        while number < PODS || !has_changed(&stage, &old) {
            number += 1;
            if !create(&stage, &home, &format!("pod-{round}-{number}")) {
                lost.push(format!("{number} of restart {round}"));
            }
            thread::sleep(PACE);
        }
        created += number;
    }
    println!(
        "injected {} of {created} pods over {ROUNDS} restarts",
        created - lost.len()
    );
    assert_eq!(lost, [] as [String; 0], "without sidecar, of {created}");
}

/// True when the old pod has gone and the new one is ready.
fn has_changed(stage: &Stage, old: &serde_json::Value) -> bool {
    let path = format!("/api/v1/namespaces/{SYSTEM}/pods?labelSelector=app=dapr-sidecar-injector");
    let pods = stage.api().list(&path);
    pods.len() == 1 && pods[0]["metadata"]["uid"] != *old && stage::is_ready(&pods[0])
}

/// Creates a pod that no node takes: only admission is asked.
fn create(stage: &Stage, home: &Home<'_>, name: &str) -> bool {
    let mut pod = app("bystander").template();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!(name);
    pod["spec"]["nodeSelector"] = json!({ "nowhere": "true" });
    let path = format!("/api/v1/namespaces/{}/pods", home.name());
    let request = Request::post(&path, pod.to_string()).header("Content-Type", "application/json");
    let answer = stage.api().send(&request);
    assert_eq!(answer.status, 201, "{answer:?}");
    is_injected(&answer.json())
}
