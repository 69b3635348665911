//! `logs`: files of run files, followed and not, and output that is elsewhere.

use std::fs::{self, OpenOptions};
use std::io::Write;

use serde_json::json;

use super::fake::{self, Fake};
use crate::tools::{Place, Running};

const FETCHED: &str = "✅  Fetched logs\n";

/// A sidecar whose files are in the place.
fn with_files(place: &Place, id: &str) -> Fake {
    let extended = json!({
        "cliPID": "1",
        "appLogPath": place.write("app.log", &format!("== APP - {id} == hello\n")),
        "daprdLogPath": place.write("daprd.log", "level=info\n"),
    });
    fake::sidecar(place, id, &extended, "")
}

fn append(place: &Place, name: &str, text: &[u8]) {
    let path = place.path().join(name);
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text).unwrap();
}

#[test]
fn the_sidecars_file_is_printed_and_the_apps_on_demand() {
    let place = Place::new();
    let id = fake::id("printed");
    let _fake = with_files(&place, &id);
    let done = place.run(&["logs", "-a", &id]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert_eq!(done.out, format!("level=info\n{FETCHED}"));
    let done = place.run(&["logs", "--app-id", &id, "--app"]);
    assert_eq!(done.out, format!("== APP - {id} == hello\n{FETCHED}"));

    // Any bytes, and more than fit a buffer.
    let bytes = vec![0xff; 300_000];
    fs::write(place.path().join("daprd.log"), &bytes).unwrap();
    let output = place.dapr(&["logs", "-a", &id]).output().unwrap();
    assert!(output.stdout == [&bytes, FETCHED.as_bytes()].concat());
}

#[test]
fn a_followed_file_is_printed_until_the_sidecar_ends() {
    let place = Place::new();
    let id = fake::id("followed");
    let mut fake = with_files(&place, &id);
    let mut follow = Running::start(place.dapr(&["logs", "-a", &id, "-f"]));
    follow.line("level=info");
    append(&place, "daprd.log", b"level=warn\n");
    follow.line("level=warn");
    // Somebody emptied it.
    place.write("daprd.log", "");
    std::thread::sleep(std::time::Duration::from_millis(300));
    append(&place, "daprd.log", b"level=error\n");
    follow.line("level=error");
    append(&place, "daprd.log", b"last words");
    fake.child.kill().unwrap();
    fake.child.wait().unwrap();
    let (code, lines) = follow.end();
    assert_eq!(code, Some(0));
    assert_eq!(lines.last().unwrap(), "last words✅  Fetched logs");
}

#[test]
fn logs_of_a_run_file_are_found() {
    let place = Place::new();
    let id = fake::id("in-file");
    place.write(
        "dapr.yaml",
        &format!(
            "version: 1\napps:\n- {{appDirPath: ., appID: {id}, command: [sh, -c, 'echo hello; sleep 1000'], daprdLogDestination: console}}\n"
        ),
    );
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line(&format!("== APP - {id} == hello"));
    run.line("Started Dapr with app id");
    let mut follow = Running::start(place.dapr(&["logs", "-a", &id, "--app", "--follow"]));
    follow.line(&format!("== APP - {id} == hello"));
    // This destination is the console, so it is where `dapr run` prints.
    let done = place.run(&["logs", "-a", &id]);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.err,
        format!(
            "❌  the sidecar with app id {id} writes no log file: its output goes to a pipe that process {} (dapr run) was given\n",
            run.pid()
        )
    );
    place.run(&["stop", "-f", "."]);
    assert_eq!(run.end().0, Some(0));
    let (code, lines) = follow.end();
    assert_eq!(
        (code, lines.last().unwrap().as_str()),
        (Some(0), FETCHED.trim_end())
    );
}

#[test]
fn output_that_is_in_no_file_is_pointed_at() {
    let place = Place::new();
    let id = fake::id("elsewhere-logs");
    let out = place.write("run.out", "");
    // A process in the place of `dapr run`, which prints to a file.
    let runner = std::process::Command::new("sleep")
        .arg("1000")
        .stdout(fs::File::create(&out).unwrap())
        .spawn();
    let mut runner = runner.unwrap();
    let pid = runner.id();
    let _fake = fake::sidecar(&place, &id, &json!({"cliPID": pid.to_string()}), "");
    for (flags, what) in [
        (&["-a", &id][..], "the sidecar"),
        (&["-a", &id, "--app"], "the app"),
    ] {
        let done = place.run(&[&["logs"], flags].concat());
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
        assert_eq!(
            done.err,
            format!(
                "❌  {what} with app id {id} writes no log file: its output goes to {}, the standard output of process {pid} (dapr run)\n",
                out.display()
            )
        );
    }
    runner.kill().unwrap();
    runner.wait().unwrap();
    let done = place.run(&["logs", "-a", &id]);
    let end = format!("goes to where process {pid} (dapr run) was started\n");
    assert!(done.err.ends_with(&end), "{}", done.err);
}

/// `script` gives a terminal to what it runs.
#[test]
fn output_on_a_terminal_is_pointed_at() {
    let place = Place::new();
    let id = fake::id("terminal");
    let sleeper = place.script("sleeper", "tty >tty.txt; echo $$ >pid.txt; exec sleep 1000");
    let mut script = std::process::Command::new("script")
        .args([
            "--quiet",
            "--command",
            &sleeper.display().to_string(),
            "/dev/null",
        ])
        .current_dir(place.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let read = |name: &str| {
        crate::tools::eventually(|| {
            let text = fs::read_to_string(place.path().join(name)).ok()?;
            text.ends_with('\n').then(|| text.trim().to_owned())
        })
    };
    let (pid, tty) = (read("pid.txt"), read("tty.txt"));
    let _fake = fake::sidecar(&place, &id, &json!({"cliPID": pid}), "");
    let done = place.run(&["logs", "-a", &id]);
    assert_eq!(
        done.err,
        format!(
            "❌  the sidecar with app id {id} writes no log file: its output goes to the terminal {tty} of process {pid} (dapr run)\n"
        )
    );
    script.kill().unwrap();
    script.wait().unwrap();
    let _ = std::process::Command::new("kill").arg(&pid).status();
}

#[test]
fn logs_that_cannot_be_read_are_said() {
    let place = Place::new();
    let done = place.run(&["logs", "-a", "nobody-3"]);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert_eq!(done.err, "❌  couldn't find app id nobody-3\n");

    let id = fake::id("gone");
    let _fake = with_files(&place, &id);
    fs::remove_file(place.path().join("daprd.log")).unwrap();
    let done = place.run(&["logs", "-a", &id]);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    let start = format!(
        "❌  error reading log file {}: ",
        place.path().join("daprd.log").display()
    );
    assert!(done.err.starts_with(&start), "{}", done.err);
}
