//! Large and slow bodies: memory stays flat, pieces arrive as they are sent,
//! and who goes takes the call along.

use std::io::Write;

use tests::http1::Body;
use tests::pattern::Pattern;
use tests::{RawClient, Speaks, invoke_path};

use super::{Pair, request};
use crate::table::Table;

const MIB: u64 = 1 << 20;
/// What bodies may cost a sidecar, whatever their size.
const BUDGET: u64 = 16 * MIB;
const SIZE: u64 = 64 * MIB;
const PIECE: usize = 128 * 1024;

fn upload(port: u16, id: &str, framing: &str) {
    let mut client = RawClient::connect(port);
    let mut out = client.writer();
    let path = invoke_path(id, &format!("check?seed=9&size={SIZE}"));
    write!(out, "POST {path} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n").unwrap();
    let chunked = framing.contains("chunked");
    let mut pattern = Pattern::new(9);
    while pattern.position() < SIZE {
        let piece = pattern.take(PIECE.min((SIZE - pattern.position()) as usize));
        if chunked {
            write!(out, "{:x}\r\n", piece.len()).unwrap();
        }
        out.write_all(&piece).unwrap();
        if chunked {
            write!(out, "\r\n").unwrap();
        }
    }
    if chunked {
        write!(out, "0\r\n\r\n").unwrap();
    }
    client
        .response("POST")
        .unwrap()
        .expect(200, &format!("true {SIZE}"));
}

fn download(port: u16, id: &str, framing: &str) {
    let mut client = RawClient::connect(port);
    let path = format!("pattern?seed=9&size={SIZE}{framing}");
    client
        .send(request("GET", id, &path).to_bytes(port))
        .unwrap();
    let head = client.head().unwrap();
    assert_eq!(head.status(), 200);
    let mut body = Body::new(head.response_framing("GET"));
    let mut pattern = Pattern::new(9);
    while let Some(piece) = client.piece(&mut body).unwrap() {
        assert!(pattern.check(&piece), "before {}", pattern.position());
    }
    assert_eq!(pattern.position(), SIZE);
}

#[test]
fn large_bodies_cost_no_memory() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        let pair = Pair::with(speaks, |member| member.flag("max-body-size", "1Gi"));
        let sidecars = [&pair.caller, &pair.callee];
        // The first call opens connections.
        for (id, _) in pair.ways() {
            request("GET", id, "x").send(pair.port()).expect(200, "ok");
        }
        let idle = sidecars.map(|sidecar| sidecar.rss());
        for (id, _) in pair.ways() {
            table.row(&format!("{speaks:?}, {id}"), || {
                upload(pair.port(), id, &format!("Content-Length: {SIZE}"));
                upload(pair.port(), id, "Transfer-Encoding: chunked");
                download(pair.port(), id, "");
                download(pair.port(), id, "&chunked=1");
                for (sidecar, idle) in sidecars.into_iter().zip(idle) {
                    let grown = sidecar.vm_hwm().saturating_sub(idle);
                    println!(
                        "{speaks:?}, {id}: {} grew by {} KiB",
                        sidecar.app_id(),
                        grown / 1024
                    );
                    assert!(grown < BUDGET, "{} grew by {grown}", sidecar.app_id());
                }
            });
        }
    }
}

#[test]
fn events_arrive_one_by_one() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        let pair = Pair::new(speaks);
        for (id, app) in pair.ways() {
            table.row(&format!("{speaks:?}, {id}"), || {
                let mut client = RawClient::connect(pair.port());
                let events = request("GET", id, "events").header("Accept", "text/event-stream");
                client.send(events.to_bytes(pair.port())).unwrap();
                // The head comes before any event.
                let head = client.head().unwrap();
                assert_eq!(head.status(), 200);
                assert_eq!(head.header("content-type"), Some("text/event-stream"));
                let mut body = Body::new(head.response_framing("GET"));
                for number in 1..=3 {
                    app.step(1);
                    let piece = client.piece(&mut body).unwrap().unwrap();
                    let text = String::from_utf8(piece).unwrap();
                    assert_eq!(text, format!("data: {number}\n\n"));
                }
                assert_eq!(client.piece(&mut body).unwrap(), None);
            });
        }
    }
}

#[test]
fn both_directions_flow_at_once() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        let pair = Pair::new(speaks);
        for (id, _) in pair.ways() {
            table.row(&format!("{speaks:?}, {id}"), || {
                let mut client = RawClient::connect(pair.port());
                let mut out = client.writer();
                let path = invoke_path(id, "echo");
                write!(
                    out,
                    "POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
                )
                .unwrap();
                let head = client.head().unwrap();
                assert_eq!(head.status(), 200);
                let mut body = Body::new(head.response_framing("POST"));
                assert_eq!(client.piece(&mut body).unwrap().unwrap(), b"first");
                for word in ["second", "third"] {
                    write!(out, "{:x}\r\n{word}\r\n", word.len()).unwrap();
                    let piece = client.piece(&mut body).unwrap().unwrap();
                    assert_eq!(piece, word.as_bytes());
                }
                write!(out, "0\r\n\r\n").unwrap();
                assert_eq!(client.piece(&mut body).unwrap(), None);
            });
        }
    }
}

#[test]
fn a_client_that_leaves_takes_the_call_along() {
    let mut table = Table::default();
    for speaks in Speaks::ALL {
        let pair = Pair::new(speaks);
        for (id, app) in pair.ways() {
            table.row(&format!("{speaks:?}, {id}"), || {
                let mut client = RawClient::connect(pair.port());
                let events = request("GET", id, "events");
                client.send(events.to_bytes(pair.port())).unwrap();
                client.head().unwrap();
                drop(client);
                app.wait_until_cancelled();
                app.take();
                request("GET", id, "x").send(pair.port()).expect(200, "ok");
            });
        }
    }
}
