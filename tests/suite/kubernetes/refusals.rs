//! What cannot work says so in one line that somebody understands.

use serde_json::json;
use tests::within;

use super::home::{App, Home, app};
use super::stage::{self, SLOW, image, name};

#[test]
fn a_flag_nobody_knows_is_one_fatal_line() {
    let stage = stage::shared();
    let home = Home::new(&stage, "flags");
    let programs = ["daprd", "operator", "sentry", "injector"];
    for program in programs {
        home.apply(&json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": program, "namespace": home.name() },
            "spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "app",
                    "image": image(program),
                    "command": [format!("/{program}"), "--no-such-flag"],
                }],
            },
        }));
    }
    for program in programs {
        let path = format!("/api/v1/namespaces/{}/pods/{program}", home.name());
        let status = within(SLOW, &format!("{program} ends"), || {
            let pod = stage.api().get(&path)?;
            let state = &pod["status"]["containerStatuses"][0]["state"];
            state.get("terminated").cloned()
        });
        assert_ne!(status["exitCode"], json!(0), "{program}");
        let log = home.log(program, "app");
        let clear: Vec<_> = log
            .lines()
            .filter(|line| line.contains("no-such-flag"))
            .collect();
        assert_eq!(clear.len(), 1, "{program}: {log}");
        assert!(!log.contains("panicked"), "{program}: {log}");
    }
}

/// The line has to name what is missing, and stand there once per cause, not
/// once per try.
fn says(app: &App, words: &[&str]) {
    let stage = stage::shared();
    let home = Home::new(&stage, "says");
    home.apply(&app.deployment(home.name()));
    let label = "app=silent";
    let pod = stage.pod_where(home.name(), label, "was started", |pod| {
        let status = &pod["status"]["initContainerStatuses"][0];
        status["state"].get("running").is_some() || status["lastState"].get("terminated").is_some()
    });
    let mut last = String::new();
    let found = within(SLOW, &format!("the sidecar says {words:?}"), || {
        let arguments = ["logs", "-n", home.name(), name(&pod), "-c", "daprd"];
        last = stage.api().run(&arguments).unwrap_or_default();
        let line = last
            .lines()
            .find(|line| words.iter().all(|word| line.contains(word)));
        line.map(str::to_owned)
    });
    println!("{found}");
}

#[test]
fn a_missing_configuration_is_named() {
    says(
        &app("silent").annotation("dapr.io/config", "nowhere-to-be-found"),
        &["nowhere-to-be-found"],
    );
}

#[test]
fn an_unreadable_token_is_named() {
    says(
        &app("silent").annotation("dapr.io/env", "DAPR_SENTRY_TOKEN_FILE=/nowhere/token"),
        &["/nowhere/token"],
    );
}
