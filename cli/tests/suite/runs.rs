//! Runs with real sidecars and a real authority. They are looked for where
//! the program looks; `cargo build --release -p sidecar -p operator` makes
//! them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use crate::runs_support::{free_port, id, kill, listener_on, unready_sidecar_line, yaml};
use crate::tools::{Place, Running, alive, eventually, processes_with};

/// An app that answers everything with what it was sent, for ever.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    serve(listener);
    port
}

fn serve(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream));
        }
    });
}

fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    // Sidecars ask with GET; calls of these tests end with an exclamation mark.
    let whole = |request: &[u8]| {
        let ask = request.starts_with(b"GET ") && request.ends_with(b"\r\n\r\n");
        ask || request.ends_with(b"!") || request.ends_with(b"\r\n0\r\n\r\n")
    };
    while !whole(&request) {
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => request.extend(&piece[..read]),
            _ => return,
        }
    }
    let status = if request.starts_with(b"POST /teapot ") {
        "418 I'm a teapot"
    } else {
        "200 OK"
    };
    let line = String::from_utf8_lossy(&request);
    let line = line.lines().next().unwrap_or_default().to_owned();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{line}",
        line.len()
    );
}

/// What `dapr list -o json` says about one app.
fn listed(place: &Place, id: &str) -> Option<serde_json::Value> {
    let done = place.run(&["list", "-o", "json"]);
    let all: Vec<serde_json::Value> = serde_json::from_str(&done.out).unwrap();
    all.into_iter().find(|one| one["appId"] == id)
}

#[test]
fn an_app_learns_where_its_sidecar_is_and_ends_the_run() {
    let place = Place::new();
    let id = id("learns");
    let app = "echo out; echo err >&2; printf 'bytes \\377 and no end'; env >env.txt";
    let mut command = place.dapr(&["run", "--app-id", &id, "--", "sh", "-c", app]);
    command.env("APP_ID", "outer").env("DAPR_HTTP_PORT", "1");
    let output = command.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{out}{err}");

    let env: BTreeMap<String, String> = fs::read_to_string(place.path().join("env.txt"))
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let (http, grpc) = (&env["DAPR_HTTP_PORT"], &env["DAPR_GRPC_PORT"]);
    assert_eq!(
        (env["APP_ID"].as_str(), env["APP_PROTOCOL"].as_str()),
        (id.as_str(), "http")
    );
    assert!(!env.contains_key("APP_PORT") && env.contains_key("DAPR_METRICS_PORT"));
    assert!(!env.contains_key("DAPR_TRUST_ANCHORS"));

    let mut rest = out.as_str();
    for line in [
        &format!("ℹ️  Starting Dapr with id {id}. HTTP Port: {http}. gRPC Port: {grpc}\n"),
        &format!("ℹ️  Checking if Dapr sidecar is listening on HTTP port {http}\n"),
        &format!("ℹ️  Checking if Dapr sidecar is listening on GRPC port {grpc}\n"),
        "ℹ️  Dapr sidecar is up and running.\n",
        "ℹ️  Updating metadata for appPID: ",
        &format!("ℹ️  Updating metadata for app command: sh -c {app}\n"),
        "✅  You're up and running! Both Dapr and your app logs will appear here.\n\n",
        "✅  Exited App successfully\n",
        "ℹ️  \nterminated signal received: shutting down\n",
        "✅  Exited Dapr successfully\n",
    ] {
        let Some(at) = rest.find(line) else {
            panic!("no {line:?} in its place in {out}");
        };
        rest = &rest[at + line.len()..];
    }
    assert!(out.contains("== APP == out\n"), "{out}");
    assert!(
        out.contains("== APP == bytes \u{fffd} and no end\n"),
        "{out}"
    );
    assert_eq!(err, "== APP == err\n");
    place.assert_quiet();
}

#[test]
fn without_the_prefix_the_app_has_the_streams() {
    let place = Place::new();
    let done = place.run(&[
        "run",
        "--app-log-prefix=false",
        "--",
        "sh",
        "-c",
        "echo out; echo err >&2",
    ]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains("\nout\n") && !done.out.contains("== APP =="));
    assert_eq!(done.err, "err\n");
}

#[test]
fn an_app_that_fails_fails_the_run() {
    let place = Place::new();
    for (script, message, last) in [
        (
            "exit 3",
            "The App process exited with error code: 3",
            "Error exiting App: app exited with status 3",
        ),
        (
            "kill -9 $$",
            "The App process was terminated by signal: killed",
            "Error exiting App: signal: killed",
        ),
    ] {
        let done = place.run(&["run", "--", "sh", "-c", script]);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert_eq!(done.err, format!("❌  {message}\n❌  {last}\n"));
        assert!(
            done.out.ends_with("✅  Exited Dapr successfully\n"),
            "{}",
            done.out
        );
    }
}

#[test]
fn an_id_the_sidecar_refuses_ends_the_run() {
    let place = Place::new();
    let done = place.run(&["run", "--app-id", "A.b", "--", "true"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.ends_with("❌  The daprd process exited with error code: exit status 1\n❌  Error exiting Dapr: exit status 1\n"),
        "{}",
        done.err
    );
}

#[test]
fn stop_ends_a_run_whole() {
    let place = Place::new();
    let id = id("stopped");
    let app = "sleep 1000 & sleep 1000";
    let mut run = Running::start(place.dapr(&["run", "--app-id", &id, "--", "sh", "-c", app]));
    run.line("You're up and running! Both Dapr and your app logs will appear here.");
    let row = listed(&place, &id).unwrap();
    assert_eq!(row["cliPid"], run.pid());
    assert_eq!(row["command"], "sh -c sleep 1000 ...");
    assert!(alive(
        i32::try_from(row["appPid"].as_i64().unwrap()).unwrap()
    ));
    let table = place.run(&["list"]).out;
    assert!(table.starts_with("  APP ID "), "{table}");
    assert!(
        table.lines().any(|line| line.trim_start().starts_with(&id)),
        "{table}"
    );

    let done = place.run(&["stop", "--app-id", &id]);
    assert_eq!(done.code, Some(0));
    assert_eq!(done.out, format!("✅  app stopped successfully: {id}\n"));
    let (code, lines) = run.end();
    assert_eq!(code, Some(0), "{lines:#?}");
    let at = |text: &str| lines.iter().position(|line| line == text).unwrap();
    assert!(at("✅  Exited Dapr successfully") < at("✅  Exited App successfully"));
    assert!(!lines.iter().any(|line| line.contains('❌')), "{lines:#?}");
    assert!(listed(&place, &id).is_none());
    place.assert_quiet();
}

#[test]
fn nothing_outlives_a_run_that_is_killed() {
    let place = Place::new();
    let mut run =
        Running::start(place.dapr(&["run", "--app-id", &id("killed"), "--", "sleep", "1000"]));
    run.line("You're up and running!");
    let text = place.path().display().to_string();
    assert_eq!(processes_with(&text).len(), 5);
    kill("-KILL", run.pid());
    eventually(|| processes_with(&text).is_empty().then_some(()));
}

#[test]
fn signals_and_shutdown_requests_end_a_run_well() {
    for how in ["-INT", "-TERM", "-HUP", "request"] {
        let place = Place::new();
        let id = id("ended");
        let mut run = Running::start(place.dapr(&["run", "--app-id", &id, "--", "sleep", "1000"]));
        run.line("You're up and running!");
        if how == "request" {
            let port = listed(&place, &id).unwrap()["httpPort"].as_u64().unwrap();
            let mut stream =
                TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
            write!(stream, "POST /v1.0/shutdown HTTP/1.0\r\n\r\n").unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        } else {
            kill(how, run.pid());
        }
        let (code, lines) = run.end();
        assert_eq!(code, Some(0), "{how}: {lines:#?}");
        for line in [
            "✅  Exited Dapr successfully",
            "✅  Exited App successfully",
        ] {
            assert!(lines.iter().any(|one| one == line), "{how}: {lines:#?}");
        }
        place.assert_quiet();
    }
}

#[test]
fn invoke_goes_through_the_apps_own_sidecar() {
    let place = Place::new();
    let id = id("invoked");
    let port = echo().to_string();
    let mut run = Running::start(place.dapr(&["run", "--app-id", &id, "--app-port", &port]));
    run.line("WARNING: no application command found.");
    run.line("✅  You're up and running! Dapr logs will appear here.");
    let done = eventually(|| {
        let done = place.run(&["invoke", "-a", &id, "-m", "add/one?x=1", "-d", "2!"]);
        (done.code == Some(0)).then_some(done)
    });
    assert_eq!(
        done.out,
        "POST /add/one?x=1 HTTP/1.1\n✅  App invoked successfully\n"
    );
    let done = place.run(&["invoke", "-a", &id, "-m", "teapot", "-d", "!"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.err,
        format!("❌  error invoking app {id}: 418 I'm a teapot\n")
    );
}

#[test]
fn two_runs_trust_each_other_and_ending_one_leaves_the_other() {
    let place = Place::new();
    let (asked, asking) = (id("asked"), id("asking"));
    let port = echo().to_string();
    let one = Running::start(place.dapr(&["run", "--app-id", &asked, "--app-port", &port]));
    let two = Running::start(place.dapr(&["run", "--app-id", &asking]));
    let mut runs = [one, two];
    for run in &mut runs {
        run.line("You're up and running!");
    }
    let [one, two] = runs;
    let port = listed(&place, &asking).unwrap()["httpPort"]
        .as_u64()
        .unwrap();
    let call = || {
        let mut stream = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).ok()?;
        write!(
            stream,
            "POST /add HTTP/1.0\r\ndapr-app-id: {asked}\r\ncontent-length: 2\r\n\r\n1!"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.ends_with("\r\n\r\nPOST /add HTTP/1.1").then_some(())
    };
    eventually(call);
    assert!(processes_with("--enable-mtls").len() >= 2);

    kill("-TERM", two.pid());
    assert_eq!(two.end().0, Some(0));
    assert!(alive(one.pid()));
    assert!(listed(&place, &asked).is_some());
    let certs = place.path().join(".dapr/certs");
    assert!(certs.join("ca.crt").exists());
}

#[test]
fn a_run_file_starts_its_apps_in_order() {
    let place = Place::new();
    let (first, second) = (id("first"), id("second"));
    for path in ["a", "b"] {
        fs::create_dir(place.path().join(path)).unwrap();
    }
    let port = echo();
    place.write(
        "dapr.yaml",
        &format!(
            "version: 1
name: pair
common:
  env: {{GREETING: hello}}
apps:
- {{appDirPath: ./a/, appID: {first}, appPort: {port}, command: [sh, -c, 'pwd; sleep 1000']}}
- {{appDirPath: b, appID: {second}, command: [sh, -c, 'echo $GREETING; echo sorry >&2; exit 2']}}
"
        ),
    );
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line(&format!("Started Dapr with app id {second:?}. HTTP Port: "));
    run.line("The App process exited with error code: exit status 2");
    let row = listed(&place, &first).unwrap();
    let file = place.path().join("dapr.yaml");
    assert_eq!(row["runTemplatePath"], file.display().to_string());
    assert_eq!(row["runTemplateName"], "pair");
    assert_eq!(row["cliPid"], run.pid());

    let done = place.run(&["stop", "-f", "dapr.yaml"]);
    assert_eq!(done.code, Some(0));
    assert_eq!(
        done.out,
        "✅  Dapr and app processes stopped successfully\n"
    );
    let (code, lines) = run.end();
    assert_eq!(code, Some(0), "{lines:#?}");
    let at = |text: &str| {
        let found = lines.iter().position(|line| line.starts_with(text));
        found.unwrap_or_else(|| panic!("no {text:?} in {lines:#?}"))
    };
    let order = [
        at(&format!("ℹ️  Validating config and starting app {first:?}")),
        at(&format!(
            "ℹ️  Started Dapr with app id {first:?}. HTTP Port: "
        )),
        at(&format!(
            "ℹ️  Validating config and starting app {second:?}"
        )),
        at(&format!(
            "ℹ️  Started Dapr with app id {second:?}. HTTP Port: "
        )),
        at(
            "ℹ️  Received signal to stop Dapr and app processes. Shutting down Dapr and app processes.",
        ),
    ];
    assert!(order.is_sorted(), "{lines:#?}");
    let logs = place.path().join("a/.dapr/logs");
    at(&format!(
        "ℹ️  Writing log files to directory : {}",
        logs.display()
    ));
    at(&format!(
        "== APP - {first} == {}",
        place.path().join("a").display()
    ));
    at(&format!("== APP - {second} == hello"));
    at(&format!("== APP - {second} == sorry"));

    let log = |directory: &str, what: &str| {
        let logs = place.path().join(directory).join(".dapr/logs");
        let name = fs::read_dir(logs)
            .unwrap()
            .flatten()
            .find(|entry| entry.file_name().to_string_lossy().contains(what))
            .unwrap();
        fs::read_to_string(name.path()).unwrap()
    };
    assert!(log("b", "_app_").contains(&format!("== APP - {second} == sorry\n")));
    let daprd = log("a", "_daprd_");
    assert!(
        daprd.ends_with("Exited Dapr successfully\nExited App successfully\n"),
        "{daprd}"
    );
    let lines: Vec<&str> = daprd.lines().collect();
    let order = [
        &format!("Starting Dapr with id {first}. HTTP Port: "),
        "Updating metadata for cliPID: ",
        "Updating metadata for app command: sh -c pwd; sleep 1000",
        "Updating metadata for appPID: ",
        "You're up and running! Dapr logs will appear here.",
        "termination signal received: shutting down",
    ]
    .map(|text| lines.iter().position(|line| line.starts_with(text)));
    assert!(order[0].is_some() && order.is_sorted(), "{daprd}");
    // Told once on the console, when it happened.
    assert!(log("b", "_app_").contains("Error exiting App: exit status 2\n"));
    place.assert_quiet();
}

#[test]
fn stopping_one_app_of_a_run_file_leaves_the_other() {
    let place = Place::new();
    let (first, second) = (id("one"), id("two"));
    let app = |id: &str| format!("{{appDirPath: ., appID: {id}, command: [sleep, '1000']}}");
    place.write(
        "dapr.yaml",
        &format!("version: 1\napps: [{}, {}]", app(&first), app(&second)),
    );
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line(&format!("Started Dapr with app id {second:?}"));
    place.run(&["stop", &first]);
    assert!(listed(&place, &first).is_none());
    assert!(listed(&place, &second).is_some() && alive(run.pid()));
    place.run(&["stop", &second]);
    assert_eq!(run.end().0, Some(0));
}

#[test]
fn an_app_that_listens_is_not_waited_for_with_a_sidecar_that_never_is_ready() {
    let place = Place::new();
    let (first, second) = (id("listens"), id("second"));
    let port = free_port();
    let app = yaml(&listener_on(Ipv4Addr::LOCALHOST.into(), port));
    place.write(
        "dapr.yaml",
        &format!(
            "version: 1
apps:
- {{appDirPath: ., appID: {first}, appPort: {port}, command: {app}}}
- {{appDirPath: ., appID: {second}, appPort: 1, command: [sleep, '1000']}}
"
        ),
    );
    let daprd = place.script("daprd", &unready_sidecar_line());
    let mut command = place.dapr(&["run", "-f", ".", "--enable-mtls=false"]);
    command.env("DAPRD_BIN", daprd);
    let mut run = Running::start(command);
    run.line(&format!("Started Dapr with app id {second:?}"));
    kill("-TERM", run.pid());
    assert_eq!(run.end().0, Some(0));
    let log = fs::read_dir(place.path().join(".dapr/logs"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.display()
                .to_string()
                .contains(&format!("{first}_daprd"))
        })
        .unwrap();
    let log = fs::read_to_string(log).unwrap();
    assert!(!log.contains("does not listen"), "{log}");
    place.assert_quiet();
}

#[test]
fn the_next_app_starts_when_the_one_before_listens() {
    let place = Place::new();
    let (late, next) = (id("late"), id("next"));
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let reach = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached");
    place.write(
        "dapr.yaml",
        &format!(
            "version: 1
apps:
- {{appDirPath: ., appID: {late}, appPort: {port}, command: [sleep, '1000']}}
- {{appDirPath: ., appID: {next}, command: [bash, -c, '{reach}']}}
"
        ),
    );
    let mut run = Running::start(place.dapr(&["run", "-f", "."]));
    run.line(&format!("Started Dapr with app id {late:?}"));
    // Later than the next app would start by itself.
    thread::sleep(std::time::Duration::from_millis(500));
    serve(TcpListener::bind(("127.0.0.1", port)).unwrap());
    run.line(&format!("== APP - {next} == reached"));
}
