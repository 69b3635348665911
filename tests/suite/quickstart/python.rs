//! Flask on one side, `requests` on the other.

use std::path::{Path, PathBuf};

use tests::binaries;

use super::venv;
use crate::room::Room;

const ORDERS: usize = 19;
const RUN_CALLEE: &str = "dapr run --app-port 8001 --app-id order-processor --app-protocol http --dapr-http-port 3501 -- python3 app.py";
const RUN_CALLER: &str =
    "dapr run --app-id checkout --app-protocol http --dapr-http-port 3500 -- python3 app.py";

/// A room with the example in it and the tool installed.
fn room() -> (Room, PathBuf) {
    let example = binaries::checkout().join("examples/python");
    let requirements =
        ["order-processor", "checkout"].map(|app| example.join(app).join("requirements.txt"));
    let room = Room::new(&[&venv::with(&requirements).join("bin")]);
    let directory = room.example("python");
    let (status, out, err) = room.run(&directory, "dapr init");
    assert!(status.success(), "{out}{err}");
    (room, directory)
}

/// Fails when the README does not say this line.
fn documented(directory: &Path, line: &str) -> String {
    let readme = std::fs::read_to_string(directory.join("README.md")).unwrap();
    assert!(
        readme.lines().any(|said| said == line),
        "the README does not say {line:?}"
    );
    line.to_owned()
}

/// Order numbers of the lines that begin with `start`, which may be spelled
/// with or without a blank before the colon.
fn orders(output: &str, start: &str) -> Vec<usize> {
    output
        .lines()
        .filter_map(|line| {
            line.strip_prefix(start)?
                .trim_start()
                .strip_prefix(": {\"orderId\": ")
        })
        .map(|rest| rest.trim_end_matches('}').parse().unwrap())
        .collect()
}

#[test]
fn python_runs_from_a_run_file() {
    let (room, directory) = room();
    let run = room.start(&directory, &documented(&directory, "dapr run -f ."));
    for app in ["order-processor", "checkout"] {
        run.wait_for_output(&format!("Validating config and starting app \"{app}\""));
        run.wait_for_output(&format!("Started Dapr with app id \"{app}\". HTTP Port: "));
    }
    run.wait_for_output("Writing log files to directory : ");
    run.wait_for_output("== APP - order-processor == Order received : {\"orderId\": 19}");
    run.wait_for_output("== APP - checkout == Order passed: {\"orderId\": 19}");
    let (status, out, err) = room.run(&directory, &documented(&directory, "dapr stop -f ."));
    assert_eq!((status.code(), err.as_str()), (Some(0), ""));
    assert_eq!(out, "✅  Dapr and app processes stopped successfully\n");
    run.wait_for_code(0);
    let output = run.stdout();
    let all: Vec<_> = (1..=ORDERS).collect();
    assert_eq!(
        orders(&output, "== APP - checkout == Order passed"),
        all,
        "{output}"
    );
    assert_eq!(
        orders(&output, "== APP - order-processor == Order received"),
        all,
        "{output}"
    );
    assert!(!output.contains("Order failed"), "{output}");
    for app in ["order-processor", "checkout"] {
        let logs = std::fs::read_dir(directory.join(app).join(".dapr/logs")).unwrap();
        assert_eq!(logs.count(), 2, "one log for the app, one for its sidecar");
    }
    room.assert_empty();
}

#[test]
fn python_runs_from_two_commands() {
    let (room, directory) = room();
    let (callee_directory, caller_directory) = (
        directory.join("order-processor"),
        directory.join("checkout"),
    );
    let callee = room.start(&callee_directory, &documented(&directory, RUN_CALLEE));
    callee.wait_for_output(
        "✅  You're up and running! Both Dapr and your app logs will appear here.",
    );
    // The first order is not to come before Flask listens.
    callee.wait_for_output("dapr initialized. Status: Running.");
    let caller = room.start(&caller_directory, &documented(&directory, RUN_CALLER));
    caller.wait_for_code(0);
    let all: Vec<_> = (1..=ORDERS).collect();
    let output = caller.stdout();
    assert_eq!(orders(&output, "== APP == Order passed"), all, "{output}");
    assert!(output.contains("✅  Exited App successfully"), "{output}");
    callee.wait_for_output("== APP == Order received : {\"orderId\": 19}");

    let invoke = documented(
        &directory,
        "dapr invoke --app-id order-processor --method orders --data '{\"orderId\": 43}'",
    );
    let (status, out, err) = room.run(&directory, &invoke);
    assert_eq!((status.code(), err.as_str()), (Some(0), ""));
    assert_eq!(out, "{\"success\": true}\n✅  App invoked successfully\n");
    callee.wait_for_output("== APP == Order received : {\"orderId\": 43}");

    let (status, _, err) = room.run(&directory, "dapr stop --app-id checkout");
    assert_eq!(status.code(), Some(0), "it has ended by itself");
    assert_eq!(
        err,
        "❌  failed to stop app id checkout: couldn't find app id checkout\n"
    );
    let stop = documented(&directory, "dapr stop --app-id order-processor");
    let (status, out, _) = room.run(&directory, &stop);
    assert_eq!(
        (status.code(), out.as_str()),
        (Some(0), "✅  app stopped successfully: order-processor\n")
    );
    callee.wait_for_code(0);
    let mut received = orders(&callee.stdout(), "== APP == Order received");
    assert_eq!(received.pop(), Some(43));
    assert_eq!(received, all);
    room.assert_empty();
}

#[test]
fn python_callers_may_start_before_their_callee() {
    let (room, directory) = room();
    let caller = room.start(&directory.join("checkout"), RUN_CALLER);
    caller.wait_for_output("== APP == Order failed: {\"orderId\": 1}: 500 ");
    let callee = room.start(&directory.join("order-processor"), RUN_CALLEE);
    caller.wait_for_code(0);
    let passed = orders(&caller.stdout(), "== APP == Order passed");
    assert_eq!(passed.last(), Some(&ORDERS), "{}", caller.stdout());
    room.run(&directory, "dapr stop --app-id order-processor");
    callee.wait_for_code(0);
    assert_eq!(orders(&callee.stdout(), "== APP == Order received"), passed);
    room.assert_empty();
}
