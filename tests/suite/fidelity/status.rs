//! Every class of status, as the app gave it and once.

use tests::{After, RawApp};

use super::{Stage, To, WAYS};
use crate::table::Table;

#[test]
fn every_status_passes_unchanged_and_is_never_repeated() {
    const STATUSES: [(u16, &str); 31] = [
        (200, "OK"),
        (201, "Created"),
        (202, "Accepted"),
        (203, "Non Authoritative Information"),
        (204, "No Content"),
        (205, "Reset Content"),
        (206, "Partial Content"),
        (300, "Multiple Choices"),
        (301, "Moved Permanently"),
        (302, "Found"),
        (304, "Not Modified"),
        (307, "Temporary Redirect"),
        (308, "Permanent Redirect"),
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (409, "Conflict"),
        (418, "I'm a teapot"),
        (422, "Unprocessable Entity"),
        (425, "Too Early"),
        (429, "Too Many Requests"),
        (500, "Internal Server Error"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Gateway Timeout"),
        (599, "status code 599"),
        (600, "status code 600"),
        (999, "status code 999"),
    ];
    let stage = Stage::new();
    let mut table = Table::default();
    for (status, reason) in STATUSES {
        let bodiless = matches!(status, 204 | 304);
        let (length, body) = if bodiless {
            ("", "")
        } else {
            ("Content-Length: 4\r\n", "body")
        };
        stage.script(
            format!(
                "HTTP/1.1 {status} My Own Words\r\nContent-Type: text/x\r\nX-A: 1\r\n{length}\r\n{body}"
            ),
            After::Keep,
        );
        for way in WAYS {
            table.row(&format!("{status}, {way}"), || {
                stage.forget();
                let answer = way
                    .request("POST", "x")
                    .body("in")
                    .send(stage.caller.http());
                answer.expect(status, body);
                assert_eq!(answer.header("x-a"), Some("1"));
                if !bodiless {
                    assert_eq!(answer.header("content-type"), Some("text/x"));
                }
                // Registered phrases are the library's business.
                if reason.starts_with("status code") {
                    assert_eq!(answer.reason, reason);
                } else {
                    assert_ne!(answer.reason, "My Own Words");
                }
                assert_eq!(stage.app(way).take().len(), 1, "the app was called once");
            });
        }
    }
}

#[test]
fn redirects_are_returned_not_followed() {
    let elsewhere = RawApp::scripted();
    let stage = Stage::new();
    let location = format!("http://127.0.0.1:{}/", elsewhere.port());
    stage.script(
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"),
        After::Keep,
    );
    for way in WAYS {
        let answer = way.request("GET", "x").send(stage.caller.http());
        answer.expect(302, "");
        assert_eq!(answer.values("location"), [location.as_str()], "{way}");
    }
    assert_eq!(elsewhere.take().len(), 0);
}

#[test]
fn interim_answers_are_swallowed() {
    let stage = Stage::new();
    let mut table = Table::default();
    for interim in ["100 Continue", "102 Processing", "103 Early Hints"] {
        stage.script(
            format!(
                "HTTP/1.1 {interim}\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"
            ),
            After::Keep,
        );
        for way in WAYS {
            table.row(&format!("{interim}, {way}"), || {
                let answer = way
                    .request("POST", "x")
                    .body("in")
                    .send(stage.caller.http());
                answer.expect(201, "ok");
                assert_eq!(answer.interim, [] as [u16; 0]);
                assert_eq!(answer.header("link"), None);
            });
        }
    }
}

#[test]
fn switching_protocols_is_a_final_answer() {
    let stage = Stage::new();
    stage.script(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        After::Close,
    );
    let mut table = Table::default();
    for way in WAYS {
        table.row(&way.to_string(), || {
            let answer = way.request("GET", "x").send(stage.caller.http());
            assert_eq!(answer.status, 101, "{answer:?}");
            assert_eq!(answer.header("upgrade"), None, "{answer:?}");
        });
    }
}

#[test]
fn failures_without_a_type_are_called_json() {
    let stage = Stage::new();
    let mut table = Table::default();
    for (status, expected) in [
        (200, None),
        (302, None),
        (404, Some("application/json")),
        (500, Some("application/json")),
    ] {
        stage.script(
            format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nno"),
            After::Keep,
        );
        for way in WAYS {
            table.row(&format!("{status}, {way}"), || {
                let answer = way.request("GET", "x").send(stage.caller.http());
                answer.expect(status, "no");
                assert_eq!(answer.header("content-type"), expected, "{answer:?}");
            });
        }
    }
}

#[test]
fn an_upgrade_request_becomes_an_ordinary_one() {
    let stage = Stage::new();
    for way in WAYS {
        for protocol in ["websocket", "h2c"] {
            stage.forget();
            let answer = way
                .request("GET", "x")
                .headers(&[
                    ("Connection", "Upgrade, HTTP2-Settings"),
                    ("Upgrade", protocol),
                    ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
                    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ])
                .send(stage.caller.http());
            answer.expect(200, "ok");
            let seen = stage.app(way).take_one();
            for name in ["upgrade", "http2-settings", "connection"] {
                assert_eq!(seen.header(name), None, "{name}, {way}");
            }
            let kept = seen.header("sec-websocket-key").is_some();
            assert!(kept, "end-to-end headers survive, {:?}", way.to == To::Own);
        }
    }
}
