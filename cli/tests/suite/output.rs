//! `== APP ==` lines: of any length, of any bytes, in order, none lost.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use crate::runs_support::{Terminal, id, kill};
use crate::tools::{Done, Place, Running, eventually};

/// What is behind the prefix of the app's lines.
fn app_lines(out: &[u8], prefix: &str) -> Vec<Vec<u8>> {
    out.split(|byte| *byte == b'\n')
        .filter_map(|line| Some(line.strip_prefix(prefix.as_bytes())?.to_vec()))
        .collect()
}

/// Starts a run whose output is read by the test itself.
fn piped(place: &Place, app: &str) -> Child {
    place
        .dapr(&["run", "--enable-mtls=false", "--", "sh", "-c", app])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn bytes_of_an_app_are_not_changed() {
    let place = Place::new();
    // More than a pipe holds, and less than is passed on in pieces, between
    // which others may write.
    let long = "x".repeat(700 << 10);
    place.write("long", &long);
    let app = r"cat long; printf '\n\377\376 \200\r\n\ttab\n\n'; printf 'no end'; cat long >&2; printf '\377' >&2";
    let output = piped(&place, app).wait_with_output().unwrap();
    let prefix = "== APP == ";
    let expected: [&[u8]; 5] = [
        long.as_bytes(),
        b"\xff\xfe \x80\r",
        b"\ttab",
        b"",
        b"no end",
    ];
    assert!(app_lines(&output.stdout, prefix) == expected);
    let expected = [b"== APP == ", long.as_bytes(), b"\xff\n"].concat();
    assert!(output.stderr == expected);
}

#[test]
fn a_line_without_end_takes_little_memory() {
    const SIZE: usize = 64 << 20;
    let place = Place::new();
    let app = format!("head -c {SIZE} /dev/zero; touch written; sleep 1000");
    let mut child = piped(&place, &app);
    let mut out = child.stdout.take().unwrap();
    let counter = thread::spawn(move || {
        let (mut zeros, mut prefixes) = (0, 0);
        let mut piece = vec![0; 1 << 16];
        while let Ok(read @ 1..) = out.read(&mut piece) {
            let text = String::from_utf8_lossy(&piece[..read]).into_owned();
            zeros += text.matches('\0').count();
            prefixes += text.matches("== APP ==").count();
        }
        (zeros, prefixes)
    });
    eventually(|| place.path().join("written").exists().then_some(()));
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let peak: usize = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("peak memory with a line of 64 MiB: {peak} KiB");
    assert!(peak < 32 << 10, "{peak} KiB");
    kill("-TERM", i32::try_from(child.id()).unwrap());
    assert!(child.wait().unwrap().success());
    assert_eq!(counter.join().unwrap(), (SIZE, 1));
}

#[test]
fn a_slow_reader_slows_the_app_down_and_loses_nothing() {
    let place = Place::new();
    const LINES: usize = 200_000;
    let app = format!("seq 1 {LINES}; seq 1 {LINES} >&2; touch written");
    let mut child = piped(&place, &app);
    // The pipes hold far less.
    thread::sleep(Duration::from_millis(500));
    assert!(!place.path().join("written").exists());
    let mut err = child.stderr.take().unwrap();
    let errors = thread::spawn(move || {
        let mut all = Vec::new();
        err.read_to_end(&mut all).unwrap();
        all
    });
    let mut out = child.stdout.take().unwrap();
    let mut all = Vec::new();
    let mut piece = vec![0; 1 << 16];
    while let Ok(read @ 1..) = out.read(&mut piece) {
        all.extend(&piece[..read]);
        thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    for stream in [all, errors.join().unwrap()] {
        let lines = app_lines(&stream, "== APP == ");
        assert_eq!(lines.len(), LINES);
        for (at, line) in lines.iter().enumerate() {
            assert_eq!(line, (at + 1).to_string().as_bytes());
        }
    }
}

#[test]
fn the_last_lines_of_an_app_are_read_however_slowly() {
    let place = Place::new();
    const LINES: usize = 20_000;
    let app = format!("seq 1 {LINES}");
    let mut child = piped(&place, &app);
    let mut out = child.stdout.take().unwrap();
    let mut all = Vec::new();
    let mut piece = vec![0; 4096];
    while let Ok(read @ 1..) = out.read(&mut piece) {
        all.extend(&piece[..read]);
        thread::sleep(Duration::from_millis(40));
    }
    assert!(child.wait().unwrap().success());
    let lines = app_lines(&all, "== APP == ");
    assert_eq!(lines.len(), LINES);
    let text = String::from_utf8(all).unwrap();
    let at = |text_: &str| text.find(text_).unwrap();
    assert!(at(&format!("== APP == {LINES}\n")) < at("✅  Exited App successfully"));
}

#[test]
fn lines_of_two_streams_never_mix() {
    let place = Place::new();
    place.script(
        "app",
        "(for i in $(seq 2000); do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done) &
         (for i in $(seq 2000); do echo bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb >&2; done) &
         wait",
    );
    let name = id("streams");
    let output = place
        .dapr(&[
            "run",
            "--app-id",
            &name,
            "--",
            "sh",
            "-c",
            "exec ./app 2>&1",
        ])
        .output()
        .unwrap();
    let lines = app_lines(&output.stdout, "== APP == ");
    assert_eq!(lines.len(), 4000);
    for line in lines {
        assert_eq!(line.len(), 51);
        assert!(line.iter().all(|byte| *byte == line[0]));
    }

    // A run file merges the streams, in the order of writing.
    place.write(
        "dapr.yaml",
        &format!(
            "version: 1\napps: [{{appDirPath: ., appID: {name}, command: [sh, -c, 'for i in 1 2 3; do echo out $i; echo err $i >&2; done; echo end']}}]"
        ),
    );
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line("== end");
    kill("-TERM", run.pid());
    let (_, lines) = run.end();
    let prefix = format!("== APP - {name} == ");
    let told: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix(&prefix))
        .collect();
    assert_eq!(
        told,
        ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3", "end"]
    );
}

#[test]
fn the_prefix_can_be_switched_off() {
    let place = Place::new();
    for (variable, flag, prefixed) in [
        ("false", None, false),
        ("0", Some("--app-log-prefix"), true),
        ("true", Some("--app-log-prefix=false"), false),
        ("nonsense", None, true),
    ] {
        let mut command = place.dapr(&["run", "--enable-mtls=false"]);
        command.args(flag);
        command.args(["--", "sh", "-c", "echo out; echo err >&2"]);
        command.env("DAPR_APP_LOG_PREFIX", variable);
        let done = Done::of(command.output().unwrap());
        assert_eq!(done.code, Some(0), "{done:?}");
        let prefix = if prefixed { "== APP == " } else { "" };
        assert!(
            done.out.contains(&format!("\n{prefix}out\n")),
            "{}",
            done.out
        );
        assert_eq!(done.err, format!("{prefix}err\n"));
    }
}

#[test]
fn output_that_is_read_is_asked_for_line_by_line() {
    let place = Place::new();
    for (prefix, given, expected) in [
        ("true", None, "1"),
        ("true", Some(""), ""),
        ("false", None, "unset"),
    ] {
        let mut command = place.dapr(&["run", "--enable-mtls=false", "--", "sh", "-c"]);
        command.arg("echo \"python: ${PYTHONUNBUFFERED-unset}.\"");
        command.env("DAPR_APP_LOG_PREFIX", prefix);
        command.env_remove("PYTHONUNBUFFERED");
        command.envs(given.map(|value| ("PYTHONUNBUFFERED", value)));
        let done = Done::of(command.output().unwrap());
        let line = format!("python: {expected}.\n");
        assert!(done.out.contains(&line), "{line:?}: {}", done.out);
    }
}

#[test]
fn without_the_prefix_an_app_may_ask_the_terminal() {
    let place = Place::new();
    place.script(
        "app",
        "test -t 1 && printf 'name? '; read -r name; echo \"hello $name\"",
    );
    let name = id("asks");
    let line = format!("exec \"$DAPR\" run --app-id {name} --app-log-prefix=false -- ./app");
    let mut terminal = Terminal::start(&place, &line);
    // Without a line end: the app has the terminal itself.
    terminal.wait_for("name? ");
    terminal.type_keys(b"world\n");
    assert_eq!(terminal.end(), Some(0));
    terminal.wait_for("hello world\r\n");
    place.assert_quiet();
}

#[test]
fn colours_are_for_terminals() {
    let place = Place::new();
    let name = id("colours");
    let app = "printf \"\\033[32mgreen\\033[0m plain\\n\"";
    place.script("app", app);
    for (before, coloured) in [("", true), ("NO_COLOR=1 ", false), ("TERM=dumb ", false)] {
        let line = format!("{before}exec \"$DAPR\" run --app-id {name} -- ./app");
        let mut terminal = Terminal::start(&place, &line);
        assert_eq!(terminal.end(), Some(0));
        let text = "== APP == \x1b[32mgreen\x1b[0m plain";
        let expected = if coloured {
            format!("\x1b[94;1m{text}\x1b[0m\r\n")
        } else {
            format!("\n{text}\r\n")
        };
        eventually(|| terminal.screen().contains(&expected).then_some(()));
    }
    let done = place.run(&["run", "--app-id", &name, "--", "./app"]);
    assert!(done.out.contains("== APP == \x1b[32mgreen\x1b[0m plain\n"));
    assert!(!done.out.contains("\x1b[94;1m"), "{}", done.out);
}

/// Every log file of a directory, without the time in its name.
fn logs(directory: &Path) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut all: Vec<(String, String)> = entries
        .flatten()
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let (before, stamp) = name.rsplit_once('_').unwrap();
            let stamp = stamp.strip_suffix(".log").unwrap();
            assert!(
                stamp.len() == 14 && stamp.bytes().all(|byte| byte.is_ascii_digit()),
                "{name}"
            );
            let text = fs::read_to_string(entry.path()).unwrap();
            (before.to_owned(), text)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_log_destination_gets_its_lines() {
    for (app, app_console, app_file) in [
        ("console", true, false),
        ("file", false, true),
        ("fileAndConsole", true, true),
    ] {
        for (daprd, daprd_console, daprd_file) in [
            ("console", true, false),
            ("file", false, true),
            ("fileAndConsole", true, true),
        ] {
            let place = Place::new();
            let name = id("logs");
            place.script(
                "shop/app",
                "printf '\\033[31mout\\033[0m\\n'; echo err >&2; exec sleep 1000",
            );
            place.write(
                "dapr.yaml",
                &format!(
                    "version: 1
common: {{appLogDestination: {app}, daprdLogDestination: console}}
apps: [{{appDirPath: shop, appID: {name}, daprdLogDestination: {daprd}, command: [./app]}}]"
                ),
            );
            let mut run = Running::start(place.dapr(&["run", "-f", "."]));
            run.line("Writing log files to directory : ");
            let row = place.run(&["list", "-o", "json"]);
            let directory = place.path().join("shop/.dapr/logs");
            let shown = directory.display().to_string();
            let rows: Vec<serde_json::Value> = serde_json::from_str(&row.out).unwrap();
            let row = rows.iter().find(|row| row["appId"] == name).unwrap();
            for (key, file) in [("appLogPath", app_file), ("daprdLogPath", daprd_file)] {
                let path = row[key].as_str().unwrap();
                assert_eq!(path.starts_with(&shown), file, "{key}: {path}");
            }
            // The sidecar's own log says so.
            if app_file {
                eventually(|| {
                    let all = logs(&directory);
                    all.iter()
                        .any(|(_, text)| text.contains("err"))
                        .then_some(())
                });
            } else {
                run.line("err");
            }
            kill("-TERM", run.pid());
            let (code, lines) = run.end();
            assert_eq!(code, Some(0));
            let on_console = |text: &str| lines.iter().any(|line| line.contains(text));
            let prefix = format!("== APP - {name} == ");
            let case = format!("app {app}, daprd {daprd}: {lines:#?}");
            assert_eq!(
                on_console(&format!("{prefix}\x1b[31mout\x1b[0m")),
                app_console,
                "{case}"
            );
            assert_eq!(on_console(&format!("{prefix}err")), app_console, "{case}");
            assert_eq!(on_console("level=info msg="), daprd_console, "{case}");
            assert_eq!(
                on_console("Exited App successfully"),
                daprd_console,
                "{case}"
            );
            let files = logs(&directory);
            let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
            let mut expected = Vec::new();
            expected.extend(app_file.then(|| format!("{name}_app")));
            expected.extend(daprd_file.then(|| format!("{name}_daprd")));
            assert_eq!(names, expected, "{case}");
            for (file, text) in &files {
                let stop = "termination signal received: shutting down\n";
                if file.ends_with("_app") {
                    assert_eq!(text, &format!("{prefix}out\n{prefix}err\n{stop}"));
                } else {
                    assert!(text.contains("level=info msg="), "{text}");
                    assert!(text.contains(stop) && !text.contains("== APP"), "{text}");
                    assert!(
                        text.ends_with("Exited Dapr successfully\nExited App successfully\n"),
                        "{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn instances_of_one_app_have_logs_of_their_own() {
    let place = Place::new();
    let name = id("twin");
    let app = format!("{{appDirPath: ., appID: {name}, command: [sh, -c, 'echo $$; sleep 1000']}}");
    place.write(
        "dapr.yaml",
        &format!("version: 1\napps: [{app}, {app}, {app}]"),
    );
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line("is running already");
    let directory = place.path().join(".dapr/logs");
    eventually(|| {
        let all: Vec<String> = fs::read_dir(&directory)
            .ok()?
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().contains("_app_"))
            .map(|entry| fs::read_to_string(entry.path()).unwrap())
            .collect();
        (all.len() == 3 && all.iter().all(|text| text.lines().count() == 1)).then_some(())
    });
    kill("-TERM", run.pid());
    assert_eq!(run.end().0, Some(0));
}
