//! `invoke`: what is sent, and what is made of every kind of answer.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;

use serde_json::json;

use super::fake::{self, Fake};
use crate::tools::{Done, Place, Running, eventually};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

fn sidecar(place: &Place, id: &str, answer: impl Into<Vec<u8>>) -> Fake {
    fake::sidecar(place, id, &json!({}), answer)
}

fn invoke(place: &Place, id: &str, arguments: &[&str]) -> Done {
    place.run(&[&["invoke", "--app-id", id], arguments].concat())
}

#[test]
fn every_verb_is_sent_as_it_is_typed() {
    let place = Place::new();
    let id = fake::id("verbs");
    let fake = sidecar(&place, &id, OK);
    for verb in [
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get",
    ] {
        let done = invoke(&place, &id, &["-m", "x", "-v", verb, "-d", "{}"]);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{verb}");
        assert_eq!(done.out, "hi\n✅  App invoked successfully\n");
        let request = fake.request();
        assert_eq!(
            request.line,
            format!("{verb} /v1.0/invoke/{id}/method/x HTTP/1.1")
        );
        assert_eq!(request.body, b"{}");
        assert!(request.has("content-type: application/json"));
        assert!(!request.has_name("dapr-api-token"));
    }
    // POST unless told otherwise, without a body.
    assert_eq!(invoke(&place, &id, &["-m", "x"]).code, Some(0));
    let request = fake.request();
    assert!(request.line.starts_with("POST ") && request.has("content-length: 0"));
    for verb in ["", "GET /", "GE\r\nT"] {
        let done = invoke(&place, &id, &["-m", "x", "-v", verb]);
        assert_eq!(done.code, Some(1));
        assert_eq!(
            done.err,
            format!("❌  error invoking app {id}: {verb:?} is not an HTTP method\n")
        );
    }
}

#[test]
fn an_answer_to_head_has_no_body() {
    let place = Place::new();
    let id = fake::id("head");
    let _fake = sidecar(&place, &id, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
    let done = invoke(&place, &id, &["-m", "x", "--verb", "HEAD"]);
    assert_eq!(done.out, "✅  App invoked successfully\n");
}

#[test]
fn methods_bring_their_slashes_and_query() {
    let place = Place::new();
    let id = fake::id("paths");
    let fake = sidecar(&place, &id, OK);
    for (method, path) in [
        ("orders", "orders"),
        ("/orders/1", "orders/1"),
        ("a//b/", "a//b/"),
        ("a?x=1&y=%20#z", "a?x=1&y=%20%23z"),
        ("a#b?c", "a"),
        ("a b/ü", "a%20b/%C3%BC"),
        ("a\r\nHost: evil", "a%0D%0AHost:%20evil"),
    ] {
        assert_eq!(invoke(&place, &id, &["-m", method]).code, Some(0));
        assert_eq!(
            fake.request().line,
            format!("POST /v1.0/invoke/{id}/method/{path} HTTP/1.1")
        );
    }
}

#[test]
fn bodies_come_from_the_command_line_or_a_file() {
    let place = Place::new();
    let id = fake::id("bodies");
    let fake = sidecar(&place, &id, OK);
    // Every byte, and more than any buffer.
    let large: Vec<u8> = (0..12_000_000_u32).map(|n| n as u8).collect();
    let file = place.path().join("large.bin");
    fs::write(&file, &large).unwrap();
    let file = file.display().to_string();
    assert_eq!(invoke(&place, &id, &["-m", "x", "-f", &file]).code, Some(0));
    assert!(fake.request().body == large);

    // Anything that can be read, such as standard input.
    let mut child = place
        .dapr(&["invoke", "-a", &id, "-m", "x", "--data-file", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"piped\xff").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(fake.request().body, b"piped\xff");

    let done = invoke(&place, &id, &["-m", "x", "-d", "1", "-f", &file]);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.err,
        "❌  Only one of --data and --data-file allowed in the same invoke command\n"
    );
    let done = invoke(&place, &id, &["-m", "x", "-f", "none"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err
            .starts_with("❌  Error reading payload from 'none'. Error: "),
        "{}",
        done.err
    );
}

#[test]
fn answers_below_400_are_printed() {
    let place = Place::new();
    for (name, answer, out) in [
        ("empty", &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..], &b""[..]),
        ("none", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ("bytes", b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\x00\xff\xfe\n", b"\x00\xff\xfe\n\n"),
        ("chunks", b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc\n"),
        // A redirect is the app's answer; nobody asked to call another app.
        ("redirect", b"HTTP/1.1 302 Found\r\nlocation: /v1.0/shutdown\r\ncontent-length: 5\r\n\r\nmoved", b"moved\n"),
        ("unchanged", b"HTTP/1.1 304 Not Modified\r\n\r\n", b""),
    ] {
        let id = fake::id(name);
        let fake = sidecar(&place, &id, answer);
        let line = ["invoke", "-a", &id, "-m", "x"];
        let output = place.dapr(&line).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}");
        let expected = [out, "✅  App invoked successfully\n".as_bytes()].concat();
        assert_eq!(output.stdout, expected, "{name}");
        assert!(output.stderr.is_empty(), "{name}");
        assert!(fake.request().line.starts_with("POST "));
        assert!(fake.requests.try_recv().is_err(), "{name}: called once");
    }
}

#[test]
fn other_answers_are_failures() {
    let place = Place::new();
    for (name, answer, message) in [
        (
            "missing",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno",
            "404 Not Found",
        ),
        (
            "teapot",
            "HTTP/1.1 418 I'm a teapot\r\ncontent-length: 0\r\n\r\n",
            "418 I'm a teapot",
        ),
        (
            "broken",
            "HTTP/1.1 500 Internal Server Error\r\n\r\nno",
            "500 Internal Server Error",
        ),
        ("odd", "HTTP/1.1 599\r\ncontent-length: 0\r\n\r\n", "599"),
        (
            "short",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi",
            "unexpected end of file",
        ),
        ("foreign", "SSH-2.0-x\r\n", "malformed status line"),
        ("silent", "", "unexpected end of file"),
    ] {
        let id = fake::id(name);
        let _fake = sidecar(&place, &id, answer);
        let done = invoke(&place, &id, &["-m", "x"]);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{name}");
        assert_eq!(
            done.err.trim_end(),
            format!("❌  error invoking app {id}: {message}")
        );
    }
    let done = invoke(&place, "nobody-1", &["-m", "x"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.err,
        "❌  error invoking app nobody-1: app ID nobody-1 not found\n"
    );
}

/// More than all buffers between the two hold, so that neither may wait for
/// the other to be done.
#[test]
fn answers_are_read_while_bodies_are_sent() {
    let place = Place::new();
    let id = fake::id("echo");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let echo = thread::spawn(move || {
        // Listings of other tests ask for metadata.
        let (mut reader, mut writer) = loop {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.starts_with("POST ") {
                break (reader, stream);
            }
        };
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n").unwrap();
        io::copy(&mut reader.take(LARGE), &mut writer).unwrap();
    });
    let mut process = fake::process(&place, &["--app-id", &id, "--dapr-http-port", &port]);
    let body: Vec<u8> = (0..LARGE).map(|n| n as u8).collect();
    fs::write(place.path().join("body"), &body).unwrap();
    let line = ["invoke", "-a", &id, "-m", "x", "-f", "body"];
    let output = place.dapr(&line).output().unwrap();
    assert!(output.stdout.starts_with(&body) && output.status.success());
    echo.join().unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
}

const LARGE: u64 = 64 << 20;

#[test]
fn the_api_token_is_shown_to_the_sidecar() {
    let place = Place::new();
    let id = fake::id("token");
    let fake = sidecar(&place, &id, OK);
    let output = place
        .dapr(&["invoke", "-a", &id, "-m", "x"])
        .env("DAPR_API_TOKEN", "secret")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(fake.request().has("dapr-api-token: secret"));
}

#[test]
fn sockets_are_called() {
    let place = Place::new();
    let id = fake::id("socket");
    let fake = fake::sidecar_on_socket(&place, &id, place.path(), OK);
    let directory = place.path().display().to_string();
    // From the sidecar's command line, and given.
    for arguments in [&["-m", "x"][..], &["-m", "x", "-u", &directory]] {
        let done = invoke(&place, &id, arguments);
        assert_eq!(done.out, "hi\n✅  App invoked successfully\n", "{done:?}");
        assert!(fake.request().has("host: unix"));
    }
    // The process need not be visible, as in a container.
    drop(fake);
    let other = fake::id("elsewhere");
    let listener = fake::sidecar_on_socket(&place, &other, place.path(), OK);
    assert_eq!(
        invoke(&place, &other, &["-m", "x", "-u", &directory]).code,
        Some(0)
    );
    drop(listener);
    let done = invoke(&place, "nobody-2", &["-m", "x", "-u", &directory]);
    assert_eq!(
        done.err,
        "❌  error invoking app nobody-2: app ID nobody-2 not found\n"
    );
}

#[test]
fn a_real_sidecar_takes_every_verb_and_refuses_what_is_too_large() {
    let place = Place::new();
    let id = fake::id("real");
    let app = fake::app().to_string();
    let mut command = place.dapr(&["run", "-a", &id, "-p", &app, "--max-body-size", "1Mi"]);
    command.env("DAPR_API_TOKEN", "secret");
    let mut run = Running::start(command);
    run.line("You're up and running!");
    let call = |arguments: &[&str]| {
        let line = [&["invoke", "-a", &id], arguments].concat();
        Done::of(
            place
                .dapr(&line)
                .env("DAPR_API_TOKEN", "secret")
                .output()
                .unwrap(),
        )
    };
    eventually(|| (call(&["-m", "up", "-d", "!"]).code == Some(0)).then_some(()));
    for verb in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let done = call(&["-m", "a/b?c=d", "-v", verb, "-d", "1!"]);
        assert_eq!(
            done.out,
            format!("{verb} /a/b?c=d HTTP/1.1\n✅  App invoked successfully\n")
        );
    }
    let done = call(&["-m", "a", "-v", "HEAD", "-d", "1!"]);
    assert_eq!(done.out, "✅  App invoked successfully\n");

    let file = place.path().join("large");
    fs::write(&file, vec![b'!'; 8 << 20]).unwrap();
    let done = call(&["-m", "x", "-f", "large"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.err,
        format!(
            "❌  error invoking app {id}: 500 Internal Server Error\n\
             ❌  failed to invoke, id: {id}, err: Post \"http://127.0.0.1:{app}/x\": stream too large\n"
        )
    );
    let done = invoke(&place, &id, &["-m", "x"]);
    assert_eq!(
        done.err,
        format!("❌  error invoking app {id}: 401 Unauthorized\n")
    );
}
