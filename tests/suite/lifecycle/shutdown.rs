//! Every way to end a sidecar: what it says and with which code it ends.

use std::sync::Arc;

use nix::sys::signal::Signal;
use tests::{Gate, RawApp, RawClient, Request, holds, invoke_path, sidecar};

use crate::table::Table;

#[test]
fn signals_end_it_in_good_order() {
    let mut table = Table::default();
    for (signal, name) in [
        (Signal::SIGTERM, "terminated"),
        (Signal::SIGINT, "interrupt"),
    ] {
        table.row(name, || {
            let sidecar = sidecar("ends").run();
            sidecar.signal(signal);
            sidecar.wait_for_code(0);
            let output = sidecar.stdout();
            let mut rest = output.as_str();
            for line in [
                format!("Received signal '{name}'; beginning shutdown"),
                "Dapr is shutting down".to_owned(),
                "Dapr runtime stopped".to_owned(),
                "Daprd shutdown gracefully".to_owned(),
            ] {
                let Some((_, after)) = rest.split_once(&line) else {
                    panic!("{line:?} is missing or out of order in\n{output}");
                };
                rest = after;
            }
            assert_eq!(sidecar.error_lines(), [] as [&str; 0]);
            assert_eq!(sidecar.stderr(), "");
        });
    }
}

#[test]
fn the_shutdown_api_ends_it() {
    let sidecar = sidecar("asked").run();
    sidecar
        .send(&Request::new("POST", "/v1.0/shutdown"))
        .expect(204, "");
    sidecar.wait_for_code(0);
    let output = sidecar.stdout();
    for line in ["Shutdown requested via API", "Daprd shutdown gracefully"] {
        assert!(output.contains(line), "{line:?} is missing in\n{output}");
    }
    assert!(output.contains("scope=dapr.api"), "{output}");
}

#[test]
fn a_forced_shutdown_waits_for_nobody() {
    let mut table = Table::default();
    for value in ["true", "TRUE"] {
        table.row(value, || {
            let app = RawApp::new(tests::Exchange::hang);
            let sidecar = sidecar("forced").app(&app).run();
            let mut busy = RawClient::connect(sidecar.http());
            busy.send(Request::get(&invoke_path("forced", "x")).to_bytes(1))
                .unwrap();
            app.wait_for(1);
            let request =
                Request::new("POST", "/v1.0/shutdown").header("dapr-force-shutdown", value);
            sidecar.send(&request).expect(204, "");
            sidecar.wait_for_code(1);
            let line = "Force shutdown requested, exiting immediately without graceful shutdown";
            assert!(sidecar.stdout().contains(line));
        });
    }
    let sidecar = sidecar("unforced").run();
    let request = Request::new("POST", "/v1.0/shutdown").header("dapr-force-shutdown", "no");
    sidecar.send(&request).expect(204, "");
    sidecar.wait_for_code(0);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let app = RawApp::new(tests::Exchange::hang);
    let sidecar = sidecar("hurried")
        .app(&app)
        .flag("dapr-graceful-shutdown-seconds", "60")
        .run();
    let mut busy = RawClient::connect(sidecar.http());
    busy.send(Request::get(&invoke_path("hurried", "x")).to_bytes(1))
        .unwrap();
    app.wait_for(1);
    sidecar.signal(Signal::SIGTERM);
    sidecar.wait_for_output("beginning shutdown");
    sidecar.signal(Signal::SIGTERM);
    sidecar.wait_for_code(1);
    let line = "Received signal 'terminated' during shutdown; exiting immediately";
    assert!(sidecar.stdout().contains(line), "{}", sidecar.stdout());
}

#[test]
fn a_call_that_never_ends_is_cut_when_the_grace_is_over() {
    let app = RawApp::new(tests::Exchange::hang);
    let sidecar = sidecar("impatient")
        .app(&app)
        .flag("dapr-graceful-shutdown-seconds", "1")
        .run();
    let mut busy = RawClient::connect(sidecar.http());
    busy.send(Request::get(&invoke_path("impatient", "x")).to_bytes(1))
        .unwrap();
    app.wait_for(1);
    sidecar.signal(Signal::SIGTERM);
    assert!(busy.response("GET").is_err(), "nothing answers for the app");
    sidecar.wait_for_code(1);
    let line = "Graceful shutdown timeout exceeded, forcing shutdown";
    assert!(sidecar.stdout().contains(line), "{}", sidecar.stdout());
}

#[test]
fn a_hangup_ends_nothing() {
    let app = RawApp::scripted();
    let sidecar = sidecar("reloads").app(&app).run();
    sidecar.signal(Signal::SIGHUP);
    sidecar.wait_for_output("Received signal 'hangup'; ");
    holds("it is ready", || sidecar.get("/v1.0/healthz").status == 204);
    sidecar.invoke("reloads", "x").expect(200, "ok");
    assert!(sidecar.exited().is_none());
}

#[test]
fn a_blocked_shutdown_keeps_serving() {
    let app = RawApp::scripted();
    let sidecar = sidecar("blocked")
        .app(&app)
        .flag("dapr-block-shutdown-duration", "1s")
        .run();
    sidecar.signal(Signal::SIGTERM);
    sidecar.wait_for_output("Blocking graceful shutdown for 1s or until app reports unhealthy...");
    sidecar.invoke("blocked", "x").expect(200, "ok");
    sidecar.wait_for_code(0);
    let line = "Block shutdown period expired, entering shutdown...";
    assert!(sidecar.stdout().contains(line), "{}", sidecar.stdout());
}

#[test]
fn the_api_ends_a_blocked_shutdown() {
    let app = RawApp::scripted();
    let start = || {
        sidecar("unblocked")
            .app(&app)
            .flag("dapr-block-shutdown-duration", "1h")
            .run()
    };
    let asked = start();
    asked
        .send(&Request::new("POST", "/v1.0/shutdown"))
        .expect(204, "");
    asked.wait_for_code(0);
    let hurried = start();
    hurried.signal(Signal::SIGTERM);
    hurried
        .wait_for_output("Blocking graceful shutdown for 1h0m0s or until app reports unhealthy...");
    hurried.signal(Signal::SIGTERM);
    hurried.wait_for_code(1);
}

#[test]
fn it_ends_while_it_waits_for_its_app() {
    let sidecar = sidecar("appless").app_port(tests::ports::reserve()).start();
    sidecar.wait_until_outbound();
    sidecar.signal(Signal::SIGTERM);
    sidecar.wait_for_code(0);
}

#[test]
fn it_ends_while_it_waits_for_its_identity() {
    let ca = tests::Ca::new();
    let sidecar = sidecar("unknown")
        .mtls_at(tests::ports::reserve(), ca.anchors())
        .start();
    sidecar.wait_for_output("Starting Dapr Runtime");
    sidecar.signal(Signal::SIGTERM);
    let status = sidecar.wait();
    assert!(status.code().is_some(), "it died of the signal: {status}");
}

#[test]
fn streams_get_the_grace_period_too() {
    let proceed = Arc::new(Gate::new());
    let gate = proceed.clone();
    let app = RawApp::new(move |exchange| {
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        exchange.chunk("1");
        gate.wait();
        exchange.chunk("2");
        exchange.send("0\r\n\r\n");
    });
    let sidecar = sidecar("streams").app(&app).run();
    let mut client = RawClient::connect(sidecar.http());
    client
        .send(Request::get(&invoke_path("streams", "x")).to_bytes(1))
        .unwrap();
    app.wait_for(1);
    sidecar.signal(Signal::SIGTERM);
    sidecar.wait_for_output("beginning shutdown");
    proceed.open();
    client.response("GET").unwrap().expect(200, "12");
    sidecar.wait_for_code(0);
}
