//! A start that must fail: flags, ports, certificates.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::process::Command;

use tests::{Ca, Process, binaries, ports, sidecar};

use super::assert_one_error_line;
use crate::table::Table;

fn daprd(arguments: &[impl AsRef<OsStr>]) -> Process {
    daprd_with(arguments, &[])
}

fn daprd_with(arguments: &[impl AsRef<OsStr>], env: &[(&str, &str)]) -> Process {
    let mut command = Command::new(binaries::daprd());
    command
        .env_clear()
        .env("DAPR_HOST_IP", "127.0.0.1")
        .envs(env.iter().copied())
        .args(arguments);
    let mut process = Process::spawn("daprd", command);
    process.keep_quiet();
    process
}

/// Flags that leave nothing to chance but what a row gets wrong.
fn sound(app_id: &str) -> Vec<String> {
    let mut flags = vec![format!("--app-id={app_id}")];
    for name in [
        "dapr-http-port",
        "dapr-grpc-port",
        "dapr-internal-grpc-port",
        "metrics-port",
    ] {
        flags.push(format!("--{name}={}", ports::reserve()));
    }
    for name in [
        "dapr-listen-addresses",
        "dapr-internal-grpc-listen-address",
        "dapr-public-listen-address",
        "metrics-listen-address",
    ] {
        flags.push(format!("--{name}=127.0.0.1"));
    }
    flags
}

#[test]
fn flags_that_cannot_be_read_end_with_usage_and_code_2() {
    let mut table = Table::default();
    for (arguments, message) in [
        (vec!["--nonsense"], "unknown flag: --nonsense"),
        (vec!["-nonsense"], "unknown flag: --nonsense"),
        (vec!["--app-id"], "flag needs an argument: --app-id"),
        (
            vec!["--app-max-concurrency", "many"],
            "invalid argument \"many\" for \"--app-max-concurrency\" flag: strconv.ParseInt: parsing \"many\": invalid syntax",
        ),
        (
            vec!["--enable-mtls=perhaps"],
            "invalid argument \"perhaps\" for \"--enable-mtls\" flag: strconv.ParseBool: parsing \"perhaps\": invalid syntax",
        ),
        (
            vec!["--app-binding-options-timeout", "soon"],
            "invalid argument \"soon\" for \"--app-binding-options-timeout\" flag: time: invalid duration \"soon\"",
        ),
        (vec!["-z"], "unknown shorthand flag: 'z' in -z"),
    ] {
        table.row(&arguments.join(" "), || {
            let process = daprd(&arguments);
            process.wait_for_code(2);
            assert_eq!(process.stdout(), "");
            let stderr = process.stderr();
            assert!(stderr.starts_with("Usage of daprd:\n"), "{stderr}");
            assert_eq!(stderr.lines().last(), Some(message), "{stderr}");
            assert_eq!(stderr.matches(message).count(), 1, "{stderr}");
        });
    }
}

#[test]
fn values_that_make_no_sense_end_with_one_line_and_code_1() {
    const NO_NUMBER: &str = "strconv.Atoi: parsing \"abc\": invalid syntax";
    const NO_QUANTITY: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    let runtime = |text: &str| format!("Fatal error from runtime: {text}");
    let flags = |text: &str| format!("Failed to parse flags: {text}");
    let mut table = Table::default();
    for (extra, message) in [
        ("--app-id=", runtime("parameter app-id cannot be empty")),
        (
            "--app-id=a.b",
            runtime("parameter app-id cannot contain dots"),
        ),
        ("--mode=cluster", runtime("invalid mode: cluster")),
        (
            "--app-protocol=smtp",
            runtime("invalid value for 'app-protocol': smtp"),
        ),
        (
            "--app-port=abc",
            runtime(&format!("error parsing app-port: {NO_NUMBER}")),
        ),
        (
            "--dapr-http-port=abc",
            runtime(&format!("error parsing dapr-http-port flag: {NO_NUMBER}")),
        ),
        (
            "--dapr-grpc-port=abc",
            runtime(&format!("error parsing dapr-grpc-port flag: {NO_NUMBER}")),
        ),
        (
            "--dapr-internal-grpc-port=abc",
            runtime(&format!(
                "error parsing dapr-internal-grpc-port: {NO_NUMBER}"
            )),
        ),
        (
            "--dapr-public-port=abc",
            runtime(&format!("error parsing dapr-public-port: {NO_NUMBER}")),
        ),
        (
            "--profile-port=abc",
            runtime(&format!("error parsing profile-port flag: {NO_NUMBER}")),
        ),
        (
            "--max-body-size=4Mb",
            flags(&format!(
                "invalid value for 'max-body-size' option: {NO_QUANTITY}"
            )),
        ),
        (
            "--max-body-size=1.5",
            flags(
                "invalid value for 'max-body-size' option: cannot get bytes from resource quantity value '1.5'",
            ),
        ),
        (
            "--read-buffer-size=x",
            flags(&format!(
                "invalid value for 'read-buffer-size' option: {NO_QUANTITY}"
            )),
        ),
        (
            "--log-level=warning",
            "invalid value for --log-level: warning".to_owned(),
        ),
        (
            "--disable-init-endpoints=x",
            runtime("invalid value for 'disable-init-endpoints': x"),
        ),
        (
            "--actors-disseminate-timeout=0s",
            flags(
                "invalid value for 'actors-disseminate-timeout' option: must be positive, got 0s",
            ),
        ),
        (
            "--app-health-probe-timeout=5001",
            runtime(
                "value for 'health-probe-timeout' must be smaller than 'health-probe-interval'",
            ),
        ),
        ("--enable-mtls", runtime("trust anchors are required")),
        (
            "--log-file=/nonexistent/x.log",
            "failed to open log file /nonexistent/x.log: No such file or directory (os error 2)"
                .to_owned(),
        ),
        (
            "--resources-path=/nonexistent/x",
            runtime(
                "failed to create watcher: failed to add target /nonexistent/x: no such file or directory",
            ),
        ),
        (
            "--config=/nonexistent/x.yaml",
            runtime(
                "error loading configuration: stat /nonexistent/x.yaml: no such file or directory",
            ),
        ),
        (
            "--unix-domain-socket=/nonexistent",
            runtime(
                "failed to start gRPC server: listen unix /nonexistent/dapr-wrong-grpc.socket: No such file or directory (os error 2)",
            ),
        ),
    ] {
        table.row(extra, || {
            let mut arguments = sound("wrong");
            arguments.push(extra.to_owned());
            let process = daprd(&arguments);
            process.wait_for_code(1);
            assert_eq!(assert_one_error_line(&process), message);
        });
    }
}

#[test]
fn a_trust_domain_that_is_none_is_fatal() {
    let ca = Ca::new();
    let mut table = Table::default();
    for (domain, message) in [
        (
            "",
            "Fatal error from runtime: control plane trust domain is required",
        ),
        (
            "UPPER",
            "Fatal error from runtime: invalid control plane trust domain: trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores",
        ),
    ] {
        table.row(domain, || {
            let mut arguments = sound("wrong");
            arguments.push("--enable-mtls".to_owned());
            arguments.push(format!("--control-plane-trust-domain={domain}"));
            let process = daprd_with(&arguments, &[("DAPR_TRUST_ANCHORS", ca.anchors())]);
            process.wait_for_code(1);
            assert_eq!(assert_one_error_line(&process), message);
        });
    }
}

#[test]
fn the_app_cannot_be_behind_an_api_port() {
    for api in ["dapr-http-port", "dapr-grpc-port"] {
        let port = ports::reserve();
        let mut arguments = sound("clash");
        arguments.push(format!("--{api}={port}"));
        arguments.push(format!("--app-port={port}"));
        let process = daprd(&arguments);
        process.wait_for_code(1);
        assert_eq!(
            assert_one_error_line(&process),
            format!(
                "Fatal error from runtime: the '{api}' argument value {port} conflicts with 'app-port'"
            )
        );
    }
}

#[test]
fn a_port_in_use_is_fatal_and_nothing_was_started() {
    let rows = [
        (
            "dapr-http-port",
            "failed to start HTTP server: could not listen on any endpoint: ",
        ),
        (
            "dapr-grpc-port",
            "failed to start gRPC server: could not listen on any endpoint: ",
        ),
        (
            "dapr-internal-grpc-port",
            "failed to start internal gRPC server: ",
        ),
        ("dapr-public-port", "failed to start public HTTP server: "),
        ("metrics-port", "failed to listen on 127.0.0.1:<port>: "),
    ];
    // Each is retried for ten seconds: side by side.
    let runs: Vec<_> = rows
        .iter()
        .map(|(flag, _)| {
            let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let port = taken.local_addr().unwrap().port();
            let app = tests::RawApp::scripted();
            let mut arguments = sound("late");
            arguments.push(format!("--app-port={}", app.port()));
            arguments.push(format!("--{flag}={port}"));
            (taken, port, app, daprd(&arguments))
        })
        .collect();
    let mut table = Table::default();
    for ((flag, message), (_taken, port, app, process)) in rows.iter().zip(&runs) {
        table.row(flag, || {
            process.wait_for_code(1);
            let message = message.replace("<port>", &port.to_string());
            assert_eq!(
                assert_one_error_line(process),
                format!("Fatal error from runtime: {message}listen tcp 127.0.0.1:{port}: Address already in use (os error 98)")
            );
            assert!(!process.stdout().contains("dapr initialized"));
            assert_eq!(app.configuration_calls().len(), 0);
        });
    }
}

#[test]
fn a_port_that_becomes_free_in_time_is_no_error() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let sidecar = sidecar("patient").http_port(port).start();
    sidecar.wait_for_output(&format!("listen tcp 127.0.0.1:{port}: "));
    drop(taken);
    sidecar.wait_until_ready();
    assert_eq!(sidecar.error_lines(), [] as [&str; 0]);
}

#[test]
fn an_app_that_never_opens_its_port_is_waited_for_and_said() {
    let port = ports::reserve();
    let sidecar = sidecar("waiting").app_port(port).start();
    // After a hundred tries, ten seconds and more.
    sidecar.wait_for_output(&format!("waiting for application to listen on port {port}"));
    assert!(!sidecar.stdout().contains("level=error"));
    assert_eq!(sidecar.get("/v1.0/healthz").status, 500);
    assert_eq!(sidecar.get("/v1.0/healthz/outbound").status, 204);
}

#[test]
fn anchors_that_are_no_certificates_are_fatal() {
    let mut table = Table::default();
    for anchors in [
        "",
        "nonsense",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        table.row(anchors, || {
            let sidecar = sidecar("unanchored")
                .mtls_at(ports::reserve(), anchors)
                .start();
            sidecar.wait_for_code(1);
            let message = assert_one_error_line(sidecar.process());
            assert!(
                message.starts_with("Fatal error from runtime: "),
                "{message}"
            );
        });
    }
}

#[test]
fn an_unreachable_sentry_is_said_and_waited_for() {
    let ca = Ca::new();
    let port = ports::reserve();
    let sidecar = sidecar("orphan").mtls_at(port, ca.anchors()).start();
    tests::holds("a line names the sentry", || {
        let output = sidecar.stdout();
        output
            .lines()
            .any(|line| line.contains(&format!("127.0.0.1:{port}")) && !line.contains("level=info"))
    });
    assert!(sidecar.exited().is_none());
    assert!(!sidecar.stdout().contains("panicked"));
    assert!(tests::RawClient::try_connect(sidecar.http()).is_err());
}

#[test]
fn a_sentry_of_another_root_gets_no_request() {
    let ours = Ca::new();
    let theirs = Ca::new();
    let foreign = tests::sentry(&theirs).run();
    let sidecar = sidecar("wary")
        .mtls_at(foreign.port(), ours.anchors())
        .start();
    tests::holds("a line says why", || {
        let output = sidecar.stdout();
        output
            .lines()
            .any(|line| line.contains("level=warning") || line.contains("level=error"))
    });
    assert!(sidecar.exited().is_none());
    assert!(tests::RawClient::try_connect(sidecar.http()).is_err());
}
