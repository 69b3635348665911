//! `list`: the three formats to the byte, and whose sidecars are found.

use std::fs;

use serde_json::{Value, json};

use super::fake;
use crate::golden::assert_golden;
use crate::tools::Place;

const FORMATS: [&str; 2] = ["json", "yaml"];

/// What a format says about one app, with what changes from run to run
/// replaced.
fn masked(text: &str, id: &str) -> String {
    let start = if text.starts_with('[') {
        "  {\n"
    } else {
        "- appId: "
    };
    let block = text
        .split(start)
        .find(|block| block.contains(id))
        .unwrap()
        .split("\n  }")
        .next()
        .unwrap();
    let mut masked = start.to_owned();
    for line in block.trim_end().lines() {
        let name = line.split(':').next().unwrap().trim().trim_matches('"');
        if ["httpPort", "age", "created", "daprdPid"].contains(&name) {
            masked.push_str(&without_digits(line));
        } else {
            masked.push_str(line);
        }
        masked.push('\n');
    }
    masked.replace(id, "<app id>")
}

/// Every number as one zero.
fn without_digits(line: &str) -> String {
    let mut text = String::new();
    for letter in line.chars() {
        match letter {
            '0'..='9' if text.ends_with('0') => {}
            '0'..='9' => text.push('0'),
            _ => text.push(letter),
        }
    }
    text
}

#[test]
fn every_field_is_where_scripts_look_for_it() {
    let place = Place::new();
    let id = fake::id("fields");
    let extended = json!({
        "cliPID": "11", "appPID": "12", "appCommand": "python3 app.py --port 6000",
        "runTemplatePath": "/apps/dapr.yaml", "runTemplateName": "apps",
        "appLogPath": "/apps/app.log", "daprdLogPath": "/apps/daprd.log",
    });
    let fake = fake::sidecar(&place, &id, &extended, "");
    for format in FORMATS {
        let done = place.run(&["list", "-o", format]);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
        assert_golden(&format!("list.{format}"), &masked(&done.out, &id));
    }
    // No line end behind JSON.
    assert!(place.run(&["list", "-o", "json"]).out.ends_with("\n]"));

    let pid = fake.child.id().to_string();
    let table = place.run(&["list"]).out;
    let header = table.lines().next().unwrap();
    let row = table.lines().find(|line| line.contains(&id)).unwrap();
    assert_eq!(header.len(), row.chars().count());
    let columns: Vec<&str> = header
        .split("  ")
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    assert_golden("list.columns.txt", &format!("{}\n", columns.join("\n")));
    let cell = |name: &str| {
        let at = header.find(&format!("  {name}  ")).unwrap() + 2;
        row[at..].split("  ").next().unwrap()
    };
    for (column, value) in [
        ("APP ID", id.as_str()),
        ("APP PORT", "6000"),
        ("COMMAND", "python3 app.py --..."),
        ("DAPRD PID", &pid),
        ("CLI PID", "11"),
        ("APP PID", "12"),
        ("RUN TEMPLATE PATH", "/apps/dapr.yaml"),
        ("RUNTEMPLATENAME", "apps"),
    ] {
        assert_eq!(cell(column), value, "{column}");
    }
    for same in [&["list", "-o", "table"][..], &["list", "-o", ""]] {
        assert!(place.run(same).out.contains(&id));
    }
}

#[test]
fn a_format_that_does_not_exist_is_refused() {
    let place = Place::new();
    for line in [
        &["list", "-o", "xml"][..],
        &["list", "--output=JSON"],
        &["list", "-k", "-o", "wide"],
    ] {
        let done = place.run(line);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
        assert_eq!(done.err, "❌  An invalid output format was specified.\n");
    }
}

/// Sidecars that other tools started: without registration, with the ports of
/// a bare daprd, or as long as they do not answer.
#[test]
fn sidecars_of_others_are_listed() {
    let place = Place::new();
    let (bare, equals, mute) = (fake::id("bare"), fake::id("equals"), fake::id("mute"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut children = vec![
        fake::process(&place, &["--app-id", &bare]),
        fake::process(
            &place,
            &[
                &format!("-app-id={equals}"),
                "--app-port=7000",
                "--enable-metrics=false",
                "stray",
                "--profile-port",
                "-1",
            ],
        ),
        // Takes connections and says nothing.
        fake::process(&place, &["--app-id", &mute, "--dapr-http-port", &port]),
        // No app id, no row.
        fake::process(&place, &["--mode", "standalone"]),
    ];
    let done = place.run(&["list", "-o", "json"]);
    let rows: Vec<Value> = serde_json::from_str(&done.out).unwrap();
    let row = |id: &str| rows.iter().find(|row| row["appId"] == id).unwrap();
    let row_of_bare = row(&bare);
    for (key, value) in [
        ("httpPort", json!(3500)),
        ("grpcPort", json!(50001)),
        ("appPort", json!(0)),
        ("metricsEnabled", json!(true)),
        ("cliPid", json!(0)),
        ("appPid", json!(0)),
        ("command", json!("")),
        ("daprdPid", json!(children[0].id())),
    ] {
        // Somebody may be listening on the default port.
        if row_of_bare[key] != value && ["cliPid", "appPid", "command"].contains(&key) {
            continue;
        }
        assert_eq!(row_of_bare[key], value, "{key}");
    }
    assert_eq!(row(&equals)["appPort"], 7000);
    assert_eq!(row(&equals)["metricsEnabled"], false);
    assert_eq!(row(&mute)["cliPid"], 0);
    let nameless = children[3].id();
    assert!(rows.iter().all(|row| row["daprdPid"] != nameless));
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn sidecars_that_want_a_token_tell_who_started_them() {
    let place = Place::new();
    let id = fake::id("asks");
    let fake = fake::sidecar(&place, &id, &json!({"cliPID": "7"}), "");
    let line = ["list", "-o", "json"];
    let output = place.dapr(&line).env("DAPR_API_TOKEN", "secret").output();
    let rows: Vec<Value> = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    assert!(
        rows.iter()
            .any(|row| row["appId"] == id && row["cliPid"] == 7)
    );
    // Listings of other tests ask as well, without it.
    let asked = std::iter::from_fn(|| fake.requests.try_recv().ok());
    let with_token: Vec<_> = asked
        .filter(|one| one.has("dapr-api-token: secret"))
        .collect();
    assert_eq!(with_token.len(), 1);
    assert_eq!(with_token[0].line, "GET /v1.0/metadata HTTP/1.1");
}

/// Without any sidecar, which takes a `/proc` of its own.
#[test]
fn nothing_to_list() {
    let place = Place::new();
    let alone = |format: &str| {
        let script = format!("mount -t proc proc /proc && exec \"$0\" list -o {format}");
        std::process::Command::new("unshare")
            .args([
                "--user",
                "--map-root-user",
                "--pid",
                "--fork",
                "--mount",
                "sh",
                "-c",
                &script,
            ])
            .arg(env!("CARGO_BIN_EXE_dapr"))
            .env("DAPR_RUNTIME_PATH", place.path())
            .output()
            .unwrap()
    };
    for (format, text) in [
        ("table", "No Dapr instances found.\n"),
        ("json", "[]"),
        ("yaml", "[]\n"),
    ] {
        let output = alone(format);
        assert_eq!(String::from_utf8_lossy(&output.stdout), text, "{output:?}");
        assert!(output.status.success());
    }
    assert!(fs::metadata("/proc/self").is_ok());
}
