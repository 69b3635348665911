//! Apps started by the command line tool: they find and trust each other,
//! and leave nothing behind.

use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::Signal;
use tests::cli::Cli;
use tests::peer::message;
use tests::{PeerClient, Process, RawApp, Request, eventually, holds, invoke_path};

/// `list` and `stop` see every sidecar of the machine: ids must differ.
fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{next}", std::process::id())
}

/// `dapr run` of an app that the test itself plays.
fn run(cli: &Cli, app_id: &str, app: &RawApp) -> Process {
    run_with(cli, app_id, app, &[])
}

fn run_with(cli: &Cli, app_id: &str, app: &RawApp, flags: &[&str]) -> Process {
    let port = app.port().to_string();
    let mut arguments = vec!["run", "--app-id", app_id, "--app-port", &port];
    arguments.extend(flags);
    arguments.extend(["--", "sleep", "1000"]);
    let process = cli.start(&arguments);
    process.wait_for_output("You're up and running!");
    process.wait_for_output("dapr initialized. Status: Running.");
    process
}

/// Rows of `dapr list` with this id.
fn listed(cli: &Cli, app_id: &str) -> Vec<serde_json::Value> {
    let (status, out, _) = cli.run(&["list", "-o", "json"]);
    assert!(status.success());
    let rows: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    rows.into_iter()
        .filter(|row| row["appId"] == app_id)
        .collect()
}

fn http_port(cli: &Cli, app_id: &str) -> u16 {
    let row = eventually("the app is listed", || listed(cli, app_id).pop());
    row["httpPort"].as_u64().unwrap() as u16
}

/// Waits for a run's end; nothing it started is left.
fn assert_ended_whole(process: &Process, code: i32) {
    process.wait_for_code(code);
    holds("nothing is left behind", || process.family().is_empty());
}

#[test]
fn two_runs_talk_over_mtls_without_being_told() {
    let cli = Cli::new();
    let apps = [RawApp::scripted(), RawApp::scripted()];
    let (caller, callee) = (unique("caller"), unique("callee"));
    let callee_run = run(&cli, &callee, &apps[1]);
    let caller_run = run(&cli, &caller, &apps[0]);
    let port = http_port(&cli, &caller);
    Request::get(&invoke_path(&callee, "x"))
        .send(port)
        .expect(200, "ok");
    assert_eq!(
        apps[1].take_one().values("dapr-caller-app-id"),
        [caller.as_str()]
    );

    let log = callee_run.stdout();
    let internal = log
        .split("Internal gRPC server is running on ")
        .nth(1)
        .and_then(|rest| rest.split('"').next()?.rsplit(':').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no internal port in\n{log}"));
    for (name, client) in [
        ("plaintext", PeerClient::plain(internal)),
        ("no certificate", PeerClient::tls(internal, None)),
    ] {
        let request = message::request(
            "x",
            &callee,
            api::common::v1::http_extension::Verb::Get,
            "x",
        );
        let outcome = client.and_then(|client| client.invoke(request));
        assert!(outcome.is_err(), "{name}: {outcome:?}");
    }

    let (_, out, _) = cli.run(&["stop", "--app-id", &caller]);
    assert_eq!(out, format!("✅  app stopped successfully: {caller}\n"));
    assert_ended_whole(&caller_run, 0);
    let (status, out, err) = cli.run(&["invoke", "-a", &callee, "-m", "y", "-d", "in"]);
    assert_eq!(
        (status.code(), out.as_str(), err.as_str()),
        (Some(0), "ok\n✅  App invoked successfully\n", "")
    );
    cli.run(&["stop", &callee]);
    assert_ended_whole(&callee_run, 0);
}

#[test]
fn instances_of_one_id_share_the_calls() {
    let cli = Cli::new();
    let apps = [RawApp::scripted(), RawApp::scripted()];
    let id = unique("many");
    let runs = [run(&cli, &id, &apps[0]), run(&cli, &id, &apps[1])];
    let caller = unique("caller");
    let own = RawApp::scripted();
    let _caller_run = run(&cli, &caller, &own);
    let port = http_port(&cli, &caller);
    for _ in 0..60 {
        Request::get(&invoke_path(&id, "x"))
            .send(port)
            .expect(200, "ok");
    }
    let shares = [apps[0].take().len(), apps[1].take().len()];
    assert!(shares.iter().all(|&share| share >= 12), "{shares:?}");
    assert_eq!(listed(&cli, &id).len(), 2);
    drop(runs);
}

#[test]
fn a_run_that_is_killed_leaves_nothing_behind() {
    let cli = Cli::new();
    let app = RawApp::scripted();
    let process = run(&cli, &unique("killed"), &app);
    assert!(
        process.family().len() >= 4,
        "tool, sidecar, sentry and app run"
    );
    process.signal(Signal::SIGKILL);
    holds("nothing is left behind", || process.family().is_empty());
}

#[test]
fn every_polite_end_is_a_success() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let cli = Cli::new();
        let app = RawApp::scripted();
        let process = run(&cli, &unique("polite"), &app);
        process.signal(signal);
        assert_ended_whole(&process, 0);
        let out = process.stdout();
        let order = [
            "terminated signal received: shutting down",
            "✅  Exited Dapr successfully",
            "✅  Exited App successfully",
        ];
        let places = order.map(|line| {
            out.find(line)
                .unwrap_or_else(|| panic!("no {line:?} after {signal} in\n{out}"))
        });
        assert!(places.is_sorted(), "{signal}: {out}");
        assert_eq!(process.stderr(), "", "{signal}");
    }
}

#[test]
fn mtls_can_be_switched_off() {
    let cli = Cli::new();
    let app = RawApp::scripted();
    let id = unique("plain");
    let process = run_with(&cli, &id, &app, &["--enable-mtls=false"]);
    let log = process.stdout();
    let internal: u16 = log
        .split("Internal gRPC server is running on ")
        .nth(1)
        .and_then(|rest| rest.split('"').next()?.rsplit(':').next()?.parse().ok())
        .unwrap();
    let request = message::request("x", &id, api::common::v1::http_extension::Verb::Get, "x");
    let answer = PeerClient::plain(internal)
        .unwrap()
        .invoke(request)
        .unwrap();
    assert_eq!((answer.code(), answer.body()), (0, b"ok".to_vec()));
}
