//! A callee replaced pod by pod under load.

use std::time::Duration;

use serde_json::{Value, json};

use super::home::{App, Home, answer, app, grpc_app, stranger};
use super::stage::{self, times};

/// Calls per second.
const RATE: u64 = 100;
/// How long one restart of three pods takes, and a little after it: what goes
/// wrong often does so late.
const RESTART: Duration = Duration::from_secs(20);

const COLLECTOR: &str = "collector:7000";

#[test]
fn a_callee_restarted_under_load_loses_and_repeats_nothing() {
    let callee = app("callee");
    lose_and_repeat_nothing("rollout", callee, "load", times("E2E_ROLLOUTS", 2));
}

#[test]
fn a_grpc_callee_restarted_under_load_loses_and_repeats_nothing() {
    let callee = grpc_app("callee");
    lose_and_repeat_nothing("rpcs", callee, "load-grpc", times("E2E_ROLLOUTS", 1));
}

fn lose_and_repeat_nothing(prefix: &str, callee: App, kind: &str, restarts: usize) {
    let stage = stage::shared();
    let home = Home::new(&stage, prefix);
    home.apply(&json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "collector", "namespace": home.name() },
        "spec": { "selector": { "app": "collector" }, "ports": [{ "port": 7000 }] },
    }));
    home.run(&[
        stranger("collector", &["collect", "7000"]),
        callee.replicas(3).env("COLLECTOR", COLLECTOR),
        app("caller"),
    ]);
    everybody_gets_a_share(&home, kind);

    let seconds = (RESTART * (restarts as u32 + 1)).as_secs();
    let (rate, seconds) = (RATE.to_string(), seconds.to_string());
    let load = [kind, "callee", "restart-", &rate, &seconds];
    let running = home.start("caller", &load);
    for _ in 0..restarts {
        home.restart("callee");
    }
    let verdict = answer(running, &load);
    let counted = home.ask("collector", &["count", COLLECTOR, "restart-"]);
    println!("{kind}: {restarts} restarts: {verdict}, the app saw {counted}");
    assert_eq!(verdict["failed"], json!(0), "{verdict}");
    assert_eq!(counted["twice"], json!([]));
    assert_eq!(
        counted["seen"], verdict["calls"],
        "answered, but never seen"
    );
    let pods = verdict["pods"].as_object().unwrap();
    assert!(
        pods.len() > 3 * restarts,
        "every generation took part: {verdict}"
    );
}

/// Each of the three gets a fifth at least.
fn everybody_gets_a_share(home: &Home<'_>, kind: &str) {
    let rate = RATE.to_string();
    let verdict = home.ask("caller", &[kind, "callee", "quiet-", &rate, "5"]);
    println!("{kind}, quiet: {verdict}");
    assert_eq!(verdict["failed"], json!(0), "{verdict}");
    let calls = verdict["calls"].as_u64().unwrap();
    let shares: Vec<_> = verdict["pods"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(Value::as_u64)
        .collect();
    assert_eq!(shares.len(), 3, "{verdict}");
    assert!(shares.iter().all(|share| share * 5 >= calls), "{shares:?}");
}
