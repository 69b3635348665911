//! Readers that go away, and streams that cannot be written.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::json;

use super::fake;
use crate::tools::{Place, eventually};

/// Runs a command whose reader is gone before its first byte: its status and
/// what it said on standard error.
fn unread(mut command: Command) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).stderr(Stdio::piped()).output();
    let output = output.unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), err)
}

#[test]
fn nobody_reads_and_nobody_panics() {
    let place = Place::new();
    let id = fake::id("unread");
    let pod = place.write("pod.yaml", "kind: Pod\nmetadata: {name: a}\n");
    let pod = pod.display().to_string();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nplain";
    let log = place.write("daprd.log", "a line\n");
    let _fake = fake::sidecar(&place, &id, &json!({"daprdLogPath": log}), answer);
    for (line, code) in [
        (&["list"][..], 0),
        (&["list", "-o", "json"], 0),
        (&["list", "-o", "yaml"], 0),
        (&["version"], 0),
        (&["--version"], 0),
        (&["build-info"], 0),
        (&["--help"], 0),
        (&["run", "--help"], 0),
        (&["completion", "bash"], 0),
        (&["__complete", ""], 0),
        (&["invoke", "-a", &id, "-m", "x"], 0),
        (&["logs", "-a", &id], 0),
        (&["logs", "-a", &id, "-f"], 0),
        (&["annotate", "-k", &pod], 0),
        (&["uninstall"], 0),
        (&["nope"], 255),
        (&["list", "--nope"], 255),
        (&["run", "-f", "/nope"], 1),
    ] {
        let (status, err) = unread(place.dapr(line));
        assert_eq!(status, Some(code), "{line:?}: {err}");
        assert!(!err.contains("panicked"), "{line:?}: {err}");
    }
}

#[test]
fn a_reader_of_one_line_is_enough() {
    let place = Place::new();
    let id = fake::id("one-line");
    let log = place.write("daprd.log", &"a line\n".repeat(100_000));
    let _fake = fake::sidecar(&place, &id, &json!({"daprdLogPath": log}), "");
    for line in [&["logs", "-a", &id][..], &["logs", "-a", &id, "--follow"]] {
        let mut child = place
            .dapr(line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        assert_eq!(first, "a line\n");
        let status = eventually(|| child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0));
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        assert_eq!(err, "");
    }
}

#[test]
fn standard_error_may_be_closed() {
    let place = Place::new();
    for (line, code) in [
        (&["list", "-o", "xml"][..], 1),
        (&["list", "--nope"], 255),
        (&["stop", "nobody-6"], 0),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = place.dapr(line);
        let status = command.stdout(Stdio::null()).stderr(writer).status();
        assert_eq!(status.unwrap().code(), Some(code), "{line:?}");
    }
}

/// A full disk must not pass for a whole listing.
#[test]
fn output_that_is_lost_is_a_failure() {
    let place = Place::new();
    let id = fake::id("lost");
    let _fake = fake::sidecar(&place, &id, &json!({}), "");
    let pod = place.write("pod.yaml", "kind: Pod\nmetadata: {name: a}\n");
    let pod = pod.display().to_string();
    for line in [
        &["list"][..],
        &["list", "-o", "json"],
        &["version"],
        &["completion", "zsh"],
        &["annotate", "-k", &pod],
    ] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = place
            .dapr(line)
            .stdout(full)
            .stderr(Stdio::piped())
            .output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1), "{line:?}");
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(
            err.starts_with("❌  error writing to standard output: "),
            "{line:?}: {err}"
        );
    }
}
