//! A start that must fail: flags, files, ports, certificates.

use std::net::TcpListener;
use std::process::Command;

use tests::{Ca, Process, binaries, ports, process, sidecar};

use super::assert_one_error_line;
use crate::table::Table;

fn daprd(arguments: &[&str]) -> Process {
    daprd_with(arguments, &[])
}

fn daprd_with(arguments: &[&str], env: &[(&str, &str)]) -> Process {
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
    flags.push("--dapr-listen-addresses=127.0.0.1".to_owned());
    flags.push("--metrics-listen-address=127.0.0.1".to_owned());
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
    let mut table = Table::default();
    for (extra, message) in [
        (
            "--app-id=",
            "Fatal error from runtime: parameter app-id cannot be empty",
        ),
        (
            "--app-id=a.b",
            "Fatal error from runtime: parameter app-id cannot contain dots",
        ),
        ("--mode=cluster", "invalid mode: cluster"),
        (
            "--app-protocol=smtp",
            "invalid value for 'app-protocol': smtp",
        ),
        ("--app-port=abc", "error parsing app-port: "),
        (
            "--dapr-http-port=abc",
            "error parsing dapr-http-port flag: ",
        ),
        (
            "--dapr-grpc-port=abc",
            "error parsing dapr-grpc-port flag: ",
        ),
        (
            "--dapr-internal-grpc-port=abc",
            "error parsing dapr-internal-grpc-port: ",
        ),
        ("--dapr-public-port=abc", "error parsing dapr-public-port: "),
        ("--profile-port=abc", "error parsing profile-port flag: "),
        (
            "--max-body-size=4Mb",
            "Failed to parse flags: invalid value for 'max-body-size' option: ",
        ),
        (
            "--max-body-size=1.5",
            "Failed to parse flags: invalid value for 'max-body-size' option: ",
        ),
        (
            "--read-buffer-size=x",
            "Failed to parse flags: invalid value for 'read-buffer-size' option: ",
        ),
        (
            "--log-level=warning",
            "invalid value for --log-level: warning",
        ),
        (
            "--disable-init-endpoints=x",
            "invalid value for 'disable-init-endpoints': x",
        ),
        (
            "--actors-disseminate-timeout=0s",
            "invalid value for 'actors-disseminate-timeout' option: must be positive, got ",
        ),
        (
            "--app-health-probe-timeout=5001",
            "value for 'health-probe-timeout' must be smaller than 'health-probe-interval'",
        ),
        ("--enable-mtls", "trust anchors are required"),
        (
            "--control-plane-trust-domain=UPPER",
            "invalid control plane trust domain: ",
        ),
        ("--log-file=/nonexistent/x.log", "/nonexistent/x.log"),
        (
            "--resources-path=/nonexistent/resources",
            "/nonexistent/resources",
        ),
        (
            "--config=/nonexistent/config.yaml",
            "error loading configuration: ",
        ),
    ] {
        table.row(extra, || {
            let mut arguments = sound("wrong");
            arguments.push(extra.to_owned());
            let anchors = Ca::new();
            let needs_anchors = extra.contains("trust-domain");
            let env = [("DAPR_TRUST_ANCHORS", anchors.anchors())];
            if needs_anchors {
                arguments.push("--enable-mtls".to_owned());
            }
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let process = daprd_with(&arguments, if needs_anchors { &env } else { &[] });
            process.wait_for_code(1);
            let said = if process.stdout().contains("level=fatal") {
                assert_eq!(process.stderr(), "");
                assert_one_error_line(&process)
            } else {
                // Before the log exists.
                let stderr = process.stderr();
                assert_eq!(stderr.lines().count(), 1, "{stderr}\n{}", process.stdout());
                stderr
            };
            let unescaped = said.replace("\\\"", "\"");
            assert!(unescaped.contains(message), "{said}");
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
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let process = daprd(&arguments);
        process.wait_for_code(1);
        let line = assert_one_error_line(&process);
        let message = format!("the '{api}' argument value {port} conflicts with 'app-port'");
        assert!(line.contains(&message), "{line}");
    }
}

#[test]
fn a_port_in_use_is_fatal_and_nothing_was_started() {
    let mut table = Table::default();
    for (flag, message) in [
        ("dapr-http-port", "could not listen on any endpoint"),
        ("dapr-grpc-port", "could not listen on any endpoint"),
        ("dapr-internal-grpc-port", ""),
        ("dapr-public-port", ""),
        ("metrics-port", "failed to listen on "),
    ] {
        table.row(flag, || {
            let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let port = taken.local_addr().unwrap().port();
            let app = tests::RawApp::scripted();
            let mut arguments = sound("late");
            arguments.push("--dapr-internal-grpc-listen-address=127.0.0.1".to_owned());
            arguments.push("--dapr-public-listen-address=127.0.0.1".to_owned());
            arguments.push(format!("--app-port={}", app.port()));
            arguments.push(format!("--{flag}={port}"));
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let process = daprd(&arguments);
            process.wait_for_code(1);
            let stdout = process.stdout();
            let fatal: Vec<_> = stdout
                .lines()
                .filter(|line| line.contains("level=fatal"))
                .collect();
            let [fatal] = fatal[..] else {
                panic!("one fatal line in\n{stdout}");
            };
            assert!(fatal.contains(message), "{fatal}");
            assert!(
                stdout.contains(&port.to_string()),
                "the port is not named:\n{stdout}"
            );
            assert_eq!(process.stderr(), "");
            assert!(!stdout.contains("panicked"), "{stdout}");
            assert!(!stdout.contains("dapr initialized"), "{stdout}");
            assert_eq!(app.configuration_calls().len(), 0);
        });
    }
}

#[test]
fn a_port_that_becomes_free_in_time_is_no_error() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let sidecar = sidecar("patient").http_port(port).start();
    sidecar.wait_for_output(&port.to_string());
    drop(taken);
    sidecar.wait_until_ready();
}

#[test]
fn configuration_that_cannot_be_read_is_fatal() {
    let directory = tempfile::TempDir::new().unwrap();
    let mut table = Table::default();
    for (name, text) in [
        ("not YAML", "spec: [unclosed"),
        ("a tab", "spec:\n\tmetrics: {}"),
        ("a list", "- a\n- b"),
        ("wrong type", "spec:\n  metrics:\n    enabled: perhaps"),
        ("wrong shape", "spec:\n  tracing: 5"),
        ("not UTF-8", "spec: \u{fffd}"),
    ] {
        table.row(name, || {
            let file = directory.path().join("config.yaml");
            if name == "not UTF-8" {
                std::fs::write(&file, b"spec: \xff\xfe").unwrap();
            } else {
                std::fs::write(&file, text).unwrap();
            }
            let sidecar = sidecar("misconfigured")
                .flag("config", file.to_str().unwrap())
                .start();
            sidecar.wait_for_code(1);
            let line = assert_one_error_line(sidecar.process());
            assert!(line.contains("error loading configuration: "), "{line}");
            assert_eq!(sidecar.stderr(), "");
        });
    }
}

#[test]
fn a_directory_as_configuration_is_fatal() {
    let directory = tempfile::TempDir::new().unwrap();
    let sidecar = sidecar("misled")
        .flag("config", directory.path().to_str().unwrap())
        .start();
    sidecar.wait_for_code(1);
    let line = assert_one_error_line(sidecar.process());
    assert!(line.contains("error loading configuration: "), "{line}");
}

#[test]
fn configuration_with_unknown_keys_is_fine() {
    let sidecar = sidecar("lenient")
        .spec("future: {a: [1, 2]}")
        .spec("features: [{name: Unheard, enabled: true}]")
        .run();
    assert_eq!(sidecar.error_lines(), [] as [&str; 0]);
}

#[test]
fn other_resources_are_accepted_silently() {
    let directory = tempfile::TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write(
        "statestore.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: statestore}\nspec: {type: state.redis, version: v1, metadata: [{name: redisHost, value: \"localhost:6379\"}]}\n---\napiVersion: dapr.io/v1alpha1\nkind: Subscription\nmetadata: {name: s}\n",
    );
    let sidecar = sidecar("tolerant")
        .flag("resources-path", directory.path().to_str().unwrap())
        .run();
    assert_eq!(sidecar.error_lines(), [] as [&str; 0]);
}

#[test]
fn one_bad_resource_disables_only_itself() {
    let directory = tempfile::TempDir::new().unwrap();
    let bad = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: [\n";
    std::fs::write(directory.path().join("broken.yaml"), bad).unwrap();
    let sidecar = sidecar("isolated")
        .flag("resources-path", directory.path().to_str().unwrap())
        .run();
    tests::holds("a warning names the file", || {
        let output = sidecar.stdout();
        output
            .lines()
            .any(|line| line.contains("level=warning") && line.contains("broken.yaml"))
    });
    assert!(sidecar.exited().is_none());
}

#[test]
fn a_resolver_nobody_knows_is_an_error_but_not_fatal() {
    let app = tests::RawApp::scripted();
    let sidecar = sidecar("unresolved")
        .app(&app)
        .spec("nameResolution: {component: carrier-pigeon, version: v1}")
        .run();
    let lines = sidecar.error_lines();
    let [line] = &lines[..] else {
        panic!("one error line: {lines:?}");
    };
    assert!(
        line.contains(
            "[CREATE_COMPONENT_FAILURE]: initialization error occurred for carrier-pigeon ("
        ),
        "{line}"
    );
    sidecar.invoke("other", "x").expect(
        500,
        &crate::fidelity::refusal("other", "name resolver not initialized"),
    );
    sidecar.invoke("unresolved", "x").expect(200, "ok");
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
            assert_one_error_line(sidecar.process());
            assert_eq!(sidecar.stderr(), "");
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

#[test]
fn a_socket_directory_that_is_missing_is_fatal() {
    let sidecar = sidecar("socketless")
        .flag("unix-domain-socket", "/nonexistent/sockets")
        .start();
    sidecar.wait_for_code(1);
    assert!(
        sidecar.stdout().contains("level=fatal"),
        "{}",
        sidecar.stdout()
    );
    assert_eq!(process::code(sidecar.wait()), 1);
}
