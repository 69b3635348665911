//! What a newcomer is told when something is wrong, and the lines around it
//! that scripts match: whole outputs, as golden files.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::Path;

use crate::golden::assert_golden;
use crate::runs_support::{free_port, id, kill, listener, listener_on, yaml};
use crate::tools::{Done, Place, Running, eventually};

/// Texts that differ from run to run, with their names.
struct Names(Vec<(String, &'static str)>);

impl Names {
    fn of(place: &Place, rest: &[(&str, &'static str)]) -> Self {
        let mut all: Vec<_> = rest
            .iter()
            .map(|(text, name)| ((*text).to_owned(), *name))
            .collect();
        all.push((place.path().display().to_string(), "<place>"));
        Self(all)
    }

    /// The output without daprd's own log.
    fn apply(&self, text: &str) -> String {
        let mut result = String::new();
        for line in text.lines().filter(|line| !line.starts_with("time=")) {
            let mut line = line.to_owned();
            for (text, name) in &self.0 {
                line = line.replace(text, name);
            }
            for marker in ["Port: ", "port ", "Port ", "appPID: ", "pid "] {
                line = without_numbers(&line, marker);
            }
            result.push_str(&line);
            result.push('\n');
        }
        result
    }

    fn both(&self, done: &Done) -> String {
        format!(
            "status {}\n--- stdout\n{}--- stderr\n{}",
            done.code.unwrap(),
            self.apply(&done.out),
            self.apply(&done.err)
        )
    }
}

/// Replaces the number behind each marker.
fn without_numbers(line: &str, marker: &str) -> String {
    let mut result = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(marker) {
        let (before, after) = rest.split_at(at + marker.len());
        result.push_str(before);
        rest = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
        if rest.len() != after.len() {
            result.push_str("<n>");
        }
    }
    result + rest
}

/// Ends a run with a signal and gives what it printed from the beginning.
fn ended(names: &Names, run: Running) -> String {
    kill("-TERM", run.pid());
    let (code, lines) = run.end();
    format!(
        "status {}\n{}",
        code.unwrap(),
        names.apply(&lines.join("\n"))
    )
}

/// A script in the place of a sidecar, which needs no authority.
fn with_daprd(place: &Place, script: &str, arguments: &[&str]) -> Done {
    let daprd = place.script("daprd", script);
    let line = [&["run", "--enable-mtls=false"], arguments].concat();
    place.run_with(&daprd, &line)
}

#[test]
fn a_run_and_a_run_file_print_the_lines_scripts_match() {
    let place = Place::new();
    let name = id("plain");
    let names = Names::of(&place, &[(&name, "<id>")]);
    let done = place.run(&["run", "--app-id", &name, "--", "sh", "-c", "echo hello"]);
    // The app's line comes when it comes.
    let without_app = Done {
        out: done.out.replace("== APP == hello\n", ""),
        ..done
    };
    assert_golden("run/single.txt", &names.both(&without_app));

    let done = place.run(&["run", "--app-id", &name, "-u", ".", "--", "true"]);
    assert_golden("run/sockets.txt", &names.both(&done));

    let app = |what: &str| {
        format!("{{appDirPath: ., appID: {name}-{what}, command: [sh, -c, 'sleep 1000']}}")
    };
    place.write(
        "dapr.yaml",
        &format!(
            "version: 1\napps: [{}, {{appDirPath: ., appID: {name}-b}}]",
            app("a")
        ),
    );
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line(&format!("Started Dapr with app id \"{name}-b\""));
    run.line("Writing log files");
    assert_golden("run/file-console.txt", &ended(&names, run));
    place.assert_quiet();
}

#[test]
fn an_app_that_ends_at_once_is_told_with_its_last_lines() {
    let place = Place::new();
    let name = id("ends");
    let names = Names::of(&place, &[(&name, "<id>")]);
    let done = place.run(&[
        "run",
        "--app-id",
        &name,
        "--",
        "sh",
        "-c",
        "echo why; echo reason >&2; exit 3",
    ]);
    let at = |text: &str| done.out.find(text).unwrap();
    assert!(at("== APP == why\n") < at("shutting down"));
    assert_eq!(
        done.err,
        "== APP == reason\n❌  The App process exited with error code: 3\n❌  Error exiting App: app exited with status 3\n"
    );

    // Only a file has the lines: its end is shown.
    place.write(
        "dapr.yaml",
        &format!(
            "version: 1\ncommon: {{appLogDestination: file}}\napps: [{{appDirPath: ., appID: {name}, command: [sh, -c, 'seq 20; exit 4']}}]"
        ),
    );
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line("Writing log files");
    run.line("    20");
    let text = ended(&names, run);
    let stamp = text
        .find("<id>_app_")
        .map(|at| text[at + 9..at + 23].to_owned())
        .unwrap();
    assert_golden("run/file-app-ended.txt", &text.replace(&stamp, "<time>"));
}

#[test]
fn a_taken_app_port_is_told_with_its_holder() {
    let place = Place::new();
    let (first, second) = (id("holder"), id("newcomer"));
    let port = free_port();
    let shown = port.to_string();
    let mut command = place.dapr(&["run", "--app-id", &first, "--app-port", &shown, "--"]);
    command.args(listener_on(Ipv4Addr::LOCALHOST.into(), port));
    let mut run = Running::start(command);
    run.line("You're up and running!");
    eventually(|| std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let comm = fs::read_to_string("/proc/self/comm").unwrap();
    let names = Names::of(
        &place,
        &[
            (&first, "<holder>"),
            (&second, "<id>"),
            (&shown, "<1>"),
            (comm.trim_end(), "<suite>"),
        ],
    );
    let mut command = place.dapr(&["run", "--app-id", &second, "--app-port", &shown, "--"]);
    command.args(["sh", "-c", "sleep 0.2; exit 1"]);
    let done = Done::of(command.output().unwrap());
    assert_golden("run/app-port-taken.txt", &names.both(&done));

    place.write(
        "dapr.yaml",
        &format!("version: 1\napps: [{{appDirPath: ., appID: {second}, appPort: {port}, command: [sh, -c, 'exit 1']}}]"),
    );
    let mut two = Running::start(place.dapr(&["run", "-f", "."]));
    two.line("The App process exited with error code");
    assert_golden("run/file-app-port-taken.txt", &ended(&names, two));
    kill("-TERM", run.pid());
    assert_eq!(run.end().0, Some(0));
}

#[test]
fn a_taken_dapr_port_is_told_with_its_holder() {
    let place = Place::new();
    let name = id("sidecar");
    let mut run = Running::start(place.dapr(&["run", "--app-id", &name]));
    run.line("You're up and running!");
    let list = place.run(&["list", "-o", "json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&list.out).unwrap();
    let row = rows.iter().find(|row| row["appId"] == name).unwrap();
    let sidecars = row["httpPort"].to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = listener.local_addr().unwrap().port().to_string();
    let comm = fs::read_to_string("/proc/self/comm").unwrap();
    let names = Names::of(
        &place,
        &[
            (&name, "<id>"),
            (&sidecars, "<1>"),
            (&ours, "<2>"),
            (comm.trim_end(), "<suite>"),
        ],
    );
    let mut text = String::new();
    for line in [
        &["-H", &sidecars][..],
        &["--dapr-grpc-port", &ours],
        &["-M", &ours, "-I", "70000"],
        &["-I", "70000"],
        &["-H", "70", "-G", "70"],
    ] {
        let done = place.run(&[&["run", "--app-id", "x"], line, &["--", "true"]].concat());
        // Who may have a port below 1024 depends on who asks.
        if line[1] != "70" {
            text.push_str(&names.both(&done));
        }
        assert_eq!(done.code, Some(1));
    }
    place.write(
        "dapr.yaml",
        &format!("version: 1\napps: [{{appDirPath: ., appID: x, metricsPort: {ours}}}]"),
    );
    text.push_str(&names.both(&place.run(&["run", "-f", "."])));
    assert_golden("run/dapr-port-taken.txt", &text);
    kill("-TERM", run.pid());
    assert_eq!(run.end().0, Some(0));
}

#[test]
fn a_second_app_of_one_id_is_noted() {
    let place = Place::new();
    let name = id("twice");
    let mut run = Running::start(place.dapr(&["run", "--app-id", &name]));
    run.line("You're up and running!");
    let names = Names::of(&place, &[(&name, "<id>")]);
    let done = place.run(&["run", "--app-id", &name, "--", "true"]);
    assert_golden("run/same-id.txt", &names.both(&done));
    // Another namespace is another app.
    let mut command = place.dapr(&["run", "--app-id", &name, "--", "true"]);
    let done = Done::of(command.env("NAMESPACE", "other").output().unwrap());
    assert!(!done.out.contains("is running already"), "{}", done.out);
    kill("-TERM", run.pid());
    assert_eq!(run.end().0, Some(0));
}

#[test]
fn an_app_that_listens_elsewhere_is_told_where() {
    let place = Place::new();
    let (wanted, other) = (free_port(), free_port());
    let (shown, other_shown) = (wanted.to_string(), other.to_string());
    let name = id("elsewhere");
    let names = Names::of(
        &place,
        &[(&name, "<id>"), (&shown, "<1>"), (&other_shown, "<2>")],
    );
    let silent = vec!["sleep".to_owned(), "1000".to_owned()];
    let mut text = String::new();
    for app in [
        listener_on(Ipv4Addr::LOCALHOST.into(), other),
        listener_on(Ipv6Addr::LOCALHOST.into(), wanted),
        silent,
    ] {
        let mut command = place.dapr(&["run", "--app-id", &name, "--app-port", &shown, "--"]);
        command.args(&app);
        let mut run = Running::start(command);
        let line = run.line("⚠  ");
        text.push_str(&names.apply(&line));
        kill("-TERM", run.pid());
        assert_eq!(run.end().0, Some(0));

        place.write(
            "dapr.yaml",
            &format!(
                "version: 1\napps: [{{appDirPath: ., appID: {name}, appPort: {wanted}, command: {}}}]",
                yaml(&app)
            ),
        );
        let mut run = Running::start(place.dapr(&["run", "-f", "."]));
        let line = run.line("⚠  ");
        text.push_str(&names.apply(&line));
        kill("-TERM", run.pid());
        assert_eq!(run.end().0, Some(0));
    }
    assert_golden("run/app-listens-elsewhere.txt", &text);

    // One that listens where it should is not talked about.
    let mut command = place.dapr(&["run", "--app-id", &name, "--app-port", &shown, "--"]);
    command.args(listener_on(Ipv4Addr::UNSPECIFIED.into(), wanted));
    let mut run = Running::start(command);
    run.line("application discovered on port");
    kill("-TERM", run.pid());
    let (_, lines) = run.end();
    assert!(!lines.iter().any(|line| line.contains('⚠')), "{lines:#?}");
}

#[test]
fn what_the_sidecar_complains_of_is_brought_forward() {
    let place = Place::new();
    let name = id("complains");
    let names = Names::of(&place, &[(&name, "<id>")]);
    place.write("broken.yaml", "kind: [");
    let mut text = String::new();
    for line in [
        &["--config", "broken.yaml"][..],
        &["--app-protocol", "htpp"],
        &["--log-level", "loud"],
        &["--app-protocol", "tcp", "--log-as-json"],
    ] {
        let done = place.run(&[&["run", "--app-id", &name], line, &["--", "true"]].concat());
        assert_eq!(done.code, Some(1), "{done:?}");
        for line in done
            .out
            .lines()
            .filter(|line| line.contains("daprd said") || line.contains("is none of"))
        {
            // JSON lines carry the time.
            let line = match serde_json::from_str::<serde_json::Value>(line) {
                Ok(line) => format!("{} {}", line["status"], line["msg"]),
                Err(_) => line.to_owned(),
            };
            text.push_str(&names.apply(&line));
        }
    }
    place.write(
        "dapr.yaml",
        &format!("version: 1\napps: [{{appDirPath: ., appID: {name}, configFilePath: broken.yaml, appProtocol: grcp, command: ['true']}}]"),
    );
    text.push_str(&names.both(&place.run(&["run", "-f", "."])));
    assert_golden("run/daprd-said.txt", &text);
    place.assert_quiet();
}

#[test]
fn a_resource_file_that_is_no_yaml_is_named() {
    let place = Place::new();
    let name = id("resources");
    place.write("resources/broken.yaml", "kind: Resiliency\nspec: [\n");
    let told = format!(
        "⚠  {}/resources/broken.yaml is ignored: ",
        place.path().display()
    );
    let resources = place.path().join("resources").display().to_string();
    let done = place.run(&[
        "run",
        "--app-id",
        &name,
        "--resources-path",
        &resources,
        "--",
        "true",
    ]);
    let at = |text: &str| {
        done.out
            .find(text)
            .unwrap_or_else(|| panic!("{text}: {done:?}"))
    };
    assert!(at(&told) < at("Starting Dapr with id"));
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    place.write(
        "dapr.yaml",
        &format!("version: 1\napps: [{{appDirPath: ., appID: {name}, resourcesPath: resources}}]"),
    );
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line(&told);
    run.line("Started Dapr with app id");
    kill("-TERM", run.pid());
    assert_eq!(run.end().0, Some(0));
}

#[test]
fn a_sidecar_that_is_late_is_asked_why() {
    let place = Place::new();
    let daprd = place.script(
        "daprd",
        "echo 'time=\"t\" level=warning msg=\"sentry is not there yet\" app_id=a'; exec sleep 1000",
    );
    place.write(
        "dapr.yaml",
        "version: 1\napps: [{appDirPath: ., appID: late, command: ['true']}]",
    );
    place.write(
        "with-port.yaml",
        "version: 1\napps: [{appDirPath: ., appID: late, appPort: 1, command: [sleep, '1000']}]",
    );
    // One with a port is registered for fifteen seconds; all at once.
    let mut runs = [
        &["--app-id", "late", "--", "true"][..],
        &["-f", "."],
        &["--app-id", "late", "-p", "1", "--", "sleep", "1000"],
        &["-f", "with-port.yaml"],
    ]
    .map(|arguments| {
        let mut command = place.dapr(&["run", "--enable-mtls=false"]);
        command.args(arguments).env("DAPRD_BIN", &daprd);
        Running::start(command)
    });
    for run in &mut runs {
        run.line("⚠  The sidecar of app \"late\" is not ready yet: sentry is not there yet");
    }
    for run in runs {
        kill("-INT", run.pid());
        assert_eq!(run.end().0, Some(0));
    }
    place.assert_quiet();
}

#[test]
fn commands_that_are_no_programs_are_explained() {
    let place = Place::new();
    let names = Names::of(&place, &[]);
    place.write("here", "");
    place.script("here-and-executable", "true");
    place.write("text", "");
    place.script("windows", "");
    fs::write(place.path().join("windows"), "#!/bin/sh\r\ntrue\r\n").unwrap();
    place.script("no-interpreter", "");
    fs::write(place.path().join("no-interpreter"), "#!/opt/nothing here\n").unwrap();
    let mut text = String::new();
    for command in [
        &["cd", "app", "&&", "npm", "start"][..],
        &["A=1", "node", "app.js"],
        &["node app.js"],
        &["here-and-executable"],
        &["./text"],
        &["./windows"],
        &["./no-interpreter"],
        &["no-such-program"],
    ] {
        let line = [&["-a", "x", "-p", "1", "--"], command].concat();
        let done = with_daprd(&place, "exec sleep 1000", &line);
        text.push_str(&names.both(&done));
        let words: Vec<String> = command.iter().map(ToString::to_string).collect();
        place.write(
            "dapr.yaml",
            &format!(
                "version: 1\napps: [{{appDirPath: ., appID: x, appPort: 1, command: {}}}]",
                yaml(&words)
            ),
        );
        let done = with_daprd(&place, "exec sleep 1000", &["-f", "."]);
        text.push_str(&names.both(&done));
    }
    assert_golden("run/no-program.txt", &text);
    place.assert_quiet();
}

#[test]
fn missing_programs_are_told_with_what_installs_them() {
    let place = Place::new();
    let names = Names::of(&place, &[]);
    let mut text = String::new();
    place.write("dapr.yaml", "version: 1\napps: [{appDirPath: ., appID: x}]");
    let missing = Path::new("/nope/daprd");
    for line in [
        &["run", "-a", "x", "--enable-mtls=false", "--", "true"][..],
        &["run", "-f", ".", "--enable-mtls=false"],
    ] {
        text.push_str(&names.both(&place.run_with(missing, line)));
    }
    assert_golden("run/missing-daprd.txt", &text);
}

#[test]
fn an_app_that_serves_is_not_warned_about() {
    let place = Place::new();
    let name = id("serves");
    let port = free_port();
    let mut command = place.dapr(&["run", "--app-id", &name, "-p", &port.to_string(), "--"]);
    command.args(listener()).env("CLI_SUITE_LISTEN", "APP_PORT");
    let mut run = Running::start(command);
    run.line("You're up and running!");
    eventually(|| std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    kill("-TERM", run.pid());
    let (code, lines) = run.end();
    assert_eq!(code, Some(0));
    assert!(!lines.iter().any(|line| line.contains('⚠')), "{lines:#?}");
}
