//! Flask on one side, `requests` on the other.

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

fn room() -> (Room, PathBuf) {
    let example = binaries::checkout().join("examples/python");
    let requirements =
        ["order-processor", "checkout"].map(|app| example.join(app).join("requirements.txt"));
    let room = Room::new(&[&venv::with(&requirements).join("bin")]);
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

#[test]
fn python_callers_may_start_before_their_callee() {
    PYTHON.runs_caller_first(
        "== APP == Order failed: {\"orderId\": 1}: 500 ",
        &Alone::GoesOn,
    );
}
