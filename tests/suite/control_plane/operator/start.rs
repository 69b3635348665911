//! What the operator needs to start, and what it says when that is missing.

use serde_json::json;
use tests::Process;

use super::Home;

const MEGABYTE: u64 = 1 << 20;

#[track_caller]
fn fatal_line(home: &Home, flags: &[&str]) -> String {
    let mut command = home.command(flags);
    command.args(["--healthz-port", "0", "--metrics-port", "0", "--port", "0"]);
    let (status, output, _) = Process::run("operator", command);
    assert_eq!(status.code(), Some(1), "{output}");
    let fatal: Vec<_> = output
        .lines()
        .filter(|line| line.contains("level=fatal"))
        .collect();
    assert_eq!(fatal.len(), 1, "{output}");
    fatal[0].to_owned()
}

#[test]
fn what_cannot_work_is_one_clear_line() {
    let home = Home::new("mistakes");
    for (flags, reason) in [
        (
            &["--watch-interval", "soon"][..],
            "invalid value for watch-interval: time: invalid duration",
        ),
        (
            &["--watch-interval=10ms"],
            "invalid watch-interval value: if not '0' or 'once', must be at least 1s",
        ),
        (
            &["--config", "nope"],
            "configurations.dapr.io \\\"nope\\\" not found",
        ),
        (
            &["--max-pod-restarts-per-minute=x"],
            "max-pod-restarts-per-minute",
        ),
    ] {
        let line = fatal_line(&home, flags);
        assert!(line.contains(reason), "{line}");
    }
    home.configure(
        &json!({ "enabled": true, "controlPlaneTrustDomain": "", "sentryAddress": "x" }),
    );
    let line = fatal_line(&home, &[]);
    assert!(
        line.contains("control plane trust domain is required"),
        "{line}"
    );
}

#[test]
fn it_is_ready_once_it_knows_everything_and_stays_small() {
    let home = Home::new("ready");
    let operator = home
        .start(&[
            "--watch-interval",
            "1m",
            "--enable-argo-rollout-service-reconciler",
        ])
        .ready();
    let output = operator.process.stdout();
    assert_eq!(
        output.matches("not part of this operator, ignored").count(),
        2,
        "{output}"
    );
    let id = format!("spiffe://localhost/ns/{}/dapr-operator", home.namespace);
    assert!(output.contains(&id), "{output}");
    let rss = operator.process.rss();
    assert!(rss <= 20 * MEGABYTE, "{rss}");
}
