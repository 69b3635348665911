//! What cannot work says so in one line that somebody understands.

use serde_json::json;
use tests::within;

use super::home::{Home, app};
use super::stage::{self, SLOW, SYSTEM, image};

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

/// The first line of the sidecar's log with all of these words, once it has
/// been written.
fn line(home: &Home<'_>, words: &[&str]) -> String {
    within(SLOW, &format!("the sidecar says {words:?}"), || {
        let arguments = ["logs", "-n", home.name(), "-l", "app=silent", "-c", "daprd"];
        // There is none before the container has started.
        let log = home.stage().api().run(&arguments).unwrap_or_default();
        log.lines()
            .find(|line| words.iter().all(|word| line.contains(word)))
            .map(str::to_owned)
    })
}

/// In Dapr's words, and which one it was: to the user of the app, and to who
/// looks at sentry.
#[test]
fn a_missing_configuration_is_named() {
    let stage = stage::shared();
    let home = Home::new(&stage, "says");
    let app = app("silent").annotation("dapr.io/config", "nowhere-to-be-found");
    home.apply(&app.deployment(home.name()));
    let words = [
        "level=fatal",
        "failed to get configuration",
        "nowhere-to-be-found",
    ];
    println!("{}", line(&home, &words));
    let expected = format!("{}/nowhere-to-be-found", home.name());
    let log = stage
        .api()
        .must(&["logs", "-n", SYSTEM, "deployment/dapr-sentry"]);
    assert!(log.contains(&expected), "{log}");
}

#[test]
fn an_unreadable_token_is_named() {
    let stage = stage::shared();
    let home = Home::new(&stage, "says");
    let app = app("silent").annotation("dapr.io/env", "DAPR_SENTRY_TOKEN_FILE=/nowhere/token");
    home.apply(&app.deployment(home.name()));
    println!("{}", line(&home, &["level=fatal", "/nowhere/token"]));
}
