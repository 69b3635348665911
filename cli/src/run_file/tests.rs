use std::fs;
use std::path::Path;

use super::*;

/// A directory with two apps, one of which has local settings.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for path in ["a", "b/.dapr/resources", "common", "own"] {
        fs::create_dir_all(directory.path().join(path)).unwrap();
    }
    for path in ["b/.dapr/config.yaml", "common.yaml", "a/own.yaml"] {
        fs::write(directory.path().join(path), "").unwrap();
    }
    directory
}

fn resolve(base: &Path, text: &str) -> Result<RunFile, RunFileError> {
    parse(text)?.resolve(base, &nowhere())
}

fn nowhere() -> Root {
    Root::under(Path::new("/nonexistent")).unwrap()
}

fn message(text: &str) -> String {
    let directory = directory();
    resolve(directory.path(), text).unwrap_err().to_string()
}

#[test]
fn own_settings_come_before_common_ones() {
    let directory = directory();
    let base = directory.path();
    let file = resolve(
        base,
        "
version: 1
name: shop
common:
  resourcesPath: ./common
  configFilePath: common.yaml
  appProtocol: grpc
  enableApiLogging: true
  appHealthThreshold: 5
  maxBodySize: 8Mi
  placementHostAddress: \"\"
  unknownKey: {a: 1}
  env: {A: 1.10, B: common}
apps:
  - appDirPath: a/
    appID: first
    appPort: 8001
    configFilePath: own.yaml
    appProtocol: http
    enableApiLogging: false
    appHealthThreshold: 0
    daprHTTPReadBufferSize: 16
    command: [python3, app.py, 10, true]
    env: {B: own, C: 9083, D: true, E: , F: 010, G: null}
  - appDirPath: ./b
    daprdLogDestination: console
",
    )
    .unwrap();
    assert_eq!(file.name, "shop");
    let [first, second] = &file.apps[..] else {
        panic!("two apps")
    };
    assert_eq!(first.directory, base.join("a"));
    assert_eq!(first.app.id, "first");
    assert_eq!(first.app.port, 8001);
    assert_eq!(first.app.http_port, -1);
    assert_eq!(first.app.config, Some(base.join("a/own.yaml")));
    assert_eq!(first.app.resources, [base.join("common")]);
    assert_eq!(first.app.protocol, "http");
    // A zero value cannot overrule a common one.
    assert!(first.app.api_logging);
    assert_eq!(first.app.health_threshold, 5);
    assert_eq!(first.app.max_body_size, "8Mi");
    assert_eq!(first.app.read_buffer_size, "16Ki");
    assert_eq!(first.app.placement.as_deref(), Some(""));
    assert_eq!(first.app.scheduler, None);
    assert_eq!(first.app.command, ["python3", "app.py", "10", "true"]);
    let env: Vec<_> = first
        .app
        .env
        .iter()
        .map(|(n, v)| format!("{n}={v}"))
        .collect();
    assert_eq!(
        env,
        ["A=1.10", "B=own", "C=9083", "D=true", "E=", "F=010", "G="]
    );
    assert_eq!(first.app_log, Destination::FileAndConsole);
    assert_eq!(first.daprd_log, Destination::File);

    assert_eq!(second.app.id, "b");
    assert_eq!(second.app.resources, [base.join("b/.dapr/resources")]);
    assert_eq!(second.app.config, Some(base.join("b/.dapr/config.yaml")));
    assert_eq!(second.app.protocol, "grpc");
    assert_eq!(second.app.log_level, "");
    assert_eq!(second.daprd_log, Destination::Console);
}

#[test]
fn merge_keys_scalars_and_further_documents_are_tolerated() {
    let directory = directory();
    let file = resolve(
        directory.path(),
        "
version: 1
x-defaults: &defaults
  appPort: 7
  enableProfiling: yes
  resourcesPaths: ../common, ../own
common:
apps:
- <<: *defaults
  appDirPath: a
  appID: one
---
anything: else
",
    )
    .unwrap();
    let app = &file.apps[0].app;
    assert_eq!((app.id.as_str(), app.port), ("one", 7));
    assert!(app.enable_profiling);
    assert_eq!(
        app.resources,
        [
            directory.path().join("common"),
            directory.path().join("own")
        ]
    );
}

#[test]
fn scalars_are_those_of_yaml_1_1() {
    let directory = directory();
    for (number, expected) in [
        ("0x1F90", 8080),
        ("0b11", 3),
        ("+7", 7),
        ("8_080", 8080),
        ("0o17", 15),
        ("017", 15),
    ] {
        let text = format!("version: 1\napps: [{{appDirPath: a, appPort: {number}}}]");
        let file = resolve(directory.path(), &text);
        assert_eq!(file.unwrap().apps[0].app.port, expected, "{number}");
    }
    for (word, expected) in [
        ("yes", true),
        ("on", true),
        ("True", true),
        ("TRUE", true),
        ("y", true),
        ("no", false),
        ("off", false),
        ("~", false),
    ] {
        let text = format!("version: 1\napps: [{{appDirPath: a, enableApiLogging: {word}}}]");
        let file = resolve(directory.path(), &text);
        assert_eq!(file.unwrap().apps[0].app.api_logging, expected, "{word}");
    }
}

#[test]
fn a_runtime_path_is_the_apps_own_root() {
    let directory = directory();
    let file = resolve(
        directory.path(),
        "version: 1\ncommon: {runtimePath: common}\napps: [{appDirPath: a}]",
    )
    .unwrap();
    assert_eq!(
        file.apps[0].root.bin(),
        directory.path().join("common/.dapr/bin")
    );
}

#[test]
fn mistakes_have_upstreams_texts() {
    for (text, expected) in [
        (
            "",
            "required field 'version' not found in the provided run template file",
        ),
        (
            "version: 0\napps: [{appDirPath: a}]",
            "required field 'version' not found in the provided run template file",
        ),
        (
            "version: 1\napps: [{appID: a}]",
            "required field 'appDirPath' not found in the provided app config file",
        ),
        (
            "version: 1\napps: [{appDirPath: /nope}]",
            "error in getting the file info for /nope: stat /nope: no such file or directory",
        ),
        (
            "version: 1\napps: [{appDirPath: a, appLogDestination: pipe}]",
            "invalid log destination type: pipe",
        ),
        (
            "version: 1\napps: [{appDirPath: a, containerImagePullPolicy: always}]",
            "invalid containerImagePullPolicy: always, allowed values: Always, Never, IfNotPresent",
        ),
    ] {
        assert_eq!(message(text), expected, "{text}");
    }
    for text in ["version: [", "version: 1\napps: 5", "version: x"] {
        let message = message(text);
        assert!(
            message.starts_with("error in parsing the provided app config file: "),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn run_files_are_found_by_file_or_directory() {
    let directory = directory();
    let base = directory.path();
    fs::write(base.join("dapr.yaml"), "").unwrap();
    let found = |path: &str| locate(base.join(path).to_str().unwrap());
    for path in ["", "dapr.yaml", "./a/../dapr.yaml", "a/.."] {
        assert_eq!(found(path).unwrap(), base.join("dapr.yaml"), "{path}");
    }
    assert_eq!(found("common.yaml").unwrap(), base.join("common.yaml"));
    assert_eq!(locate("-").unwrap(), Path::new("-"));

    let shown = base.display();
    assert_eq!(
        found("a").unwrap_err().to_string(),
        format!(
            "error in validating the file path \"{shown}/a/dapr.yaml\": error in getting the file \
             info for {shown}/a/dapr.yaml: stat {shown}/a/dapr.yaml: no such file or directory"
        )
    );
    assert_eq!(
        locate("/nope.yaml").unwrap_err().to_string(),
        "error getting file info for /nope.yaml: stat /nope.yaml: no such file or directory"
    );
    assert_eq!(
        locate("/etc/passwd").unwrap_err().to_string(),
        "file \"/etc/passwd\" is not a YAML file"
    );
}
