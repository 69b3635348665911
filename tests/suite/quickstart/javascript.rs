//! express on one side, axios on the other.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tests::binaries;

use super::readme::Readme;
use super::runner::{Alone, Quickstart, Stream};
use crate::installed;
use crate::room::{Room, copy};

const JAVASCRIPT: Quickstart = Quickstart {
    room,
    callee: "dapr run --app-port 5001 --app-id order-processor --app-protocol http --dapr-http-port 3501 -- npm start",
    caller: "dapr run --app-id checkout --app-protocol http --dapr-http-port 3500 -- npm start",
    orders: 20,
    answer: "OK",
    prints_on: Stream::Stdout,
};

const APPS: [&str; 2] = ["order-processor", "checkout"];

fn room() -> (Room, PathBuf) {
    let packages = packages();
    let mut room = Room::new(&[]);
    // Without them npm asks a registry about advisories and newer versions.
    room.set("npm_config_offline", "true");
    room.set("npm_config_audit", "false");
    room.set("npm_config_update_notifier", "false");
    let directory = room.example("javascript");
    let readme = Readme::of(&directory);
    for app in APPS {
        let own = directory.join(app);
        copy(&packages.join(app), &own, &[]);
        let (status, out, err) = room.run(&own, readme.command("npm install"));
        assert!(status.success(), "{out}{err}");
        assert!(out.starts_with("\nup to date"), "{out}");
    }
    (room, directory)
}

/// A folder for each app, with the packages of its lock file.
pub(super) fn packages() -> PathBuf {
    let example = binaries::checkout().join("examples/javascript");
    let mut inputs = installed::version(&["node", "--version"]);
    for app in APPS {
        inputs.extend(fs::read(example.join(app).join("package-lock.json")).unwrap());
    }
    installed::once("javascript", &inputs, |folder| {
        for app in APPS {
            let own = folder.join(app);
            copy(&example.join(app), &own, &["node_modules"]);
            installed::run(
                Command::new("npm")
                    .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                    .current_dir(own),
            );
        }
    })
}

#[test]
fn javascript_runs_from_a_run_file() {
    JAVASCRIPT.runs_from_a_run_file();
}

#[test]
fn javascript_runs_from_two_commands() {
    JAVASCRIPT.runs_from_two_commands();
}

#[test]
fn javascript_callers_end_when_there_is_no_callee() {
    JAVASCRIPT.runs_caller_first(
        "== APP == Order failed: Request failed with status code 500",
        &Alone::Ends(1),
    );
}
