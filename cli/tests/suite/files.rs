//! Run files that cannot be used, and those whose apps do not start.

use crate::tools::Place;

#[test]
fn run_files_that_are_not_there() {
    let place = Place::new();
    place.write("empty/readme.txt", "");
    for command in ["run", "stop"] {
        for (path, message) in [
            (
                "/nope",
                "error getting file info for /nope: stat /nope: no such file or directory",
            ),
            (
                "empty",
                "error in validating the file path \"empty/dapr.yaml\": error in getting the file info for empty/dapr.yaml: stat empty/dapr.yaml: no such file or directory",
            ),
            (
                "empty/readme.txt",
                "file \"empty/readme.txt\" is not a YAML file",
            ),
        ] {
            let done = place.run(&[command, "-f", path]);
            assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{path}");
            assert_eq!(
                done.err,
                format!("❌  Failed to get run file path: {message}\n")
            );
        }
    }
}

#[test]
fn run_files_that_say_too_little() {
    let place = Place::new();
    for (text, message) in [
        (
            "apps: []",
            "Error getting apps from config file: required field 'version' not found in the provided run template file",
        ),
        ("version: 1", "No apps to run"),
        (
            "version: 1\napps: [{appDirPath: nope}]",
            &format!(
                "Error getting apps from config file: error in getting the file info for {0}/nope: stat {0}/nope: no such file or directory",
                place.path().display()
            ),
        ),
    ] {
        place.write("dapr.yaml", text);
        let done = place.run(&["run", "-f", "."]);
        assert_eq!((done.code, done.err.as_str()), (Some(1), ""), "{text}");
        assert_eq!(done.out, format!("❌  {message}\n"));
    }
}

#[test]
fn other_flags_are_ignored_with_a_warning() {
    let place = Place::new();
    place.write("dapr.yaml", "version: 1");
    let done = place.run(&[
        "run",
        "-f",
        ".",
        "--app-id",
        "x",
        "--log-as-json=false",
        "-p",
        "1",
    ]);
    assert_eq!(
        done.out,
        "⚠  The following flags are ignored when using --run-file and should be configured in the run file instead: app-id, app-port\n❌  No apps to run\n"
    );
}

#[test]
fn a_run_without_a_match_is_not_stopped() {
    let place = Place::new();
    let file = place.write("dapr.yaml", "");
    let done = place.run(&["stop", "-f", "."]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""));
    assert_eq!(
        done.err,
        format!(
            "❌  Failed to stop Dapr and app processes: couldn't find apps with run file \"{}\"\n",
            file.display()
        )
    );
}

#[test]
fn an_app_that_fails_its_checks_takes_the_others_down() {
    let place = Place::new();
    place.write(
        "dapr.yaml",
        "version: 1
apps:
- {appDirPath: ., appID: good, appPort: 1, command: [sleep, '1000']}
- {appDirPath: ., appID: bad, maxBodySize: 1x}
",
    );
    // Nobody answers, so the first app is registered by force of patience.
    let daprd = place.script("daprd", "exit 0");
    let done = place.run_with(&daprd, &["run", "-f", ".", "--enable-mtls=false"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.starts_with(
            "❌  Error starting Dapr and app (\"good\"): daprd ended with exit status 0: "
        ),
        "{}",
        done.err
    );

    place.write(
        "dapr.yaml",
        "version: 1\napps: [{appDirPath: ., appID: bad, maxBodySize: 1x}]",
    );
    let done = place.run_with(&daprd, &["run", "-f", ".", "--enable-mtls=false"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.err,
        format!(
            "❌  Error validating run config for app \"bad\" present in {}/dapr.yaml: invalid max request body size: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'\n",
            place.path().display()
        )
    );
    place.assert_quiet();
}

#[test]
fn commands_that_are_none() {
    let place = Place::new();
    let daprd = place.script("daprd", "exec sleep 1000");
    for (command, message) in [
        ("['']", "exec: no command"),
        (
            "[./nope]",
            "exec: \"./nope\": stat ./nope: no such file or directory",
        ),
    ] {
        place.write(
            "dapr.yaml",
            &format!(
                "version: 1\napps: [{{appDirPath: ., appID: a, appPort: 1, command: {command}}}]"
            ),
        );
        let done = place.run_with(&daprd, &["run", "-f", ".", "--enable-mtls=false"]);
        assert_eq!(done.code, Some(1));
        assert_eq!(
            done.err,
            format!("❌  Error starting Dapr and app (\"a\"): {message}\n")
        );
    }
    place.assert_quiet();
}
