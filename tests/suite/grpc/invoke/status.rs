//! HTTP statuses of apps as gRPC codes. V10, V11.

use tests::{After, RawApp};

use super::{HttpStage, call, post};
use crate::table::Table;

/// Status, reason phrase, code.
const CODES: [(u16, &str, u32); 28] = [
    (300, "Multiple Choices", 2),
    (302, "Found", 2),
    (304, "Not Modified", 2),
    (400, "Bad Request", 13),
    (401, "Unauthorized", 16),
    (402, "Payment Required", 2),
    (403, "Forbidden", 7),
    (404, "Not Found", 5),
    (405, "Method Not Allowed", 2),
    (406, "Not Acceptable", 2),
    (408, "Request Timeout", 1),
    (409, "Conflict", 6),
    (410, "Gone", 2),
    (412, "Precondition Failed", 2),
    (413, "Request Entity Too Large", 2),
    (415, "Unsupported Media Type", 2),
    (418, "I'm a teapot", 2),
    (422, "Unprocessable Entity", 2),
    (429, "Too Many Requests", 8),
    (431, "Request Header Fields Too Large", 2),
    (500, "Internal Server Error", 2),
    (501, "Not Implemented", 12),
    (502, "Bad Gateway", 2),
    (503, "Service Unavailable", 14),
    (504, "Gateway Timeout", 4),
    (505, "HTTP Version Not Supported", 2),
    (511, "Network Authentication Required", 2),
    (599, "", 2),
];

#[test]
fn every_failure_has_its_code_and_says_the_rest() {
    let stage = HttpStage::new(RawApp::scripted());
    let mut table = Table::default();
    for (way, sidecar) in stage.ways() {
        for (status, phrase, code) in CODES {
            table.row(&format!("{way}, {status}"), || {
                let (head, body) = match status {
                    304 => (String::new(), ""),
                    _ => ("Content-Length: 4\r\n".to_owned(), "nope"),
                };
                stage.app.script(
                    format!("HTTP/1.1 {status} Whatever\r\n{head}X-Why: x\r\n\r\n{body}"),
                    After::Keep,
                );
                let answer = call(sidecar, &post("m", "x"));
                answer.expect(code, phrase);
                assert_eq!(answer.messages, []);
                let details = answer.end().rpc_status();
                assert_eq!(
                    (details.code, details.message.as_str()),
                    (code as i32, phrase)
                );
                let info = answer.end().error_info();
                assert_eq!(
                    (info.reason.as_str(), info.domain.as_str()),
                    (phrase, "dapr.io")
                );
                let metadata: Vec<_> = info
                    .metadata
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                let status = status.to_string();
                assert_eq!(
                    metadata,
                    [("http.code", status.as_str()), ("http.error_message", body)]
                );
                assert_eq!(answer.header("dapr-http-status"), Some(status.as_str()));
                assert_eq!(answer.header("x-why"), Some("x"));
                assert_eq!(stage.app.take().len(), 1, "it was tried once");
            });
        }
    }
}

#[test]
fn the_text_of_a_failure_is_cut_between_characters() {
    let stage = HttpStage::new(RawApp::scripted());
    let mut table = Table::default();
    for (name, body, kept) in [
        ("62 bytes", "b".repeat(62), "b".repeat(62)),
        ("63 bytes", "b".repeat(63), "b".repeat(63)),
        ("64 bytes", "b".repeat(64), "b".repeat(63)),
        ("much", "b".repeat(100_000), "b".repeat(63)),
        ("nothing", String::new(), String::new()),
        ("a cut inside a letter", "ż".repeat(40), "ż".repeat(31)),
    ] {
        for (way, sidecar) in stage.ways() {
            table.row(&format!("{way}, {name}"), || {
                stage.app.script(
                    format!(
                        "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    ),
                    After::Keep,
                );
                let answer = call(sidecar, &post("m", "x"));
                answer.expect(5, "Not Found");
                let info = answer.end().error_info();
                assert_eq!(info.metadata["http.error_message"], kept);
            });
        }
    }
    table.row("no text at all", || {
        stage.app.script(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd",
            After::Keep,
        );
        call(&stage.caller, &post("m", "x")).expect(5, "Not Found");
    });
}
