//! Command lines, right and wrong, the way cobra and pflag take them.

use crate::tools::Place;

#[test]
fn mistakes_are_told_in_pflags_words() {
    let place = Place::new();
    for (line, message) in [
        (&["list", "--nope"][..], "unknown flag: --nope"),
        (&["list", "--nope=1"], "unknown flag: --nope"),
        (&["list", "-x"], "unknown shorthand flag: 'x' in -x"),
        (&["list", "-kx"], "unknown shorthand flag: 'x' in -x"),
        (&["list", "-xk"], "unknown shorthand flag: 'x' in -xk"),
        (&["list", "---output"], "bad flag syntax: ---output"),
        (&["list", "--=x"], "bad flag syntax: --=x"),
        (&["list", "--output"], "flag needs an argument: --output"),
        (&["list", "-o"], "flag needs an argument: 'o' in -o"),
        (&["list", "-ko"], "flag needs an argument: 'o' in -o"),
        (
            &["list", "-k=maybe"],
            r#"invalid argument "maybe" for "-k, --kubernetes" flag: strconv.ParseBool: parsing "maybe": invalid syntax"#,
        ),
        (
            &["list", "--log-as-json="],
            r#"invalid argument "" for "--log-as-json" flag: strconv.ParseBool: parsing "": invalid syntax"#,
        ),
        (
            &["run", "--app-port", "99999999999999999999"],
            r#"invalid argument "99999999999999999999" for "-p, --app-port" flag: strconv.ParseInt: parsing "99999999999999999999": value out of range"#,
        ),
        (
            &["run", "-p080"],
            r#"invalid argument "080" for "-p, --app-port" flag: strconv.ParseInt: parsing "080": invalid syntax"#,
        ),
        (
            &["run", "--resources-path", "a\"b"],
            r#"invalid argument "a\"b" for "--resources-path" flag: parse error on line 1, column 2: bare " in non-quoted field"#,
        ),
        (
            &["invoke"],
            r#"required flag(s) "app-id", "method" not set"#,
        ),
        (
            &["invoke", "-a", "x"],
            r#"required flag(s) "method" not set"#,
        ),
        (&["logs"], r#"required flag(s) "app-id" not set"#),
        (&["status"], r#"required flag(s) "kubernetes" not set"#),
        (
            &["upgrade", "-k"],
            r#"required flag(s) "runtime-version" not set"#,
        ),
        (
            &["mtls", "renew-cert"],
            r#"required flag(s) "kubernetes" not set"#,
        ),
    ] {
        let done = place.run(line);
        assert_eq!(done.code, Some(255), "{line:?}: {done:?}");
        assert_eq!(done.out, format!("{message}\n"), "{line:?}");
        let start = format!("Error: {message}\nUsage:\n  dapr {}", line[0]);
        assert!(done.err.starts_with(&start), "{line:?}: {}", done.err);
    }
}

#[test]
fn flags_may_be_written_in_any_way_and_place() {
    let place = Place::new();
    for line in [
        &["list", "-o", "json"][..],
        &["list", "-ojson"],
        &["list", "-o=json"],
        &["list", "--output", "json"],
        &["list", "--output=json"],
        &["list", "--output", "yaml", "-o", "json"],
        &["list", "-k=false", "word", "--kubernetes=F", "-o", "json"],
        &["-o", "json", "list"],
        &["--runtime-path", "elsewhere", "list", "-o", "json"],
        &["list", "-o", "json", "--", "-o", "nope"],
    ] {
        let done = place.run(line);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{line:?}");
        assert!(
            done.out.starts_with('[') && done.out.ends_with(']'),
            "{line:?}"
        );
    }
    // A word behind a boolean is never its value.
    let done = place.run(&["list", "--kubernetes", "false"]);
    assert_eq!(done.code, Some(1));
}

#[test]
fn numbers_have_gos_notations() {
    let place = Place::new();
    for port in ["8080", "+8080", "0x1f90", "0o17620", "017620", "0x1F_90"] {
        let manifest = "kind: Pod\nmetadata: {name: a}\n";
        place.write("pod.yaml", manifest);
        let done = place.run(&["annotate", "-k", "-p", port, "pod.yaml"]);
        assert!(
            done.out.contains("dapr.io/app-port: \"8080\"\n"),
            "{port}: {done:?}"
        );
    }
}

#[test]
fn deprecated_flags_work_with_a_warning() {
    let place = Place::new();
    place.write("pod.yaml", "kind: Pod\nmetadata: {name: a}\n");
    let done = place.run(&["annotate", "-k", "--app-ssl", "pod.yaml"]);
    assert_eq!(done.code, Some(0));
    assert_eq!(
        done.err,
        "Flag --app-ssl has been deprecated, use '--app-protocol https|grpcs'\n"
    );
    assert!(
        done.out.contains("dapr.io/app-ssl: \"true\"\n"),
        "{}",
        done.out
    );

    let line = ["run", "--app-id", "x", "-d", "nowhere", "--", "true"];
    let done = place.run(&line);
    assert_eq!(done.code, Some(1));
    let warning = "Flag --components-path has been deprecated, use --resources-path\n";
    assert!(done.err.starts_with(warning), "{}", done.err);
}

#[test]
fn commands_of_other_building_blocks_are_unknown() {
    let place = Place::new();
    for command in ["publish", "workflow", "scheduler", "mcpservers"] {
        for line in [&[command][..], &[command, "list", "-k", "--app-id", "x"]] {
            let done = place.run(line);
            let message = format!("unknown command {command:?} for \"dapr\"\n");
            assert_eq!(
                (done.code, done.out.as_str()),
                (Some(255), message.as_str())
            );
            assert_eq!(
                done.err,
                format!("Error: {message}Run 'dapr --help' for usage.\n")
            );
        }
    }
}
