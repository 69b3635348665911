//! Pods that start and end with their app.

use serde_json::json;

use super::home::{Home, app, to};
use super::stage::{self, SLOW};

/// Apps that call in their first line.
const FIRST_LINES: u32 = 5;

/// The sidecar is ready before the app's first line, and ends after its last:
/// without retries, and without being told.
#[test]
fn a_job_that_calls_in_its_first_line_completes() {
    let stage = stage::shared();
    let home = Home::new(&stage, "jobs");
    home.run(&[app("callee")]);
    let path = to("callee", "x");
    let mut template = app("first")
        .annotation("dapr.io/app-port", "")
        .arguments(&["once", &path])
        .template();
    template["spec"]["restartPolicy"] = json!("Never");
    home.apply(&json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": "first", "namespace": home.name() },
        "spec": {
            "completions": FIRST_LINES, "parallelism": FIRST_LINES, "backoffLimit": 0,
            "template": template,
        },
    }));
    let timeout = format!("--timeout={}s", SLOW.as_secs());
    let wait = [
        "wait",
        "--for=condition=complete",
        "job/first",
        "-n",
        home.name(),
        &timeout,
    ];
    if let Err(refusal) = stage.api().run(&wait) {
        let logs = [
            "logs",
            "-n",
            home.name(),
            "-l",
            "app=first",
            "-c",
            "app",
            "--prefix",
        ];
        panic!("{refusal}\n{:?}", stage.api().run(&logs));
    }
    let job = format!("/apis/batch/v1/namespaces/{}/jobs/first", home.name());
    let status = stage.api().get(&job).unwrap()["status"].clone();
    assert_eq!(status["succeeded"], json!(FIRST_LINES), "{status}");
}
