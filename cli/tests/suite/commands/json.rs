//! `--log-as-json`: every status line of every command is one object.

use serde_json::{Value, json};

use super::fake;
use crate::tools::{Done, Place, Running};

/// The objects of a stream, all of whose lines are some.
fn statuses(text: &str) -> Vec<(String, String)> {
    text.lines()
        .map(|line| {
            let object: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
            let keys: Vec<&String> = object.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["msg", "status", "time"], "{line}");
            let time = object["time"].as_str().unwrap();
            assert!(time.contains('T') && time.ends_with('Z'), "{line}");
            let text = |key: &str| object[key].as_str().unwrap().to_owned();
            (text("status"), text("msg"))
        })
        .collect()
}

#[test]
fn failures_are_objects() {
    let place = Place::new();
    for (line, message) in [
        ("list -o xml", "An invalid output format was specified."),
        ("version -o xml", "An invalid output format was specified."),
        (
            "invoke -a nobody-5 -m x",
            "error invoking app nobody-5: app ID nobody-5 not found",
        ),
        ("logs -a nobody-5", "couldn't find app id nobody-5"),
        (
            "dashboard",
            "there is no dashboard in Dapr 1.18; use: dapr list",
        ),
        (
            "init --runtime-version 1.2.3",
            "cannot install runtime version 1.2.3: this is 1.18.0",
        ),
        (
            "run --resources-path /nope -- true",
            "error validating resources path [\"/nope\"] : stat /nope: no such file or directory",
        ),
        (
            "run -f /nope",
            "Failed to get run file path: error getting file info for /nope: stat /nope: no such file or directory",
        ),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let done = place.run(&[&["--log-as-json"], &words[..]].concat());
        assert_eq!(done.code, Some(1), "{line}");
        assert_eq!(
            statuses(&done.err),
            [("failure".to_owned(), message.to_owned())],
            "{line}"
        );
    }
    for command in [
        "init -k",
        "uninstall -k",
        "list -k",
        "stop -k",
        "logs -k -a x",
        "status -k",
        "mtls -k",
        "mtls expiry",
        "mtls export",
        "mtls rnc -k",
        "configurations -k",
        "components -k",
        "upgrade -k --runtime-version 1",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        let done = place.run(&[&words[..], &["--log-as-json"]].concat());
        let [(status, message)] = &statuses(&done.err)[..] else {
            panic!("{command}: {}", done.err);
        };
        assert_eq!(status, "failure");
        assert!(message.contains("is not available yet; use: "), "{message}");
    }
}

fn kinds(done: &Done) -> Vec<String> {
    statuses(&done.out)
        .into_iter()
        .map(|(status, _)| status)
        .collect()
}

#[test]
fn progress_is_objects() {
    let place = Place::new();
    for name in ["daprd", "sentry"] {
        place.script(&format!("programs/{name}"), "echo 1.18.0");
    }
    let done = place.run(&["init", "--from-dir", "programs", "--log-as-json"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert_eq!(
        kinds(&done),
        [
            "pending", "info", "success", "info", "info", "info", "info", "info", "info", "success"
        ]
    );
    let done = place.run(&["uninstall", "--log-as-json", "--all"]);
    assert_eq!(kinds(&done), ["info", "info", "info", "success"]);
    // The second time there is nothing.
    let done = place.run(&["uninstall", "--log-as-json"]);
    assert_eq!(kinds(&done), ["info", "info", "warning", "success"]);
}

/// The lines of sidecars are objects as well, and those of apps their own.
#[test]
fn runs_print_objects() {
    let place = Place::new();
    let (single, several) = (fake::id("json-single"), fake::id("json-several"));
    place.write(
        "dapr.yaml",
        &format!("version: 1\napps: [{{appDirPath: ., appID: {several}, command: [echo, hi]}}]\n"),
    );
    let mut of_file = Running::start(place.dapr(&["run", "-f", ".", "--log-as-json"]));
    of_file.line("Exited App successfully");
    place.run(&["stop", &several]);
    let (code, lines_of_file) = of_file.end();
    assert_eq!(code, Some(0));
    let done = place.run(&["run", "--log-as-json", "-a", &single, "--", "echo", "hi"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    for (lines, prefix) in [
        (
            done.out.lines().map(str::to_owned).collect(),
            "== APP == ".to_owned(),
        ),
        (lines_of_file, format!("== APP - {several} == ")),
    ] {
        let lines: Vec<String> = lines;
        let (app, own): (Vec<_>, Vec<_>) = lines
            .iter()
            .filter(|line| !line.is_empty())
            .partition(|line| line.starts_with(&prefix));
        assert_eq!(app, [&format!("{prefix}hi")]);
        for line in own {
            let object: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
            assert!(
                object["msg"].is_string() && object["time"].is_string(),
                "{line}"
            );
        }
    }
}

#[test]
fn data_is_no_status() {
    let place = Place::new();
    let id = fake::id("plain");
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nplain";
    let log = place.write("daprd.log", "a line\n");
    let mut fake = fake::sidecar(&place, &id, &json!({"daprdLogPath": log}), answer);
    let success = |done: Done, data: &str, message: &str| {
        let status = done.out.strip_prefix(data).unwrap();
        assert_eq!(
            statuses(status),
            [("success".to_owned(), message.to_owned())]
        );
    };
    let done = place.run(&["invoke", "--log-as-json", "-a", &id, "-m", "x"]);
    success(done, "plain\n", "App invoked successfully");
    let done = place.run(&["logs", "--log-as-json", "-a", &id]);
    success(done, "a line\n", "Fetched logs");
    assert!(
        place
            .run(&["list", "--log-as-json"])
            .out
            .starts_with("  APP ID ")
    );
    for line in ["version", "build-info", "completion bash"] {
        let words: Vec<&str> = line.split(' ').collect();
        let plain = place.run(&words);
        let json = place.run(&[&words[..], &["--log-as-json"]].concat());
        assert_eq!(plain.out, json.out);
    }
    let reaper = std::thread::spawn(move || fake.end());
    let done = place.run(&["stop", "--log-as-json", &id]);
    success(done, "", &format!("app stopped successfully: {id}"));
    reaper.join().unwrap();
}
