//! Flask on one side, `requests` on the other.

use std::fs;
use std::path::PathBuf;

use tests::binaries;

use super::runner::{Alone, Quickstart, Stream};
use super::venv;
use crate::room::Room;

/// With Flask and `requests`.
pub(super) const PYTHON: Quickstart = Quickstart {
    room,
    callee: "dapr run --app-port 8001 --app-id order-processor --app-protocol http --dapr-http-port 3501 -- python3 app.py",
    caller: "dapr run --app-id checkout --app-protocol http --dapr-http-port 3500 -- python3 app.py",
    orders: 19,
    answer: "{\"success\": true}",
    prints_on: Stream::Stdout,
};

/// The virtual environment of both apps.
pub(super) fn environment() -> PathBuf {
    let example = binaries::checkout().join("examples/python");
    venv::with(
        &["order-processor", "checkout"].map(|app| example.join(app).join("requirements.txt")),
    )
}

fn room() -> (Room, PathBuf) {
    let room = Room::new(&[&environment().join("bin")]);
    let directory = room.example("python");
    (room, directory)
}

#[test]
fn python_runs_from_a_run_file() {
    PYTHON.runs_from_a_run_file();
}

#[test]
fn python_runs_from_two_commands() {
    PYTHON.runs_from_two_commands();
}

/// The published caller leaves it to Python when its lines are passed on.
#[test]
fn python_lines_appear_when_they_are_printed() {
    let (room, directory) = room();
    let app = "import time; print(\"early\"); time.sleep(1000)";
    let run_file = format!(
        "version: 1\napps:\n- appID: many\n  appDirPath: .\n  command: [python3, -c, '{app}']\n"
    );
    fs::write(directory.join("early.yaml"), run_file).unwrap();
    let (status, out, err) = room.run(&directory, "dapr init");
    assert!(status.success(), "{out}{err}");
    let single = format!("dapr run --app-id one -- python3 -c '{app}'");
    for (run, prefix, stop) in [
        (single.as_str(), "== APP == ", "dapr stop --app-id one"),
        (
            "dapr run -f early.yaml",
            "== APP - many == ",
            "dapr stop -f early.yaml",
        ),
    ] {
        let run = room.start(&directory, run);
        run.wait_for_output(&format!("{prefix}early\n"));
        let (status, out, err) = room.run(&directory, stop);
        assert!(status.success(), "{out}{err}");
        run.wait_for_code(0);
    }
    room.assert_empty();
}

#[test]
fn python_callers_may_start_before_their_callee() {
    PYTHON.runs_caller_first(
        "== APP == Order failed: {\"orderId\": 1}: 500 ",
        &Alone::GoesOn,
    );
}
