//! Policies applied with kubectl act on sidecars that run already.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::home::{Home, answer, app, to};
use super::stage::{self, restarts};

/// From the end of `kubectl apply` to the first call that is treated anew.
pub(super) const BOUND: Duration = Duration::from_secs(1);

/// Waits for a call from `caller` with this status while `change` happens;
/// how long after it the first such call began.
fn takes_effect(home: &Home<'_>, status: &str, path: &str, change: impl FnOnce()) -> Duration {
    takes_effect_by(home, &["until", status, path], change)
}

/// The same for calls of any kind.
pub(super) fn takes_effect_by(
    home: &Home<'_>,
    arguments: &[&str],
    change: impl FnOnce(),
) -> Duration {
    let watching = home.start("caller", arguments);
    change();
    let applied = SystemTime::now();
    let found = answer(watching, arguments);
    let seen = found["at_ms"].as_u64().unwrap_or_else(|| panic!("{found}"));
    let seen = SystemTime::UNIX_EPOCH + Duration::from_millis(seen);
    // It may be seen before kubectl has ended.
    seen.duration_since(applied).unwrap_or_default()
}

fn access(home: &Home<'_>, action: &str) {
    home.resource(
        "Configuration",
        "guarded",
        json!({ "spec": { "accessControl": {
            "defaultAction": action, "trustDomain": "public",
        } } }),
    );
}

#[test]
fn an_access_list_reaches_running_sidecars() {
    let stage = stage::shared();
    let home = Home::new(&stage, "access");
    access(&home, "allow");
    home.run(&[
        app("callee").annotation("dapr.io/config", "guarded"),
        app("caller"),
    ]);
    let path = to("callee", "x");
    assert_eq!(home.call("caller", &["GET", &path])["status"], json!(200));
    for (action, status) in [("deny", "403"), ("allow", "200")] {
        let took = takes_effect(&home, status, &path, || access(&home, action));
        println!("access list to {action}: {} ms", took.as_millis());
        assert!(took <= BOUND, "{action} after {took:?}");
    }
    untouched(&home.pod("callee"));
}

#[test]
fn a_timeout_reaches_running_sidecars() {
    let stage = stage::shared();
    let home = Home::new(&stage, "timeout");
    home.run(&[app("callee"), app("caller")]);
    let path = to("callee", "sleep/300");
    assert_eq!(home.call("caller", &["GET", &path])["status"], json!(200));
    let apply = || {
        home.resource(
            "Resiliency",
            "patience",
            json!({ "spec": {
                "policies": { "timeouts": { "short": "100ms" } },
                "targets": { "apps": { "callee": { "timeout": "short" } } },
            } }),
        );
    };
    let took = takes_effect(&home, "500", &path, apply);
    println!("timeout: {} ms", took.as_millis());
    assert!(took <= BOUND, "after {took:?}");
    let remove = || {
        let arguments = ["delete", "resiliency", "patience", "-n", home.name()];
        stage.api().must(&arguments);
    };
    let took = takes_effect(&home, "200", &path, remove);
    println!("timeout removed: {} ms", took.as_millis());
    assert!(took <= BOUND, "after {took:?}");
    untouched(&home.pod("caller"));
}

#[track_caller]
pub(super) fn untouched(pod: &Value) {
    assert_eq!(restarts(pod), 0, "{}", pod["status"]);
}
