//! Command lines that are wrong, and commands that need no sidecar.

use crate::tools::Place;

#[test]
fn unknown_words_end_in_255_with_usage() {
    let place = Place::new();
    for (line, message) in [
        (&["run", "--flag"][..], "unknown flag: --flag"),
        (&["run", "-x"], "unknown shorthand flag: 'x' in -x"),
        (
            &["invoke", "-m", "x"],
            r#"required flag(s) "app-id" not set"#,
        ),
        (
            &["run", "-p", "many"],
            r#"invalid argument "many" for "-p, --app-port" flag: strconv.ParseInt: parsing "many": invalid syntax"#,
        ),
        (&["--flag"], "unknown flag: --flag"),
    ] {
        let done = place.run(line);
        assert_eq!(done.code, Some(255), "{line:?}");
        assert_eq!(done.out, format!("{message}\n"), "{line:?}");
        let rest = done
            .err
            .strip_prefix(&format!("Error: {message}\nUsage:\n  dapr "));
        assert!(
            rest.is_some_and(|rest| rest.contains("\nFlags:\n")),
            "{}",
            done.err
        );
    }
}

#[test]
fn unknown_commands_end_in_255() {
    let place = Place::new();
    for command in ["publish", "workflow"] {
        let done = place.run(&[command, "--x"]);
        let message = format!("unknown command {command:?} for \"dapr\"\n");
        assert_eq!(done.code, Some(255));
        assert!(done.out.starts_with(&message), "{}", done.out);
        assert_eq!(
            done.err,
            format!("Error: {}Run 'dapr --help' for usage.\n", done.out)
        );
    }
    let done = place.run(&["lst"]);
    assert!(
        done.out.contains("Did you mean this?\n\tlist\n"),
        "{}",
        done.out
    );
}

#[test]
fn help_is_no_mistake() {
    let place = Place::new();
    for (line, text) in [
        (&[][..], "Available Commands:"),
        (&["--help"], "Available Commands:"),
        (&["run", "-h"], "dapr run [flags]"),
        (&["help", "stop"], "dapr stop [app id]... [flags]"),
    ] {
        let done = place.run(line);
        assert_eq!(done.code, Some(0), "{line:?}");
        assert!(done.out.contains(text) && done.err.is_empty(), "{done:?}");
    }
    let help = place.run(&["run", "--help"]).out;
    assert!(help.contains("  -p, --app-port int "), "{help}");
    assert!(!help.contains("components-path"), "{help}");
}

#[test]
fn versions_of_both_programs() {
    let place = Place::new();
    let daprd = place.script("daprd", "echo 1.18.0");
    let text = "CLI version: 1.18.0 \nRuntime version: 1.18.0\n";
    for line in [&["version"][..], &["--version"], &["-v"]] {
        assert_eq!(place.run_with(&daprd, line).out, text, "{line:?}");
    }
    let done = place.run_with(&place.path().join("none"), &["version", "-o", "json"]);
    assert_eq!(
        done.out,
        "{\"Cli version\":\"1.18.0\",\"Runtime version\":\"n/a\"}\n"
    );
}

#[test]
fn apps_that_do_not_run_are_told_apart() {
    let place = Place::new();
    let done = place.run(&["stop", "--app-id", "nobody-1"]);
    assert_eq!(done.code, Some(0));
    assert_eq!(done.out, "");
    assert_eq!(
        done.err,
        "❌  failed to stop app id nobody-1: couldn't find app id nobody-1\n"
    );
    let done = place.run(&["stop"]);
    assert_eq!((done.code, done.out + &done.err), (Some(0), String::new()));

    let done = place.run(&["invoke", "-a", "nobody-1", "-m", "x"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.err,
        "❌  error invoking app nobody-1: app ID nobody-1 not found\n"
    );
}

#[test]
fn values_that_make_no_sense_end_in_1() {
    let place = Place::new();
    for (line, message) in [
        (
            &["list", "-o", "foo"][..],
            "An invalid output format was specified.",
        ),
        (
            &["invoke", "-a", "a", "-m", "m", "-d", "x", "-f", "y"],
            "Only one of --data and --data-file allowed in the same invoke command",
        ),
        (
            &["invoke", "-a", "a", "-m", "m", "-f", "nope.json"],
            "Error reading payload from 'nope.json'. Error: No such file or directory (os error 2)",
        ),
        (
            &["run", "--image", "x", "--", "true"],
            "--image is not supported: dapr run starts apps as processes",
        ),
    ] {
        let done = place.run(line);
        assert_eq!(done.code, Some(1), "{line:?}");
        assert_eq!(done.err, format!("❌  {message}\n"), "{line:?}");
        assert_eq!(done.out, "", "{line:?}");
    }
}

#[test]
fn what_init_installs_uninstall_removes() {
    let place = Place::new();
    for name in ["daprd", "sentry"] {
        place.script(&format!("programs/{name}"), "echo 1.18.0");
    }
    let bin = place.path().join(".dapr/bin");
    let done = place.run(&["init", "--from-dir", "programs"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    let lines: Vec<&str> = done.out.lines().collect();
    assert_eq!(lines[0], "⌛  Making the jump to hyperspace...");
    assert_eq!(lines[1], "ℹ️  Installing runtime version 1.18.0");
    assert!(lines.contains(&"✅  Downloaded binaries and completed components set up."));
    let installed = format!("ℹ️  daprd binary has been installed to {}.", bin.display());
    assert!(lines.contains(&installed.as_str()), "{lines:#?}");
    for left_out in ["placement", "scheduler", "redis", "zipkin"] {
        let told = format!("ℹ️  {left_out} is not installed: ");
        assert!(
            lines.iter().any(|line| line.starts_with(&told)),
            "{left_out}"
        );
    }
    assert!(bin.join("sentry").exists());
    let config = std::fs::read_to_string(place.path().join(".dapr/config.yaml")).unwrap();
    assert!(config.contains("name: daprConfig") && config.contains("spec: {}"));
    assert!(place.path().join(".dapr/components").is_dir());
    assert_eq!(
        place.run(&["--version"]).out,
        "CLI version: 1.18.0 \nRuntime version: 1.18.0\n"
    );

    let again = place.run(&["init", "--from-dir", "programs"]);
    assert_eq!(again.code, Some(1));
    assert_eq!(
        again.err,
        format!(
            "❌  `{}/daprd` file already exists, please run 'dapr uninstall' first before running 'dapr init'\n",
            bin.display()
        )
    );
    let other = place.run(&["init", "--runtime-version", "1.2.3"]);
    assert_eq!(
        other.err,
        "❌  cannot install runtime version 1.2.3: this is 1.18.0\n"
    );
    let mut from_environment = place.dapr(&["init"]);
    from_environment.env("DAPR_RUNTIME_VERSION", "1.2.3");
    let output = from_environment.output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), other.err);

    let done = place.run(&["uninstall", "--all"]);
    assert_eq!(done.code, Some(0));
    assert_eq!(
        done.out,
        format!(
            "ℹ️  Removing Dapr from your machine...\nℹ️  Removing directory: {}\nℹ️  Removing directory: {}\n✅  Dapr has been removed successfully\n",
            bin.display(),
            place.path().join(".dapr").display()
        )
    );
    assert!(!place.path().join(".dapr").exists());
}

#[test]
fn a_missing_sidecar_is_named() {
    let place = Place::new();
    let path = place.path().join("no/daprd");
    let done = place.run_with(&path, &["run", "--enable-mtls=false", "--", "true"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.err,
        format!(
            "❌  fork/exec {}: no such file or directory (run 'dapr init', or set DAPRD_BIN)\n",
            path.display()
        )
    );
}

#[test]
fn a_missing_authority_is_no_reason_to_run_in_the_clear() {
    let place = Place::new();
    let daprd = place.script("daprd", "exec sleep 1000");
    let output = place
        .dapr(&["run", "-p", "1", "--", "true"])
        .env("DAPRD_BIN", daprd)
        .env("SENTRY_BIN", "/nope/sentry")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "❌  /nope/sentry does not exist, so there is no certificate authority for mTLS (run 'dapr init', set SENTRY_BIN, or pass --enable-mtls=false)\n"
    );
}

#[test]
fn a_sidecar_that_dies_at_once_ends_the_run() {
    let place = Place::new();
    let daprd = place.script("daprd", "echo why >&2; exit 4");
    let done = place.run_with(
        &daprd,
        &["run", "--enable-mtls=false", "-a", "x", "--", "true"],
    );
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.err,
        "why\n❌  The daprd process exited with error code: exit status 4\n❌  Error exiting Dapr: exit status 4\n"
    );
    assert!(
        done.out
            .starts_with("ℹ️  Starting Dapr with id x. HTTP Port: "),
        "{}",
        done.out
    );
    assert!(!done.out.contains("up and running"), "{}", done.out);
}

#[test]
fn an_app_that_does_not_exist_takes_the_sidecar_down() {
    let place = Place::new();
    let daprd = place.script("daprd", "exec sleep 1000");
    let line = ["run", "--enable-mtls=false", "-p", "1", "--", "no-such-app"];
    let done = place.run_with(&daprd, &line);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.err,
        "❌  Failed to find command no-such-app: exec: \"no-such-app\": executable file not found in $PATH\n"
    );
    assert!(
        done.out
            .contains("✅  Start App failed, try to stop Dapr successfully\n")
    );
    place.assert_quiet();
}

#[test]
fn checks_fail_before_anything_starts() {
    let place = Place::new();
    let daprd = place.script("daprd", "echo started");
    for (line, message) in [
        (
            &["--resources-path", "/nope"][..],
            "error validating resources path [\"/nope\"] : stat /nope: no such file or directory",
        ),
        (
            &["--max-body-size", "4Q"],
            "invalid max request body size: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            &["-H", "70000"],
            "invalid configuration for HTTPPort. Port 70000 is not available",
        ),
    ] {
        let line = [&["run", "-a", "x"], line, &["--", "true"]].concat();
        let done = place.run_with(&daprd, &line);
        assert_eq!(done.code, Some(1), "{line:?}");
        assert!(!done.out.contains("Starting Dapr"), "{}", done.out);
        assert_eq!(done.err, format!("❌  {message}\n"));
    }
}
