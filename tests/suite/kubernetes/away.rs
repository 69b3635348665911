//! Parts of the control plane away while pods start.

use std::thread;
use std::time::{Duration, Instant};

use super::home::{Home, app, to};
use super::stage::{self, SLOW, SYSTEM, is_ready, restarts};

/// As long as an outage of sentry lasts here: longer than any probe of the
/// sidecar would allow by default.
const OUTAGE: Duration = Duration::from_mins(1);

/// The longest pause between two tries of a sidecar to get its certificate,
/// and the second it takes to be seen as ready.
const RETRY: Duration = Duration::from_secs(15);

#[test]
fn a_pod_that_starts_without_sentry_waits_for_it() {
    let stage = stage::alone();
    let home = Home::new(&stage, "patience");
    home.run(&[app("callee")]);
    let scale = |replicas: &str| {
        let replicas = format!("--replicas={replicas}");
        stage
            .api()
            .must(&["scale", "deployment/dapr-sentry", "-n", SYSTEM, &replicas]);
    };
    scale("0");
    let away = Instant::now();
    home.apply(&app("caller").deployment(home.name()));
    // Not a wait for anything: this is the outage.
    thread::sleep(OUTAGE.saturating_sub(away.elapsed()));
    let pod = home.pod("caller");
    assert!(!is_ready(&pod), "without certificate: {}", pod["status"]);
    assert_eq!(restarts(&pod), 0, "{}", pod["status"]);

    scale("1");
    stage.rolled_out(SYSTEM, "deployment/dapr-sentry");
    let back = Instant::now();
    tests::within(SLOW, "the pod is ready", || {
        is_ready(&home.pod("caller")).then_some(())
    });
    println!("ready {:.1} s after sentry", back.elapsed().as_secs_f64());
    assert!(back.elapsed() <= RETRY, "after {:?}", back.elapsed());
    assert_eq!(restarts(&home.pod("caller")), 0);
    let answer = home.call("caller", &["GET", &to("callee", "x")]);
    assert_eq!(answer["status"], 200, "{answer}");
}
