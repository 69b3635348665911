use super::*;
use crate::duration::GoDuration;

fn args(line: &[&str]) -> Result<Parsed, ParseError> {
    parse(line.iter().map(|arg| (*arg).to_owned()))
}

fn message(line: &[&str]) -> String {
    args(line).unwrap_err().to_string()
}

#[test]
fn table_is_sorted_and_names_are_unique() {
    for pair in TABLE.windows(2) {
        assert!(pair[0].name < pair[1].name, "{}", pair[1].name);
    }
    for flag in TABLE {
        assert!(
            !flag.help.is_empty() && !flag.help.ends_with('.'),
            "{}",
            flag.name
        );
        let prefix = flag
            .annotation
            .is_none_or(|name| name.starts_with("dapr.io/"));
        assert!(prefix, "{}", flag.name);
    }
}

#[test]
fn defaults() {
    let parsed = args(&[]).unwrap();
    for (name, value) in [
        ("app-channel-address", "127.0.0.1"),
        ("app-health-check-path", "/healthz"),
        ("app-id", ""),
        ("app-port", ""),
        ("app-protocol", "http"),
        ("control-plane-namespace", "default"),
        ("control-plane-trust-domain", "localhost"),
        ("dapr-grpc-port", "50001"),
        ("dapr-http-port", "3500"),
        ("dapr-internal-grpc-port", ""),
        ("log-level", "info"),
        ("max-body-size", "4Mi"),
        ("metrics-listen-address", "0.0.0.0"),
        ("metrics-port", "9090"),
        ("mode", "standalone"),
        ("profile-port", "7777"),
        ("read-buffer-size", "4Ki"),
    ] {
        assert_eq!(parsed.string(name), value, "{name}");
        assert!(!parsed.is_set(name), "{name}");
    }
    for (name, value) in [
        ("app-health-probe-interval", 5),
        ("app-health-probe-timeout", 500),
        ("app-health-threshold", 3),
        ("app-max-concurrency", -1),
        ("dapr-graceful-shutdown-seconds", 5),
        ("dapr-http-max-request-size", 4),
        ("scheduler-job-streams", 3),
    ] {
        assert_eq!(parsed.int(name), value, "{name}");
    }
    assert!(parsed.bool("enable-metrics"));
    assert!(!parsed.bool("enable-mtls"));
    assert_eq!(parsed.strings("config"), [""; 0]);
    assert_eq!(
        parsed.duration("actors-disseminate-timeout").to_string(),
        "30s"
    );
}

#[test]
fn every_way_to_write_a_flag() {
    for line in [
        &["--app-id", "a", "--app-max-concurrency", "7"][..],
        &["--app-id=a", "--app-max-concurrency=7"],
        &["-app-id", "a", "-app-max-concurrency=7"],
        &["-app-id=a", "-app-max-concurrency", "0x7"],
        &["--app-id=b", "--app-id=a", "--app-max-concurrency=+7"],
    ] {
        let parsed = args(line).unwrap();
        assert_eq!(parsed.string("app-id"), "a", "{line:?}");
        assert_eq!(parsed.int("app-max-concurrency"), 7, "{line:?}");
        assert!(
            parsed.is_set("app-id") && !parsed.is_set("mode"),
            "{line:?}"
        );
    }
    // A lone dash with one character survives as a value; more do not.
    assert_eq!(
        args(&["--app-port", "-1"]).unwrap().string("app-port"),
        "-1"
    );
    assert_eq!(
        args(&["--app-id", "-ten"]).unwrap().string("app-id"),
        "--ten"
    );
}

#[test]
fn booleans_never_take_the_next_word() {
    let parsed = args(&[
        "--enable-mtls",
        "false",
        "--enable-metrics=false",
        "--wait=T",
    ])
    .unwrap();
    assert!(parsed.bool("enable-mtls") && parsed.bool("wait"));
    assert!(!parsed.bool("enable-metrics"));
    assert_eq!(parsed.positionals(), ["false"]);
}

#[test]
fn lists_repeat_and_split() {
    for (line, expected) in [
        (&["--config", "a,b", "--config=c"][..], &["a", "b", "c"][..]),
        (&["--config", r#""a,1",b"#], &["a,1", "b"]),
        (&["--config", r#""say ""hi""","#], &["say \"hi\"", ""]),
        (&["--config="], &[]),
    ] {
        assert_eq!(args(line).unwrap().strings("config"), expected, "{line:?}");
    }
}

#[test]
fn stray_words_are_tolerated() {
    let line = [
        "",
        "localhost:50006",
        "--app-id",
        "a",
        "-",
        "--",
        "--mode",
        "x",
    ];
    let parsed = args(&line).unwrap();
    assert_eq!(parsed.string("mode"), "standalone");
    assert_eq!(
        parsed.positionals(),
        ["", "localhost:50006", "-", "--mode", "x"]
    );
}

#[test]
fn help_wins_when_it_comes_first() {
    for line in [
        &["--help"][..],
        &["-h"],
        &["-help"],
        &["--app-id", "a", "--help", "--x"],
    ] {
        assert_eq!(args(line).unwrap_err(), ParseError::Help, "{line:?}");
    }
}

#[test]
fn mistakes_are_told_in_pflags_words() {
    for (line, expected) in [
        (&["--nope"][..], "unknown flag: --nope"),
        (&["-nope=1"], "unknown flag: --nope"),
        (&["--x", "--help"], "unknown flag: --x"),
        (&["-x"], "unknown shorthand flag: 'x' in -x"),
        (&["--=x"], "bad flag syntax: --=x"),
        (&["---x"], "bad flag syntax: ---x"),
        (&["--app-id"], "flag needs an argument: --app-id"),
        (&["-app-id"], "flag needs an argument: --app-id"),
        (
            &["--app-max-concurrency", "many"],
            r#"invalid argument "many" for "--app-max-concurrency" flag: strconv.ParseInt: parsing "many": invalid syntax"#,
        ),
        (
            &["--app-max-concurrency", "-10"],
            r#"invalid argument "--10" for "--app-max-concurrency" flag: strconv.ParseInt: parsing "--10": invalid syntax"#,
        ),
        (
            &["--app-max-concurrency=9223372036854775808"],
            r#"invalid argument "9223372036854775808" for "--app-max-concurrency" flag: strconv.ParseInt: parsing "9223372036854775808": value out of range"#,
        ),
        (
            &["--scheduler-job-streams=-3"],
            r#"invalid argument "-3" for "--scheduler-job-streams" flag: strconv.ParseUint: parsing "-3": invalid syntax"#,
        ),
        (
            &["--enable-metrics=maybe"],
            r#"invalid argument "maybe" for "--enable-metrics" flag: strconv.ParseBool: parsing "maybe": invalid syntax"#,
        ),
        (
            &["--dapr-block-shutdown-duration", "5"],
            r#"invalid argument "5" for "--dapr-block-shutdown-duration" flag: time: missing unit in duration "5""#,
        ),
        (
            &["--config", r#"a"b"#],
            r#"invalid argument "a\"b" for "--config" flag: parse error on line 1, column 2: bare " in non-quoted field"#,
        ),
        (
            &["--config", r#""ab"#],
            r#"invalid argument "\"ab" for "--config" flag: parse error on line 1, column 4: extraneous or missing " in quoted-field"#,
        ),
    ] {
        assert_eq!(message(line), expected, "{line:?}");
    }
}

#[test]
fn numbers_as_go_reads_them() {
    for (text, value) in [
        ("010", 8),
        ("0b11", 3),
        ("0o17", 15),
        ("0x_ff", 255),
        ("-0", 0),
    ] {
        let line = format!("--app-health-threshold={text}");
        assert_eq!(
            args(&[&line]).unwrap().int("app-health-threshold"),
            value,
            "{text}"
        );
    }
    for text in ["", "1_000", "0x", "0x__1", "08", "1.0", "+-1"] {
        assert!(
            message(&[&format!("--app-health-threshold={text}")]).ends_with("invalid syntax"),
            "{text}"
        );
    }
}

#[test]
fn deprecated_flags_work_with_a_warning() {
    let parsed = args(&["--components-path", "/c", "--app-ssl"]).unwrap();
    assert_eq!(parsed.string("components-path"), "/c");
    assert_eq!(
        parsed.warnings(),
        [
            "Flag --components-path has been deprecated, use --resources-path",
            "Flag --app-ssl has been deprecated, use '--app-protocol https|grpcs'",
        ]
    );
}

#[test]
fn environment_fills_only_what_was_not_given() {
    let env = |name: &str| match name {
        "DAPR_CONTROLPLANE_NAMESPACE" => Some("dapr-system".to_owned()),
        "DAPR_CONTROLPLANE_TRUST_DOMAIN" => Some(String::new()),
        "DAPR_SCHEDULER_HOST_ADDRESS_DNS_A" => Some("a:1,b:2".to_owned()),
        _ => None,
    };
    let parsed = args(&["--control-plane-namespace", "mine"])
        .unwrap()
        .with_env(env);
    assert_eq!(parsed.string("control-plane-namespace"), "mine");
    assert_eq!(parsed.string("control-plane-trust-domain"), "");
    assert_eq!(parsed.strings("scheduler-host-address"), ["a:1", "b:2"]);
    assert!(!parsed.is_set("control-plane-trust-domain"));
}

#[test]
fn usage_lists_flags_in_columns() {
    let text = usage();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Usage of daprd:");
    let find = |name: &str| {
        lines
            .iter()
            .find(|line| line.contains(&format!("--{name} ")))
    };
    let line = find("app-protocol").unwrap();
    assert!(line.starts_with("      --app-protocol string   "));
    assert!(line.ends_with(r#"grpc or grpcs (default "http")"#));
    assert!(find("enable-metrics").unwrap().ends_with("(default true)"));
    assert!(find("components-path").is_none() && find("actors-service").is_none());
    let column = |name: &str, help: &str| find(name).unwrap().find(help).unwrap();
    assert_eq!(
        column("mode", "Where"),
        column("sentry-request-jwt-audiences", "Audiences")
    );
    assert_eq!(
        args(&["--dapr-block-shutdown-duration=3m"])
            .unwrap()
            .duration("dapr-block-shutdown-duration"),
        "180s".parse::<GoDuration>().unwrap()
    );
}

#[test]
fn words_for_yes() {
    for yes in ["true", "True", "TRUE", "yes", "y", "on", "t", "1", " true "] {
        assert!(truthy(yes), "{yes}");
    }
    for no in ["", "false", "no", "0", "enabled", "truee", "2", "tr ue"] {
        assert!(!truthy(no), "{no}");
    }
}
