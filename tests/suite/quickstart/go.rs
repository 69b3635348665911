//! `net/http` on both sides; the apps log, so their lines are on stderr.

use std::path::PathBuf;

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

fn room() -> (Room, PathBuf) {
    let mut room = Room::new(&[]);
    let cache = installed::once("go-build", &installed::version(&["go", "version"]), |_| ());
    room.set("GOCACHE", cache);
    room.set("GOPROXY", "off");
    room.set("GOTOOLCHAIN", "local");
    // Else each room would be a new place to compile the apps for.
    room.set("GOFLAGS", "-trimpath");
    let directory = room.example("go");
    let readme = Readme::of(&directory);
    for app in APPS {
        let build = readme.command("go build app.go");
        let (status, out, err) = room.run(&directory.join(app), build);
        assert!(status.success(), "{out}{err}");
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
