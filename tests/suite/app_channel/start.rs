//! Waiting for the app: its port, and its TLS.

use std::net::{Ipv4Addr, TcpListener};

use tests::{Listening, Speaks, WebApp, ports, sidecar};

use super::request;
use crate::table::Table;

fn waiting(protocol: &str, port: u16) -> String {
    format!(
        "application protocol: {protocol}. waiting on port {port}.  This will block until the app is listening on that port."
    )
}

#[test]
fn an_app_that_comes_late_is_waited_for() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        let arrives = || {
            let port = ports::reserve();
            let callee = sidecar("callee")
                .app_port(port)
                .flag("app-protocol", speaks.protocol())
                .start();
            callee.wait_for_output(&waiting(speaks.protocol(), port));
            callee.wait_until_outbound();
            assert_ne!(callee.get("/v1.0/healthz").status, 204);
            let how = Listening {
                port: Some(port),
                ..Listening::default()
            };
            let app = WebApp::listening(speaks, how);
            callee.wait_until_ready();
            callee.wait_for_output(&format!("application discovered on port {port}"));
            tests::holds("the app was asked for its configuration", || {
                app.configuration_calls().len() == 1
            });
            request("GET", "callee", "x")
                .send(callee.http())
                .expect(200, "ok");
            let log = callee.stdout();
            assert!(!log.contains("cannot be reached"), "{log}");
            // Nothing of the wait shows as a broken handshake, but for the
            // one by which HTTP/2 is found out.
            let found_out = usize::from(speaks == Speaks::HttpsOverHttp2);
            app.handshakes_failed() == found_out
        };
        table.row(&format!("{speaks:?}"), || {
            // On a busy machine a handshake may take longer than it is given.
            assert!((0..5).any(|_| arrives()), "handshakes were broken off");
        });
    }
}

#[test]
fn a_port_without_tls_is_no_tls_app() {
    let mut table = Table::default();
    for protocol in ["https", "grpcs"] {
        table.row(protocol, || {
            let plain = WebApp::new(Speaks::Http);
            let port = plain.port();
            let callee = sidecar("callee")
                .app_port(port)
                .flag("app-protocol", protocol)
                .start();
            callee.wait_until_outbound();
            let advice = if protocol == "https" { "http" } else { "grpc" };
            callee.wait_for_output(&format!("the app on port {port} cannot be reached: tls: "));
            callee.wait_for_output(&format!(
                "if the app does not speak TLS, set --app-protocol {advice}"
            ));
            let log = callee.stdout();
            assert!(!log.contains("application discovered"), "{log}");
            assert_eq!(log.matches("cannot be reached").count(), 1, "{log}");
            plain.stop();
            let how = Listening {
                port: Some(port),
                tls: Some(tests::AppTls {
                    alpn: &["h2", "http/1.1"],
                    ..tests::AppTls::default()
                }),
                ..Listening::default()
            };
            let _app = WebApp::listening(Speaks::Https, how);
            callee.wait_until_ready();
        });
    }
}

/// The log tells again and again what it waits for.
#[test]
fn a_long_wait_is_told_of() {
    let port = ports::reserve();
    let waiting = sidecar("waiting").app_port(port).start();
    let plain = WebApp::new(Speaks::Http);
    let reaching = sidecar("reaching")
        .app_port(plain.port())
        .flag("app-protocol", "https")
        .start();
    waiting.wait_for_output(&format!("waiting for application to listen on port {port}"));
    assert!(!waiting.stdout().contains("cannot be reached"));
    let port = plain.port();
    reaching.wait_for_output(&format!("waiting for application to listen on port {port}"));
    tests::holds("the reason is told a second time", || {
        reaching
            .stdout()
            .matches("cannot be reached: tls: ")
            .count()
            == 2
    });
}

/// A server that accepts and says nothing is waited for as well.
#[test]
fn a_port_that_is_silent_is_no_tls_app() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let callee = sidecar("callee")
        .app_port(port)
        .flag("app-protocol", "https")
        .start();
    // The second handshake comes after the first was given up.
    let (_first, _) = listener.accept().unwrap();
    let (_second, _) = listener.accept().unwrap();
    assert!(!callee.stdout().contains("application discovered"));
    drop(listener);
    let how = Listening {
        port: Some(port),
        ..Listening::default()
    };
    let _app = WebApp::listening(Speaks::Https, how);
    callee.wait_until_ready();
}

#[test]
fn an_app_need_not_have_a_configuration() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        table.row(&format!("{speaks:?}"), || {
            let app = WebApp::new(speaks);
            let callee = sidecar("callee").web_app(&app).run();
            callee.wait_for_output("Application configuration loaded");
            let calls = app.configuration_calls();
            assert_eq!(calls.len(), 1);
            assert_eq!(calls[0].target, "/dapr/config");
            let app = WebApp::new(speaks);
            let callee = sidecar("callee")
                .web_app(&app)
                .flag("disable-init-endpoints", "config")
                .run();
            callee.wait_for_output("Skipping programmatic dapr configuration loading");
            assert!(app.configuration_calls().is_empty());
        });
    }
}
