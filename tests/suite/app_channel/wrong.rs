//! An app that does not speak what it is said to speak: the error says what to
//! set.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};

use tests::{GrpcRequest, RawApp, Speaks, WebApp, holds, sidecar};

use super::request;
use crate::table::Table;

const HTTPS: &str = "the app speaks TLS, set --app-protocol https (grpcs for gRPC)";
const GRPC: &str = "the app speaks HTTP/2, set --app-protocol grpc (h2c without gRPC)";
const NO_TLS: &str = "tls: first record does not look like a TLS handshake; if the app does not speak TLS, set --app-protocol http (h2c for HTTP/2)";
const HTTP: &str = "does not answer in HTTP/2, set --app-protocol http, or https if it speaks TLS";

#[test]
fn errors_name_the_protocol_that_helps() {
    let mut table = Table::default();
    for (protocol, app, advice) in [
        ("http", Speaks::Https, HTTPS),
        ("http", Speaks::HttpsOverHttp2, HTTPS),
        ("http", Speaks::H2c, GRPC),
        ("https", Speaks::Http, NO_TLS),
        ("https", Speaks::H2c, NO_TLS),
        ("h2c", Speaks::Http, HTTP),
        ("h2c", Speaks::Https, HTTP),
        ("h2c", Speaks::HttpsOverHttp2, HTTP),
    ] {
        table.row(&format!("{app:?} behind {protocol}"), || {
            let app = WebApp::new(app);
            let callee = sidecar("callee")
                .app_port(app.port())
                .flag("app-protocol", protocol)
                .start();
            callee.wait_until_outbound();
            for _ in 0..2 {
                let answer = request("GET", "callee", "x").send(callee.http());
                assert_eq!(answer.status, 500, "{answer:?}");
                let json = answer.json();
                let message = json["message"].as_str().unwrap();
                let scheme = protocol.replace("h2c", "http");
                let start = format!(
                    "failed to invoke, id: callee, err: Get \"{scheme}://127.0.0.1:{}/x\": ",
                    app.port()
                );
                assert!(message.starts_with(&start), "{message}");
                assert!(message.ends_with(advice), "{message}");
            }
            // The log says so before anybody calls.
            callee.wait_for_output(match (protocol, app.speaks()) {
                ("http", Speaks::H2c) => "speaks HTTP/2, not HTTP/1.1",
                _ => advice,
            });
        });
    }
}

/// TLS servers of some platforms hang up on HTTP without a word.
#[test]
fn a_tls_app_that_hangs_up_on_http_is_recognized() {
    let app = WebApp::new(Speaks::Https);
    let port = in_front_of(app.port());
    let callee = sidecar("callee").app_port(port).run();
    let answer = request("GET", "callee", "x").send(callee.http());
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(
        answer.text().contains(&format!("EOF; {HTTPS}")),
        "{answer:?}"
    );
    callee.wait_for_output(HTTPS);
}

/// Passes TLS on, and ends everything else.
fn in_front_of(app: u16) -> u16 {
    const HANDSHAKE: u8 = 22;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut first = [0; 1];
            if stream.read_exact(&mut first).is_err() || first[0] != HANDSHAKE {
                let mut rest = [0; 4096];
                let _ = stream.read(&mut rest);
                continue;
            }
            let app = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, app)).unwrap();
            let (mut from, mut to) = (stream.try_clone().unwrap(), app.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut { app }, &mut { stream });
            });
            std::thread::spawn(move || {
                let _ = std::io::Write::write_all(&mut to, &first);
                let _ = std::io::copy(&mut from, &mut to);
            });
        }
    });
    port
}

/// An app that crashes is not told to speak something else.
#[test]
fn an_app_that_hangs_up_gets_no_advice() {
    let app = RawApp::new(tests::Exchange::reset);
    let callee = sidecar("callee").app(&app).run();
    let answer = request("GET", "callee", "x").send(callee.http());
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(!answer.text().contains("app-protocol"), "{answer:?}");
}

/// gRPC apps are often started without saying so; their services can be
/// called all the same.
#[test]
fn a_grpc_app_under_the_default_protocol_gets_one_line() {
    let app = tests::GrpcApp::kinds();
    let callee = sidecar("callee").app_port(app.port()).run();
    callee.wait_until_logged();
    let log = callee.stdout();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("level=warn") || line.contains("/dapr/config"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let line = format!(
        "the app on port {} speaks HTTP/2, not HTTP/1.1: its gRPC services can be called as they are; to invoke its methods, set --app-protocol grpc",
        app.port()
    );
    assert!(lines[0].contains(&line), "{lines:#?}");
    holds("its services can be called", || {
        tests::GrpcClient::connect(callee.grpc())
            .unwrap()
            .call(
                &GrpcRequest::new("/testing.Kinds/Unary").to("callee"),
                &["x"],
            )
            .is_ok_and(|answer| answer.code() == 0)
    });
}
