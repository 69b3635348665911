//! Server-sent events: each event is delivered before the next exists.

use std::sync::Arc;

use tests::http1::Body;
use tests::{After, Exchange, Gate, RawClient};

use super::{Stage, To, WAYS, error_body};
use crate::table::Table;

#[test]
fn the_second_event_is_sent_only_after_the_first_was_seen() {
    for way in WAYS {
        let seen = Arc::new(Gate::new());
        let trigger = seen.clone();
        let stage = Stage::with(move |exchange| {
            let streaming = exchange.header("accept").as_deref() == Some("text/event-stream");
            if !streaming {
                exchange.ok("not asked for events");
                return;
            }
            exchange.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
            exchange.chunk("data: 1\n\n");
            trigger.wait();
            exchange.chunk("data: 2\n\n");
            exchange.send("0\r\n\r\n");
        });
        let mut client = RawClient::connect(stage.caller.http());
        let request = way
            .request("GET", "events")
            .header("Accept", "text/event-stream");
        client.send(request.to_bytes(stage.caller.http())).unwrap();
        let head = client.head().unwrap();
        assert_eq!(head.status(), 200, "{way}");
        assert_eq!(
            head.header("content-type"),
            Some("text/event-stream"),
            "{way}"
        );
        assert_eq!(head.header("cache-control"), Some("no-cache"), "{way}");
        assert_eq!(head.header("content-length"), None, "{way}");
        let mut body = Body::new(head.response_framing("GET"));
        let mut events = String::new();
        while events != "data: 1\n\n" {
            let piece = client.piece(&mut body).unwrap().expect("more comes");
            events.push_str(std::str::from_utf8(&piece).unwrap());
        }
        seen.open();
        while let Some(piece) = client.piece(&mut body).unwrap() {
            events.push_str(std::str::from_utf8(&piece).unwrap());
        }
        assert_eq!(events, "data: 1\n\ndata: 2\n\n", "{way}");
    }
}

#[test]
fn plain_streams_are_not_held_back_either() {
    for way in WAYS {
        let seen = Arc::new(Gate::new());
        let trigger = seen.clone();
        let stage = Stage::with(move |exchange: &mut Exchange| {
            exchange.send("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n");
            exchange.chunk("1");
            trigger.wait();
            exchange.chunk("2");
            exchange.send("0\r\n\r\n");
        });
        let mut client = RawClient::connect(stage.caller.http());
        client.send(way.request("GET", "x").to_bytes(1)).unwrap();
        let head = client.head().unwrap();
        assert_eq!(head.status(), 201, "{way}");
        let mut body = Body::new(head.response_framing("GET"));
        assert_eq!(client.piece(&mut body).unwrap().unwrap(), b"1", "{way}");
        seen.open();
        assert_eq!(client.piece(&mut body).unwrap().unwrap(), b"2", "{way}");
        assert_eq!(client.piece(&mut body).unwrap(), None, "{way}");
    }
}

#[test]
fn a_refused_event_stream_is_an_error() {
    let stage = Stage::new();
    stage.script(
        "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nContent-Type: text/plain\r\n\r\nnope",
        After::Keep,
    );
    let mut table = Table::default();
    for way in WAYS {
        table.row(&way.to_string(), || {
            let request = way.request("GET", "x").header("Accept", "text/event-stream");
            let answer = request.send(stage.caller.http());
            match way.to {
                To::Own => answer.expect(404, "nope"),
                To::Other => answer.expect(
                    500,
                    &error_body("ERR_DIRECT_INVOKE", "failed to invoke, id: callee, err: rpc error: code = Internal desc = error invoking app channel: no response received from stream"),
                ),
            };
        });
    }
}

#[test]
fn an_event_stream_without_events_is_no_error() {
    let stage = Stage::new();
    stage.script(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n",
        After::Keep,
    );
    for way in WAYS {
        let request = way
            .request("GET", "x")
            .header("Accept", "text/event-stream");
        request.send(stage.caller.http()).expect(200, "");
    }
}

#[test]
fn a_list_of_types_asks_for_no_events() {
    let stage = Stage::new();
    stage.script(
        "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
        After::Keep,
    );
    for way in WAYS {
        let request = way
            .request("GET", "x")
            .header("Accept", "text/event-stream, */*");
        request.send(stage.caller.http()).expect(404, "nope");
    }
}
