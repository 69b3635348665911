use std::fs;
use std::sync::Arc;

use jiff::tz::{Offset, TimeZone};

use super::format::{Event, Value, push_line};
use super::subscriber::LogSubscriber;
use super::*;

fn log(json: bool, zone: TimeZone) -> Log {
    let mut log = Log::open(Options {
        json,
        version: "1.18.0".to_owned(),
        ..Options::default()
    })
    .unwrap();
    log.instance = "box".to_owned();
    log.zone = zone;
    log
}

fn line(log: &Log, event: &Event<'_>) -> String {
    let mut out = Vec::new();
    let now = "2026-11-21T06:21:07.120050400Z".parse().unwrap();
    push_line(&mut out, log, event, now);
    String::from_utf8(out).unwrap()
}

#[test]
fn golden_text_lines() {
    let log = log(false, TimeZone::UTC);
    let start = Event::message(Level::Info, "dapr.runtime", "standalone mode configured");
    assert_eq!(
        line(&log, &start),
        "time=\"2026-11-21T06:21:07.1200504Z\" level=info msg=\"standalone mode configured\" \
         instance=box scope=dapr.runtime type=log ver=1.18.0\n"
    );
    log.set_app_id("cart");
    log.set_app_id("other");
    let call = Event {
        level: Level::Warn,
        scope: "dapr.runtime.http-info",
        message: "HTTP API Called",
        fields: vec![
            ("method", Value::Text("GET /v1.0/metadata")),
            ("code", Value::Bare("200")),
            ("useragent", Value::Text("curl/8.0")),
            ("level", Value::Text("x=y")),
            ("size", Value::Text("")),
        ],
    };
    assert_eq!(
        line(&log, &call),
        "time=\"2026-11-21T06:21:07.1200504Z\" level=warning msg=\"HTTP API Called\" app_id=cart \
         code=200 fields.level=\"x=y\" instance=box method=\"GET /v1.0/metadata\" \
         scope=dapr.runtime.http-info size= type=log useragent=curl/8.0 ver=1.18.0\n"
    );
}

#[test]
fn golden_json_lines() {
    let zone = TimeZone::fixed(Offset::from_seconds(-(3 * 60 + 30) * 60).unwrap());
    let log = log(true, zone);
    log.set_app_id("cart");
    let event = Event {
        level: Level::Fatal,
        scope: "dapr.runtime",
        message: "say \"no\"\nmore\u{2028}",
        fields: vec![
            ("port", Value::Bare("3500")),
            ("app_id", Value::Text("callee")),
        ],
    };
    let line = line(&log, &event);
    assert_eq!(
        line,
        "{\"app_id\":\"callee\",\"instance\":\"box\",\"level\":\"fatal\",\
         \"msg\":\"say \\\"no\\\"\\nmore\\u2028\",\"port\":3500,\"scope\":\"dapr.runtime\",\
         \"time\":\"2026-11-21T02:51:07.1200504-03:30\",\"type\":\"log\",\"ver\":\"1.18.0\"}\n"
    );
    let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(parsed["msg"], "say \"no\"\nmore\u{2028}");
}

#[test]
fn nothing_in_a_value_starts_a_line_or_a_field() {
    for (raw, text) in [
        ("plain-._/@^+09", "plain-._/@^+09"),
        ("a b", r#""a b""#),
        ("x\" level=error", r#""x\" level=error""#),
        ("a\r\nb\tc\\", r#""a\r\nb\tc\\""#),
        ("\u{7}\u{8}\u{b}\u{c}\u{1b}\u{7f}", r#""\a\b\v\f\x1b\x7f""#),
        (
            "\u{85}\u{2029}\u{202e}\u{e0001}",
            r#""\u0085\u2029\u202e\U000e0001""#,
        ),
        ("Grüße 👋", "\"Grüße 👋\""),
        ("a=b", r#""a=b""#),
    ] {
        let mut out = Vec::new();
        quote::push_text(&mut out, raw);
        assert_eq!(String::from_utf8(out).unwrap(), text);
        let mut json = Vec::new();
        quote::push_json(&mut json, raw);
        assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), raw);
        assert!(!json.contains(&b'\n'));
    }
}

/// Runs `emit` under a subscriber of that level and returns the lines.
fn logged(level: Level, emit: impl FnOnce()) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let log = Log::open(Options {
        level,
        json: true,
        file: Some(path.clone()),
        ..Options::default()
    });
    let subscriber = LogSubscriber::new(Arc::new(log.unwrap()));
    tracing::subscriber::with_default(subscriber, emit);
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn messages(level: Level, emit: impl FnOnce()) -> Vec<String> {
    let message = |line: String| {
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        parsed["msg"].as_str().unwrap().to_owned()
    };
    logged(level, emit).into_iter().map(message).collect()
}

fn one_of_each() {
    tracing::trace!(target: "dapr.runtime", "trace");
    tracing::debug!(target: "dapr.runtime", "debug");
    tracing::info!(target: "dapr.runtime", "info");
    tracing::warn!(target: "dapr.runtime", "warn");
    tracing::error!(target: "dapr.runtime", "error");
    tracing::info!(target: "dapr.runtime.http-info", "api");
    tracing::debug!(target: "dapr.runtime.http-info", "api debug");
    tracing::debug!(target: "h2::codec", "library debug");
    tracing::warn!(target: "h2::codec", "library warn");
    tracing::info_span!(target: "dapr.runtime", "span").in_scope(|| ());
}

#[test]
fn levels_select_lines_and_the_api_log_is_always_on() {
    for (level, expected) in [
        (
            Level::Debug,
            &[
                "debug",
                "info",
                "warn",
                "error",
                "api",
                "api debug",
                "library warn",
            ][..],
        ),
        (
            Level::Info,
            &["info", "warn", "error", "api", "library warn"],
        ),
        (Level::Warn, &["warn", "error", "api", "library warn"]),
        (Level::Error, &["error", "api"]),
        (Level::Fatal, &["api"]),
    ] {
        assert_eq!(messages(level, one_of_each), expected, "{level:?}");
    }
}

#[test]
fn fields_become_keys_of_their_kind() {
    let broken = io::Error::other(LogError::AlreadySet);
    let lines = logged(Level::Info, || {
        tracing::info!(
            target: "dapr.runtime",
            port = 80_u16, negative = -1, ratio = 0.5, bad = f64::NAN, ok = true,
            display = %"x", debug = ?"y", error = &broken as &dyn std::error::Error,
            "ready {}", 7
        );
    });
    let parsed: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    for (key, value) in [
        ("port", serde_json::json!(80)),
        ("negative", serde_json::json!(-1)),
        ("ratio", serde_json::json!(0.5)),
        ("bad", serde_json::json!("NaN")),
        ("ok", serde_json::json!(true)),
        ("display", serde_json::json!("x")),
        ("debug", serde_json::json!("\"y\"")),
        ("error", serde_json::json!("logging is already set up")),
        ("msg", serde_json::json!("ready 7")),
        ("level", serde_json::json!("info")),
        ("scope", serde_json::json!("dapr.runtime")),
    ] {
        assert_eq!(parsed[key], value, "{key}");
    }
}

#[test]
fn files_are_appended_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    for message in ["one", "two"] {
        let options = Options {
            file: Some(path.clone()),
            ..Options::default()
        };
        let log = Log::open(options).unwrap();
        log.print(&Event::message(Level::Info, "dapr", message));
    }
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains("msg=one") && text.contains("msg=two"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o133, 0);

    let missing = Options {
        file: Some(dir.path().join("none/log")),
        ..Options::default()
    };
    let error = Log::open(missing).unwrap_err().to_string();
    assert!(error.starts_with("failed to open log file "), "{error}");
}

#[test]
fn level_names() {
    assert_eq!("WARN".parse::<Level>().unwrap(), Level::Warn);
    for bad in ["warning", "", "panic"] {
        let error = bad.parse::<Level>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("invalid value for --log-level: {bad}")
        );
    }
}
