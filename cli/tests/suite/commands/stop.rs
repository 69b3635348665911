//! `stop`: by id, by several ids, by run file, and what is not there.

use serde_json::json;

use super::fake;
use crate::tools::{Place, Running, alive, eventually};

fn stopped(id: &str) -> String {
    format!("✅  app stopped successfully: {id}\n")
}

#[test]
fn several_apps_are_stopped_in_one_line() {
    let place = Place::new();
    let ids = ["first-of", "second-of", "third-of"].map(fake::id);
    let mut runs: Vec<Running> = ids
        .iter()
        .map(|id| Running::start(place.dapr(&["run", "-a", id, "--", "sleep", "1000"])))
        .collect();
    for run in &mut runs {
        run.line("You're up and running!");
    }
    let line = ["stop", &ids[0], "nobody-4", "--app-id", &ids[2], &ids[1]];
    let done = place.run(&line);
    assert_eq!(done.code, Some(0));
    // Words first, then the flag.
    assert_eq!(
        done.out,
        format!(
            "{}{}{}",
            stopped(&ids[0]),
            stopped(&ids[1]),
            stopped(&ids[2])
        )
    );
    assert_eq!(
        done.err,
        "❌  failed to stop app id nobody-4: couldn't find app id nobody-4\n"
    );
    for run in runs {
        assert!(!alive(run.pid()));
        assert_eq!(run.end().0, Some(0));
    }
    place.assert_quiet();
}

#[test]
fn a_sidecar_of_others_is_ended_itself() {
    let place = Place::new();
    let (bare, stale) = (fake::id("bare-stop"), fake::id("stale-stop"));
    let mut bare_fake = fake::sidecar(&place, &bare, &json!({}), "");
    // Whoever started it is gone.
    let mut stale_fake = fake::sidecar(&place, &stale, &json!({"cliPID": "4194305"}), "");
    let reaper = std::thread::spawn(move || [bare_fake.end(), stale_fake.end()]);
    let done = place.run(&["stop", &bare, &stale]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert_eq!(done.out, stopped(&bare) + &stopped(&stale));
    // By a signal.
    assert_eq!(reaper.join().unwrap(), [None, None]);
}

#[test]
fn a_sidecar_that_does_not_end_is_said() {
    let place = Place::new();
    let id = fake::id("stubborn");
    let script = "trap '' TERM; echo >trapped; read forever";
    let mut stubborn = fake::process_with(&place, script, &["--app-id", &id]);
    eventually(|| place.path().join("trapped").exists().then_some(()));
    let done = place.run(&["stop", &id]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""));
    assert_eq!(
        done.err,
        format!(
            "❌  failed to stop app id {id}: process {} did not end within 12 seconds\n",
            stubborn.id()
        )
    );
    stubborn.kill().unwrap();
    stubborn.wait().unwrap();
}

#[test]
fn nothing_to_stop_is_no_failure() {
    let place = Place::new();
    for line in [&["stop"][..], &["stop", "-a", ""], &["stop", "--app-id="]] {
        let done = place.run(line);
        assert_eq!((done.code, done.out + &done.err), (Some(0), String::new()));
    }
}

const RUN_FILE: &str =
    "version: 1\napps: [{appDirPath: ., appID: NAME, command: [sleep, '1000']}]\n";

#[test]
fn a_run_file_is_stopped_by_its_file_and_by_its_directory() {
    let place = Place::new();
    let id = fake::id("by-file");
    for (name, argument) in [
        ("dapr.yaml", "dapr.yaml"),
        ("dapr.yaml", "."),
        ("apps/dapr.yaml", "./apps/"),
        ("apps/other.yml", "apps/../apps/other.yml"),
    ] {
        let file = place.write(name, &RUN_FILE.replace("NAME", &id));
        let file = file.display().to_string();
        let mut run = Running::start(place.dapr(&["run", "-f", &file]));
        run.line("Started Dapr with app id");
        let done = place.run(&["stop", "-f", argument]);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{argument}");
        assert_eq!(
            done.out,
            "✅  Dapr and app processes stopped successfully\n"
        );
        assert_eq!(run.end().0, Some(0));
    }
    let done = place.run(&["stop", "--run-file", "."]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""));
    assert_eq!(
        done.err,
        format!(
            "❌  Failed to stop Dapr and app processes: couldn't find apps with run file \"{}/dapr.yaml\"\n",
            place.path().display()
        )
    );
    place.assert_quiet();
}

/// The file says which apps are meant, so without it nothing is stopped.
#[test]
fn a_run_file_that_is_gone_stops_nothing() {
    let place = Place::new();
    let id = fake::id("gone-file");
    let file = place.write("dapr.yaml", &RUN_FILE.replace("NAME", &id));
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line("Started Dapr with app id");
    std::fs::remove_file(file).unwrap();
    for argument in ["dapr.yaml", "."] {
        let done = place.run(&["stop", "-f", argument]);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{argument}");
        assert!(
            done.err.starts_with("❌  Failed to get run file path: "),
            "{}",
            done.err
        );
    }
    assert!(alive(run.pid()));
    // Its id still does.
    assert_eq!(place.run(&["stop", &id]).out, stopped(&id));
    assert_eq!(run.end().0, Some(0));
    eventually(|| (!place.run(&["list"]).out.contains(&id)).then_some(()));
    place.assert_quiet();
}
