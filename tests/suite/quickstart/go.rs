//! `net/http` on both sides; the apps log, so their lines are on stderr.

use std::path::PathBuf;
use std::process::Command;

use super::readme::Readme;
use super::runner::{Alone, Quickstart, Stream};
use crate::installed;
use crate::room::Room;

const GO: Quickstart = Quickstart {
    room,
    callee: "dapr run --app-port 6006 --app-id order-processor --app-protocol http --dapr-http-port 3501 -- go run .",
    caller: "dapr run --app-id checkout --dapr-http-port 3500 -- go run .",
    orders: 20,
    answer: "{\"orderId\": 43}",
    prints_on: Stream::Stderr,
};

const APPS: [&str; 2] = ["order-processor", "checkout"];

/// Modules and releases of Go are not fetched. Apps are compiled without their
/// directory: else each room would be a new place to compile them for.
const OFFLINE: [(&str, &str); 3] = [
    ("GOPROXY", "off"),
    ("GOTOOLCHAIN", "local"),
    ("GOFLAGS", "-trimpath"),
];

fn room() -> (Room, PathBuf) {
    let mut room = Room::new(&[]);
    let cache = installed::once("go-build", &installed::version(&["go", "version"]), |_| ());
    room.set("GOCACHE", &cache);
    for (name, value) in OFFLINE {
        room.set(name, value);
    }
    let directory = room.example("go");
    let readme = Readme::of(&directory);
    for app in APPS {
        // Not in the room: Go's own packages may have to be compiled first,
        // for longer than a test waits.
        installed::run(
            Command::new("sh")
                .args(["-c", readme.command("go build app.go")])
                .current_dir(directory.join(app))
                .env("GOCACHE", &cache)
                .envs(OFFLINE),
        );
    }
    (room, directory)
}

#[test]
fn go_runs_from_a_run_file() {
    GO.runs_from_a_run_file();
}

#[test]
fn go_runs_from_two_commands() {
    GO.runs_from_two_commands();
}

#[test]
fn go_runs_from_the_names_of_files() {
    let named = Quickstart {
        callee: "dapr run --app-port 6006 --app-id order-processor --app-protocol http --dapr-http-port 3501 -- go run app.go",
        caller: "dapr run --app-id checkout --app-protocol http --dapr-http-port 3500 -- go run app.go",
        ..GO
    };
    named.runs_from_two_commands();
}

#[test]
fn go_callers_report_each_order_when_there_is_no_callee() {
    GO.runs_caller_first("== APP == Order failed: 500 ", &Alone::Ends(0));
}
