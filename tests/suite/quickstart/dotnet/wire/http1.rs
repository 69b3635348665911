//! `HttpClient` over HTTP/1.1.

use std::net::IpAddr;

use tests::{RawApp, RawClient, Request, Response, Seen};

use super::{JSON, KESTREL, LOCALHOST, ORDER, Pair, TAKEN, TRACE};
use crate::table::Table;

/// How many bytes a write takes; the last one is a whole request.
const WRITES: [usize; 3] = [1, 7, usize::MAX];

/// Who places an order, and what its request is like.
type Client = (&'static str, fn(&Pair) -> Request);

const CLIENTS: &[Client] = &[
    ("Dapr.Client", |pair| pair.request().chunked(&[ORDER])),
    ("Dapr.Client in two chunks", |pair| {
        let (start, end) = ORDER.split_at(5);
        pair.request().chunked(&[start, end])
    }),
    ("HttpClient with a header", |pair| {
        with_header(pair).body(ORDER)
    }),
    ("HttpClient with a header, chunked", |pair| {
        with_header(pair).chunked(&[ORDER])
    }),
    ("HttpClient that offers HTTP/2", |pair| {
        pair.request()
            .header("Connection", "Upgrade, HTTP2-Settings")
            .header("Upgrade", "h2c")
            .header("HTTP2-Settings", "AAMAAABkAAQAAP__")
            .chunked(&[ORDER])
    }),
];

/// The form of the page: no SDK, and no `User-Agent`.
fn with_header(pair: &Pair) -> Request {
    Request::new("POST", "/orders")
        .header("Host", &format!("localhost:{}", pair.http))
        .header("Accept", "application/json")
        .header("dapr-app-id", &pair.callee_id)
        .header("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-00"))
        .header("Content-Type", JSON)
}

fn connect(pair: &Pair, address: IpAddr) -> RawClient {
    RawClient::try_connect_to(address, pair.http).unwrap()
}

/// The answer of Kestrel, and the order as sent.
fn assert_passed(answer: &Response, order: &Seen, request: &str) {
    answer.expect(200, TAKEN);
    assert_eq!(answer.header("Server"), Some("Kestrel"));
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(order.target, "/orders");
    assert_eq!(String::from_utf8_lossy(&order.body), ORDER);
    assert_eq!(order.values("Content-Type"), [JSON]);
    let kept = |name: &str| {
        let line = request
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        assert_eq!(order.header(name), line, "{name}");
    };
    kept("Accept");
    kept("User-Agent");
    kept("Transfer-Encoding");
    kept("Content-Length");
    let trace = order.header("traceparent").unwrap_or_default();
    assert_eq!(trace.split('-').nth(1), Some(TRACE), "{trace}");
    for name in [
        "connection",
        "dapr-app-id",
        "expect",
        "http2-settings",
        "upgrade",
    ] {
        assert!(!order.names().contains(&name.to_owned()), "{order:?}");
    }
}

#[test]
fn orders_pass_however_they_are_written() {
    let pair = Pair::new();
    let mut table = Table::default();
    for address in LOCALHOST {
        for (name, request) in CLIENTS {
            for write in WRITES {
                let row = format!("{name} to {address}, {write} bytes a write");
                table.row(&row, || {
                    let request = request(&pair).to_bytes(pair.http);
                    let mut client = connect(&pair, address);
                    // The second one on the same connection, which was kept.
                    for _ in 0..2 {
                        for piece in request.chunks(write) {
                            client.send(piece).unwrap();
                        }
                        let answer = client.response("POST").unwrap();
                        let text = String::from_utf8_lossy(&request);
                        assert_passed(&answer, &pair.app.take_one(), &text);
                    }
                });
            }
        }
    }
}

#[test]
fn answers_pass_however_they_are_written() {
    for write in [1, 7] {
        let pair = Pair::of(RawApp::new(move |exchange| {
            exchange.body();
            exchange.drip(KESTREL, write);
        }));
        let mut client = connect(&pair, LOCALHOST[0]);
        for _ in 0..2 {
            let request = pair.request().chunked(&[ORDER]);
            let answer = client.call(&request).unwrap();
            let text = String::from_utf8_lossy(&request.to_bytes(pair.http)).into_owned();
            assert_passed(&answer, &pair.app.take_one(), &text);
        }
    }
}

#[test]
fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let pair = Pair::new();
    let request = pair.request().header("Expect", "100-continue");
    let request = request.chunked(&[ORDER]).to_bytes(pair.http);
    let text = String::from_utf8_lossy(&request).into_owned();
    let (head, body) = request.split_at(text.find("\r\n\r\n").unwrap() + 4);
    for address in LOCALHOST {
        let mut client = connect(&pair, address);
        client.send(head).unwrap();
        assert_eq!(client.head().unwrap().status(), 100);
        client.send(body).unwrap();
        let answer = client.response("POST").unwrap();
        assert_passed(&answer, &pair.app.take_one(), &text);

        // After a second without an answer .NET sends all the same.
        client.send(&request).unwrap();
        let answer = client.response("POST").unwrap();
        assert_passed(&answer, &pair.app.take_one(), &text);
    }
}

#[test]
fn a_client_that_asks_before_it_sends_hears_of_a_failure_at_once() {
    let pair = Pair::new();
    let head = "POST /v1.0/invoke/nobody.here.at.all/method/orders HTTP/1.1\r\nHost: localhost\r\n\
        Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = connect(&pair, LOCALHOST[0]);
    client.send(head).unwrap();
    let answer = client.response("POST").unwrap();
    assert_eq!((answer.status, answer.interim.as_slice()), (500, &[][..]));
    assert_eq!(answer.json()["errorCode"], "ERR_DIRECT_INVOKE");
}
