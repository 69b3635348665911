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

#[test]
fn python_callers_may_start_before_their_callee() {
    PYTHON.runs_caller_first(
        "== APP == Order failed: {\"orderId\": 1}: 500 ",
        &Alone::GoesOn,
    );
}
