//! Start: what is served when, and the lines other tools wait for.

use std::net::TcpListener;
use std::process::Command;

use tests::http1::Framing;
use tests::{Ca, Mesh, Process, RawApp, binaries, holds, ports, sentry, sidecar};

use crate::fidelity::error_body;

#[test]
fn apis_answer_before_the_app_listens() {
    let port = ports::reserve();
    let sidecar = sidecar("waits").app_port(port).start();
    sidecar.wait_until_outbound();
    sidecar.wait_for_output(&format!(
        "application protocol: http. waiting on port {port}.  This will block until the app is listening on that port."
    ));
    sidecar.get("/v1.0/healthz").expect(
        500,
        &error_body("ERR_HEALTH_NOT_READY", "dapr is not ready: [runtime]"),
    );
    assert_eq!(sidecar.get("/v1.0/metadata").status, 200);
    let answer = sidecar.invoke("waits", "x");
    assert_eq!(answer.status, 500, "{answer:?}");
    assert_eq!(answer.json()["errorCode"], "ERR_DIRECT_INVOKE");
    assert!(!sidecar.stdout().contains("dapr initialized"));

    let app = RawApp::on(port, |exchange| {
        exchange.ok("here");
    });
    sidecar.wait_until_ready();
    sidecar.wait_for_output(&format!("application discovered on port {port}"));
    sidecar.invoke("waits", "x").expect(200, "here");
    drop(app);
    // Nobody watches the app afterwards unless asked to.
    assert_eq!(sidecar.get("/v1.0/healthz").status, 204);
}

#[test]
fn every_line_that_tools_wait_for_is_printed_in_order() {
    let app = RawApp::scripted();
    let sidecar = sidecar("says").app(&app).run();
    sidecar.wait_for_output("dapr initialized. Status: Running. Init Elapsed ");
    let output = sidecar.stdout();
    let version = env!("CARGO_PKG_VERSION");
    let mut rest = output.as_str();
    for line in [
        format!("Starting Dapr Runtime -- version {version} -- commit "),
        "standalone mode configured".to_owned(),
        "app id: says".to_owned(),
        format!("application discovered on port {}", app.port()),
        "dapr initialized. Status: Running. Init Elapsed ".to_owned(),
    ] {
        let Some((_, after)) = rest.split_once(&line) else {
            panic!("{line:?} is missing or out of order in\n{output}");
        };
        rest = after;
    }
    for line in [
        format!("metrics server started on 127.0.0.1:{}/", sidecar.metrics()),
        format!(
            "HTTP server listening on TCP address: 127.0.0.1:{}",
            sidecar.http()
        ),
        format!("HTTP server is running on port {}", sidecar.http()),
        format!("API gRPC server is running on port {}", sidecar.grpc()),
        format!(
            "Internal gRPC server is running on 127.0.0.1:{}",
            sidecar.internal()
        ),
        format!(
            "application protocol: http. waiting on port {}.  This will block until the app is listening on that port.",
            app.port()
        ),
        "Application configuration loaded".to_owned(),
    ] {
        assert!(output.contains(&line), "{line:?} is missing in\n{output}");
    }
    assert_eq!(sidecar.error_lines(), [] as [&str; 0]);
    assert_eq!(sidecar.stderr(), "");
}

#[test]
fn the_resolver_names_itself() {
    let mesh = Mesh::plain();
    let sidecar = mesh.sidecar("named").run();
    sidecar.wait_for_output("Initialized name resolution to sqlite");
}

#[test]
fn without_an_app_port_nobody_waits() {
    let sidecar = sidecar("alone").run();
    sidecar.wait_until_logged();
    let output = sidecar.stdout();
    assert!(
        output.contains("App channel is not initialized. Did you configure an app-port?"),
        "{output}"
    );
    for absent in ["waiting on port", "application discovered"] {
        assert!(!output.contains(absent), "{output}");
    }
}

#[test]
fn the_app_is_asked_for_its_configuration_once() {
    let app = RawApp::scripted();
    let sidecar = sidecar("asks")
        .app(&app)
        .env("APP_API_TOKEN", "t0ken")
        .run();
    let calls = app.configuration_calls();
    let [call] = &calls[..] else {
        panic!("one call: {calls:#?}");
    };
    assert_eq!(call.method, "GET");
    assert_eq!(call.header("dapr-app-id"), Some("asks"));
    assert_eq!(call.header("content-type"), Some("application/json"));
    assert_eq!(call.header("dapr-api-token"), Some("t0ken"));
    drop(sidecar);
}

#[test]
fn the_configuration_call_can_be_switched_off() {
    let app = RawApp::scripted();
    let sidecar = sidecar("quiet")
        .app(&app)
        .flag("disable-init-endpoints", "config")
        .run();
    sidecar.wait_for_output(
        "Skipping programmatic dapr configuration loading (see 'disable-init-endpoints' flag/annotation)",
    );
    assert_eq!(app.configuration_calls().len(), 0);
}

#[test]
fn nothing_is_served_before_the_identity_is_there() {
    let ca = Ca::new();
    let port = ports::reserve();
    let app = RawApp::scripted();
    let sidecar = sidecar("patient")
        .app(&app)
        .mtls_at(port, ca.anchors())
        .start();
    // A sentry that hangs up shows that the sidecar has asked.
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    drop(listener.accept().unwrap());
    drop(listener);
    for silent in [sidecar.http(), sidecar.grpc(), sidecar.internal()] {
        assert!(
            tests::RawClient::try_connect(silent).is_err(),
            "port {silent}"
        );
    }
    let _sentry = sentry(&ca).port(port).run();
    sidecar.wait_until_ready();
}

#[test]
fn the_grpc_api_answers() {
    let sidecar = sidecar("grpc").run();
    let client = tests::PeerClient::plain(sidecar.grpc()).unwrap();
    let answer = client
        .unary("/dapr.proto.runtime.v1.Dapr/GetState", &())
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_ne!(answer.code(), 0);
}

#[test]
fn the_app_may_be_asked_whether_it_is_well() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let well = Arc::new(AtomicBool::new(false));
    let state = well.clone();
    let app = RawApp::new(move |exchange| {
        let status = if exchange.target() != "/probe" || state.load(Ordering::SeqCst) {
            "200 OK"
        } else {
            "503 Busy"
        };
        exchange.send(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok"));
    });
    let mesh = Mesh::plain();
    let sidecar = mesh
        .sidecar("checked")
        .app(&app)
        .switch("enable-app-health-check")
        .flag("app-health-check-path", "probe")
        .flag("app-health-probe-interval", "1")
        .flag("app-health-threshold", "1")
        .run();
    let other = mesh.sidecar("asking").run();
    for flip in 0..2 {
        holds("calls are refused", || {
            let answer = sidecar.invoke("checked", "x");
            answer.status == 500
                && answer.body
                    == crate::fidelity::refusal(
                        "checked",
                        "rpc error: code = Internal desc = app is not in a healthy state",
                    )
                    .as_bytes()
        });
        other.invoke("checked", "x").expect(
            500,
            &crate::fidelity::refusal(
                "checked",
                "rpc error: code = Internal desc = error invoking app channel: rpc error: code = Internal desc = app is not in a healthy state",
            ),
        );
        assert_eq!(
            sidecar.get("/v1.0/healthz").status,
            204,
            "the sidecar itself is well"
        );
        well.store(true, Ordering::SeqCst);
        holds("calls pass", || other.invoke("checked", "x").status == 200);
        well.store(false, Ordering::SeqCst);
        let _ = flip;
    }
    sidecar.wait_for_output("App entered healthy status");
    sidecar.wait_for_output("App entered un-healthy status: ");
}

#[test]
fn the_version_is_printed_alone() {
    let run = |flag: &str| {
        let mut command = Command::new(binaries::daprd());
        command.arg(flag);
        let (status, stdout, stderr) = Process::run("daprd", command);
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{flag}");
        stdout
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(run("--version"), format!("{version}\n"));
    assert_eq!(run("-version"), format!("{version}\n"));
    let info = run("--build-info");
    let lines: Vec<_> = info.lines().collect();
    assert_eq!(lines.len(), 3, "{info}");
    assert_eq!(lines[0], format!("Version: {version}"));
    assert!(lines[1].starts_with("Git Commit: "), "{info}");
    assert!(lines[2].starts_with("Git Version: "), "{info}");
}

#[test]
fn help_is_no_failure() {
    for flag in ["--help", "-h"] {
        let mut command = Command::new(binaries::daprd());
        command.arg(flag);
        let (status, stdout, stderr) = Process::run("daprd", command);
        assert_eq!(status.code(), Some(0), "{flag}");
        assert!(format!("{stdout}{stderr}").contains("--app-id"), "{flag}");
    }
}

#[test]
fn waiting_ends_when_the_sidecar_is_there() {
    let sidecar = sidecar("awaited").run();
    let mut command = Command::new(binaries::daprd());
    command.args(["--wait", "--dapr-http-port", &sidecar.http().to_string()]);
    let (status, _, _) = Process::run("daprd --wait", command);
    assert_eq!(status.code(), Some(0));
}

#[test]
fn unix_sockets_replace_the_ports() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let directory = tempfile::TempDir::new().unwrap();
    let app = RawApp::scripted();
    let sidecar = sidecar("local")
        .app(&app)
        .flag("unix-domain-socket", directory.path().to_str().unwrap())
        .start();
    let http = directory.path().join("dapr-local-http.socket");
    let grpc = directory.path().join("dapr-local-grpc.socket");
    let mut client = tests::eventually("the socket accepts", || {
        assert!(sidecar.exited().is_none());
        UnixStream::connect(&http).ok()
    });
    sidecar.wait_for_output("dapr initialized");
    client
        .write_all(b"GET /v1.0/healthz HTTP/1.1\r\nHost: unix\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert!(UnixStream::connect(&grpc).is_ok());
    for line in [
        "HTTP server is running on a Unix Domain Socket",
        "API gRPC server is running on a Unix Domain Socket",
    ] {
        assert!(sidecar.stdout().contains(line), "{line}");
    }
    assert!(tests::RawClient::try_connect(sidecar.http()).is_err());
    sidecar.signal(nix::sys::signal::Signal::SIGTERM);
    sidecar.wait_for_code(0);
    assert!(!http.exists() && !grpc.exists(), "sockets are left behind");
}

#[test]
fn health_answers_have_no_body() {
    let sidecar = sidecar("healthy").run();
    for path in [
        "/v1.0/healthz",
        "/v1.0/healthz/outbound",
        "/v1.0/healthz?appid=healthy",
    ] {
        let answer = sidecar.get(path);
        answer.expect(204, "");
        assert_eq!(answer.framing, Framing::None);
    }
    sidecar.get("/v1.0/healthz?appid=other").expect(
        500,
        &error_body("ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match"),
    );
}
