//! A call that must fail: the exact answer, and no second one.

use nix::sys::signal::Signal;
use tests::{Mesh, RawApp, RawClient, Request, invoke_path, ports};

use crate::fidelity::refusal;
use crate::table::Table;

#[test]
fn an_app_that_does_not_listen_is_named() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let caller = mesh.sidecar("caller").app(&app).run();
    let port = app.port();
    drop(app);
    let dial = format!("dial tcp 127.0.0.1:{port}: connect: connection refused");
    let method = format!("Get \"http://127.0.0.1:{port}/x\": {dial}");
    let mut table = Table::default();
    table.row("remote", || {
        let answer = caller.invoke("callee", "x");
        assert_eq!(answer.status, 500, "{answer:?}");
        let json = answer.json();
        let message = json["message"].as_str().unwrap();
        let start = "failed to invoke, id: callee, err: rpc error: code = Internal desc = error invoking app channel: ";
        assert!(message.starts_with(start), "{message}");
        assert!(message.contains(&format!("127.0.0.1:{port}")), "{message} is not like {method}");
    });
    table.row("local", || {
        let answer = callee.invoke("callee", "x");
        assert_eq!(answer.status, 500, "{answer:?}");
        let json = answer.json();
        let message = json["message"].as_str().unwrap();
        assert!(
            message.starts_with("failed to invoke, id: callee, err: "),
            "{message}"
        );
        assert!(
            message.contains("refused"),
            "{message} is not like {method}"
        );
    });
}

#[test]
fn a_sidecar_without_an_app_says_so() {
    let mesh = Mesh::mtls();
    let callee = mesh.sidecar("callee").run();
    let caller = mesh.sidecar("caller").run();
    caller.invoke("callee", "x").expect(
        500,
        &refusal(
            "callee",
            "rpc error: code = Internal desc = app channel is not initialized",
        ),
    );
    callee.invoke("callee", "x").expect(
        500,
        &refusal(
            "callee",
            "cannot invoke local endpoint: app channel not initialized",
        ),
    );
}

#[test]
fn a_killed_sidecar_is_an_error_after_three_retries() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let caller = mesh.sidecar("caller").run();
    caller.invoke("callee", "x").expect(200, "ok");
    callee.kill();
    // Its row is still fresh: the name resolves, nobody answers.
    let answer = caller.invoke("callee", "x");
    assert_eq!(answer.status, 500, "{answer:?}");
    let json = answer.json();
    assert_eq!(json["errorCode"], "ERR_DIRECT_INVOKE");
    let message = json["message"].as_str().unwrap();
    let gone = message.ends_with("no host found with the given ID");
    let refused = message.starts_with(
        "failed to invoke, id: callee, err: failed to invoke target callee after 3 retries. Error: rpc error: code = Unavailable desc = ",
    );
    assert!(gone || refused, "{message}");
    assert_eq!(app.take().len(), 1);
}

#[test]
fn a_plaintext_callee_is_refused_with_one_line_that_says_so() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let _callee = tests::sidecar("callee").app(&app).names(mesh.names()).run();
    let caller = mesh.sidecar("caller").run();
    let answer = caller.invoke("callee", "x");
    assert_eq!(answer.status, 500, "{answer:?}");
    let json = answer.json();
    let message = json["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "failed to invoke, id: callee, err: failed to invoke target callee after "
        ),
        "{message}"
    );
    assert!(message.contains("code = Unavailable"), "{message}");
    assert_eq!(app.take().len(), 0);
    tests::holds("the line is there", || !caller.error_lines().is_empty());
    let lines = caller.error_lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].contains("plaintext") || lines[0].contains("mTLS"),
        "{}",
        lines[0]
    );
}

#[test]
fn a_plaintext_caller_is_refused() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let callee = mesh.sidecar("callee").app(&app).run();
    let caller = tests::sidecar("caller").names(mesh.names()).run();
    let answer = caller.invoke("callee", "x");
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(answer.text().contains("code = Unavailable"), "{answer:?}");
    assert_eq!(app.take().len(), 0);
    assert!(callee.exited().is_none());
}

#[test]
fn an_address_where_nobody_listens_is_unavailable() {
    let mesh = Mesh::plain();
    let caller = mesh.sidecar("caller").run();
    let port = ports::reserve();
    crate::names::insert(
        &mesh.names().open(),
        "ghost",
        &format!("127.0.0.1:{port}"),
        "",
    );
    let answer = caller.invoke("ghost", "x");
    assert_eq!(answer.status, 500, "{answer:?}");
    let json = answer.json();
    let message = json["message"].as_str().unwrap();
    assert!(
        message.starts_with("failed to invoke, id: ghost, err: failed to invoke target ghost after 3 retries. Error: rpc error: code = Unavailable desc = "),
        "{message}"
    );
}

#[test]
fn requests_that_are_no_http_are_refused() {
    let mesh = Mesh::plain();
    let sidecar = mesh.sidecar("strict").run();
    let mut table = Table::default();
    for (name, bytes) in [
        ("no version", "GET /v1.0/healthz\r\n\r\n"),
        (
            "a blank in the target",
            "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        ),
        (
            "a bad header name",
            "GET /x HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
        ),
        (
            "a length that is none",
            "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        ),
        (
            "two lengths",
            "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        ),
        (
            "a negative length",
            "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        ),
    ] {
        table.row(name, || {
            let mut client = RawClient::connect(sidecar.http());
            client.send(bytes).unwrap();
            let answer = client.response("GET").unwrap();
            assert_eq!(answer.status, 400, "{answer:?}");
            assert!(client.is_closed(), "the connection stays open");
        });
    }
    sidecar.get("/v1.0/healthz").expect(204, "");
    assert!(!sidecar.stdout().contains("panicked"));
}

#[test]
fn a_head_that_never_ends_is_given_up() {
    let mesh = Mesh::plain();
    let sidecar = mesh.sidecar("bounded").run();
    let mut client = RawClient::connect(sidecar.http());
    client
        .send("GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\n")
        .unwrap();
    // Ten seconds; then an answer or nothing, but the connection ends.
    let _ = client.response("GET");
    assert!(client.is_closed());
}

#[test]
fn invalid_baggage_is_a_bad_request() {
    let mesh = Mesh::plain();
    let app = RawApp::scripted();
    let sidecar = mesh.sidecar("packed").app(&app).run();
    for value in ["=", "a", "a=b c", ",", "a=1;;"] {
        let request = Request::get(&invoke_path("packed", "x")).header("baggage", value);
        let answer = sidecar.send(&request);
        assert_eq!(answer.status, 400, "{value}: {answer:?}");
        assert!(
            answer.text().starts_with("invalid baggage header: "),
            "{answer:?}"
        );
    }
    assert_eq!(app.take().len(), 0);
    let request = Request::get(&invoke_path("packed", "x")).header("baggage", "a=1;p=2,b=%20");
    let answer = sidecar.send(&request);
    answer.expect(200, "ok");
    assert_eq!(answer.values("baggage"), ["a=1;p=2,b=%20"]);
    assert_eq!(app.take_one().values("baggage"), ["a=1;p=2,b=%20"]);
}

#[test]
fn a_frozen_callee_does_not_block_other_calls() {
    let mesh = Mesh::mtls();
    let app = RawApp::scripted();
    let frozen = mesh.sidecar("frozen").app(&app).run();
    let alive = mesh.sidecar("alive").app(&app).run();
    let caller = mesh.sidecar("caller").run();
    caller.invoke("frozen", "x").expect(200, "ok");
    frozen.signal(Signal::SIGSTOP);
    let mut stuck = RawClient::connect(caller.http());
    stuck
        .send(Request::get(&invoke_path("frozen", "x")).to_bytes(1))
        .unwrap();
    for _ in 0..20 {
        caller.invoke("alive", "x").expect(200, "ok");
    }
    assert!(alive.exited().is_none());
    frozen.signal(Signal::SIGCONT);
    stuck.response("GET").unwrap().expect(200, "ok");
}
