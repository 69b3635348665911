//! The two log formats, field by field.

use tests::{RawApp, Sidecar, invoke_path, sidecar};

fn hostname() -> String {
    nix::unistd::gethostname().unwrap().into_string().unwrap()
}

/// `key=value` pairs of a line; quoted values without their quotes.
fn fields(line: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut rest = line;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut end = 0;
                let bytes = quoted.as_bytes();
                while bytes[end] != b'"' {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                (&quoted[..end], quoted[end + 1..].trim_start())
            }
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        fields.push((key.to_owned(), value.to_owned()));
        rest = next;
    }
    fields
}

fn assert_time(text: &str) {
    // 2026-11-21T06:48:11.123456789Z, or an offset at the end.
    let bytes = text.as_bytes();
    assert!(
        bytes.len() >= 21 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[19] == b'.',
        "{text}"
    );
    let zone = text.ends_with('Z') || matches!(bytes[bytes.len() - 6], b'+' | b'-');
    assert!(zone, "{text}");
}

#[test]
fn text_lines_are_logfmt() {
    let sidecar = sidecar("speaks").run();
    sidecar.wait_until_logged();
    let output = sidecar.stdout();
    for line in output.lines() {
        let fields = fields(line);
        let keys: Vec<_> = fields.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys[..3], ["time", "level", "msg"], "{line}");
        let mut sorted = keys[3..].to_vec();
        sorted.sort_unstable();
        assert_eq!(keys[3..], sorted, "{line}");
        let value = |name: &str| {
            let found = fields.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_time(value("time").unwrap());
        assert!(line.starts_with("time=\""), "{line}");
        assert!(matches!(value("level"), Some("info" | "warning")), "{line}");
        assert_eq!(value("type"), Some("log"), "{line}");
        assert_eq!(value("instance"), Some(hostname().as_str()), "{line}");
        assert_eq!(value("ver"), Some(env!("CARGO_PKG_VERSION")), "{line}");
        assert!(value("scope").unwrap().starts_with("dapr"), "{line}");
    }
    let last = output.lines().last().unwrap();
    assert!(last.contains(" app_id=speaks "), "{last}");
}

#[test]
fn json_lines_have_the_same_fields() {
    let sidecar = sidecar("structured").switch("log-as-json").run();
    sidecar.send(&tests::Request::new("POST", "/v1.0/shutdown"));
    sidecar.wait_for_code(0);
    let output = sidecar.stdout();
    assert!(output.lines().count() > 5, "{output}");
    for line in output.lines() {
        let json: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_time(json["time"].as_str().unwrap());
        assert!(
            matches!(json["level"].as_str(), Some("info" | "warning")),
            "{line}"
        );
        assert!(json["msg"].is_string(), "{line}");
        assert_eq!(json["type"], "log", "{line}");
        assert_eq!(json["instance"], hostname().as_str(), "{line}");
        assert_eq!(json["ver"], env!("CARGO_PKG_VERSION"), "{line}");
        assert!(
            json["scope"].as_str().unwrap().starts_with("dapr"),
            "{line}"
        );
        let keys: Vec<_> = line
            .split(['{', ','])
            .filter_map(|part| part.split_once("\":")?.0.strip_prefix('"'))
            .collect();
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        assert_eq!(keys, sorted, "keys are in alphabetical order: {line}");
    }
    let shutdown = output
        .lines()
        .find(|line| line.contains("Shutdown requested via API"))
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(shutdown).unwrap();
    assert_eq!(json["app_id"], "structured");
}

fn api_line(sidecar: &Sidecar) -> Vec<(String, String)> {
    sidecar.wait_for_output("/v1.0/invoke/logged/method/x");
    let output = sidecar.stdout();
    let line = output
        .lines()
        .find(|line| {
            line.contains("HTTP API Called")
                && line.contains("InvokeService") | line.contains("/v1.0/invoke")
        })
        .unwrap_or_else(|| panic!("no line for the call in\n{output}"));
    fields(line)
}

#[test]
fn api_calls_are_logged_when_asked_for() {
    let app = RawApp::scripted();
    let sidecar = sidecar("logged")
        .app(&app)
        .switch("enable-api-logging")
        .run();
    let path = invoke_path("logged", "x?secret=1");
    let request = tests::Request::post(&path, "in").header("User-Agent", "me/1");
    sidecar.send(&request).expect(200, "ok");
    let fields = api_line(&sidecar);
    let value = |name: &str| {
        let found = fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(value("scope"), Some("dapr.runtime.http-info"));
    assert_eq!(value("level"), Some("info"));
    assert_eq!(value("method"), Some("POST /v1.0/invoke/logged/method/x"));
    assert_eq!(value("code"), Some("200"));
    assert_eq!(value("useragent"), Some("me/1"));
    assert!(
        value("duration").unwrap().parse::<u64>().is_ok(),
        "{fields:?}"
    );
    assert!(value("size").unwrap().parse::<u64>().is_ok(), "{fields:?}");
}

#[test]
fn api_calls_are_not_logged_unasked() {
    let app = RawApp::scripted();
    let sidecar = sidecar("unlogged").app(&app).run();
    sidecar.invoke("unlogged", "x").expect(200, "ok");
    sidecar.send(&tests::Request::new("POST", "/v1.0/shutdown"));
    sidecar.wait_for_code(0);
    assert!(!sidecar.stdout().contains("HTTP API Called"));
}

#[test]
fn levels_below_the_wanted_one_are_silent() {
    let sidecar = sidecar("hushed").flag("log-level", "ERROR").run();
    assert_eq!(sidecar.stdout(), "");
    let loud = tests::sidecar("loud").flag("log-level", "debug").run();
    loud.wait_for_output("level=info");
}

#[test]
fn a_log_file_replaces_standard_output() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("daprd.log");
    std::fs::write(&file, "kept\n").unwrap();
    let sidecar = sidecar("filed")
        .flag("log-file", file.to_str().unwrap())
        .run();
    tests::holds("the line is in the file", || {
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("dapr initialized")
    });
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("kept\n"), "{text}");
    assert_eq!(sidecar.stdout(), "");
}
