//! Every method, with and without body.

use tests::{After, RawClient};

use super::{Stage, WAYS};
use crate::table::Table;

const METHODS: [(&str, &str); 10] = [
    ("GET", "GET"),
    ("HEAD", "HEAD"),
    ("POST", "POST"),
    ("PUT", "PUT"),
    ("DELETE", "DELETE"),
    ("OPTIONS", "OPTIONS"),
    ("TRACE", "TRACE"),
    ("PATCH", "PATCH"),
    // The protocol between sidecars has no name for others.
    ("PROPFIND", "POST"),
    ("purge", "POST"),
];

#[test]
fn every_method_arrives_as_sent() {
    let stage = Stage::new();
    let mut table = Table::default();
    for (sent, arrives) in METHODS {
        for way in WAYS {
            table.row(&format!("{sent}, {way}"), || {
                stage.forget();
                let answer = way.request(sent, "x").send(stage.caller.http());
                answer.expect(200, if sent == "HEAD" { "" } else { "ok" });
                let seen = stage.app(way).take_one();
                assert_eq!(
                    (seen.method.as_str(), seen.target.as_str()),
                    (arrives, "/x")
                );
                assert_eq!(seen.body, b"", "nobody sent a body");
            });
        }
    }
}

#[test]
fn every_method_may_carry_a_body() {
    let stage = Stage::new();
    let mut table = Table::default();
    for (sent, arrives) in METHODS {
        // RFC 9110 forbids content in TRACE.
        if sent == "TRACE" {
            continue;
        }
        for way in WAYS {
            for chunked in [false, true] {
                table.row(&format!("{sent}, {way}, chunked: {chunked}"), || {
                    stage.forget();
                    let request = way.request(sent, "x");
                    let request = if chunked {
                        request.chunked(&["bo", "dy"])
                    } else {
                        request.body("body")
                    };
                    assert_eq!(request.send(stage.caller.http()).status, 200);
                    let seen = stage.app(way).take_one();
                    assert_eq!(seen.method, arrives);
                    assert_eq!(seen.body, b"body");
                    assert!(seen.complete);
                });
            }
        }
    }
}

#[test]
fn head_leaves_the_connection_usable() {
    let stage = Stage::new();
    for way in WAYS {
        let mut client = RawClient::connect(stage.caller.http());
        for status in ["200 OK", "302 Found", "404 Not Found", "500 Oops"] {
            stage.script(
                format!("HTTP/1.1 {status}\r\nContent-Length: 7\r\n\r\n"),
                After::Keep,
            );
            let answer = client.call(&way.request("HEAD", "x")).unwrap();
            assert_eq!(answer.status.to_string(), status[..3], "{way}");
            assert_eq!(answer.body, b"", "{way}");
        }
        stage.script(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            After::Keep,
        );
        client
            .call(&way.request("GET", "x"))
            .unwrap()
            .expect(200, "ok");
    }
}

#[test]
fn connect_is_refused_and_reaches_no_app() {
    let stage = Stage::new();
    let mut table = Table::default();
    for way in WAYS {
        table.row(&way.to_string(), || {
            stage.forget();
            let answer = way.request("CONNECT", "x").send(stage.caller.http());
            assert_eq!(answer.status, 500, "{answer:?}");
            assert!(answer.text().contains("invalid HTTP verb"), "{answer:?}");
            assert_eq!(stage.app(way).take().len(), 0);
        });
    }
}
