use super::*;

const FLAGS: &[Flag] = &[
    Flag::text("app-id", "", "Id").short('a'),
    Flag::int("app-port", "-1", "Port").short('p'),
    Flag::bool("all", "All").short('A'),
    Flag::bool("kubernetes", "Cluster").short('k'),
    Flag::list("resources-path", "Paths"),
    Flag::array("set", "Values"),
    Flag::text("components-path", "", "Old")
        .short('d')
        .deprecated("use --resources-path"),
];

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(ToString::to_string).collect()
}

fn args(line: &[&str]) -> Result<Parsed, Mistake> {
    parse(FLAGS, &words(line))
}

fn message(line: &[&str]) -> String {
    args(line).unwrap_err().to_string()
}

#[test]
fn every_way_to_write_a_flag() {
    for line in [
        &["--app-id", "x", "--app-port", "3000"][..],
        &["--app-id=x", "--app-port=3000"],
        &["-a", "x", "-p", "3000"],
        &["-ax", "-p3000"],
        &["-a=x", "-p=3000"],
        &["--app-id", "y", "-p", "1", "--app-id", "x", "-p", "3000"],
    ] {
        let parsed = args(line).unwrap();
        assert_eq!(parsed.text("app-id"), "x", "{line:?}");
        assert_eq!(parsed.int("app-port"), 3000, "{line:?}");
        assert!(parsed.given("app-id") && !parsed.given("all"), "{line:?}");
    }
}

#[test]
fn flags_may_stand_between_the_words_of_the_command() {
    let parsed = args(&["--app-id", "x", "python", "app.py", "-p", "5000"]).unwrap();
    assert_eq!(parsed.words(), ["python", "app.py"]);
    assert_eq!(parsed.int("app-port"), 5000);

    let parsed = args(&["-p", "1", "--", "python", "-p", "2", "--", "--no"]).unwrap();
    assert_eq!(parsed.words(), ["python", "-p", "2", "--", "--no"]);
    assert_eq!(parsed.int("app-port"), 1);

    assert_eq!(args(&["cat", "-"]).unwrap().words(), ["cat", "-"]);
}

#[test]
fn booleans_combine_and_never_take_the_next_word() {
    let parsed = args(&["-kA"]).unwrap();
    assert!(parsed.bool("all") && parsed.bool("kubernetes"));
    let parsed = args(&["--all", "false", "-k=false"]).unwrap();
    assert!(parsed.bool("all") && !parsed.bool("kubernetes"));
    assert_eq!(parsed.words(), ["false"]);
    let parsed = args(&["-kax"]).unwrap();
    assert!(parsed.bool("kubernetes"));
    assert_eq!(parsed.text("app-id"), "x");
}

#[test]
fn lists_repeat_and_split_at_commas() {
    let parsed = args(&["--resources-path", "a,b", "--resources-path=\"c,d\""]).unwrap();
    assert_eq!(parsed.list("resources-path"), ["a", "b", "c,d"]);
    let parsed = args(&["--set", "a={b,c}", "--set=d=\"e"]).unwrap();
    assert_eq!(parsed.list("set"), ["a={b,c}", "d=\"e"]);
}

#[test]
fn help_is_a_flag_like_any_other() {
    assert_eq!(args(&["--help=true", "x"]).unwrap_err(), Mistake::Help);
    assert!(args(&["--help=false", "x"]).is_ok());
    assert_eq!(message(&["--help", "--nope"]), "unknown flag: --nope");
}

#[test]
fn own_flags_stand_in_front_of_global_ones() {
    let own = [Flag::text("log-as-json", "own", "Text")];
    let parsed = parse(&own, &words(&["--log-as-json", "x", "--runtime-path=y"])).unwrap();
    assert_eq!(parsed.text("log-as-json"), "x");
    assert_eq!(parsed.text("runtime-path"), "y");
}

#[test]
fn mistakes_are_told_in_pflags_words() {
    for (line, expected) in [
        (&["--flag"][..], "unknown flag: --flag"),
        (&["-x"], "unknown shorthand flag: 'x' in -x"),
        (&["-kxy"], "unknown shorthand flag: 'x' in -xy"),
        (&["--=x"], "bad flag syntax: --=x"),
        (&["--app-id"], "flag needs an argument: --app-id"),
        (&["-a"], "flag needs an argument: 'a' in -a"),
        (
            &["-p", "x"],
            r#"invalid argument "x" for "-p, --app-port" flag: strconv.ParseInt: parsing "x": invalid syntax"#,
        ),
        (
            &["--all=maybe"],
            r#"invalid argument "maybe" for "-A, --all" flag: strconv.ParseBool: parsing "maybe": invalid syntax"#,
        ),
        (&["--log-level=x", "--help"], "unknown flag: --log-level"),
    ] {
        assert_eq!(message(line), expected, "{line:?}");
    }
    assert_eq!(args(&["-kh"]).unwrap_err(), Mistake::Help);
    assert_eq!(args(&["--help"]).unwrap_err(), Mistake::Help);
}

#[test]
fn required_flags_are_named_together() {
    const REQUIRED: &[Flag] = &[
        Flag::text("app-id", "", "").required(),
        Flag::text("method", "", "").required(),
    ];
    assert_eq!(
        parse(REQUIRED, &[]).unwrap_err().to_string(),
        r#"required flag(s) "app-id", "method" not set"#
    );
}

#[test]
fn deprecated_flags_work_with_a_warning() {
    let parsed = args(&["-d", "/c"]).unwrap();
    assert_eq!(parsed.text("components-path"), "/c");
    assert_eq!(
        parsed.warnings(),
        ["Flag --components-path has been deprecated, use --resources-path"]
    );
}

#[test]
fn the_command_is_the_first_word_that_is_no_flag() {
    for (line, command, rest) in [
        (&["run", "-p", "1"][..], Some("run"), &["-p", "1"][..]),
        (&["--log-as-json", "list"], Some("list"), &["--log-as-json"]),
        (
            &["--runtime-path", "/x", "list"],
            Some("list"),
            &["--runtime-path", "/x"],
        ),
        (
            &["--runtime-path=/x", "run", "run"],
            Some("run"),
            &["--runtime-path=/x", "run"],
        ),
        (&["--version"], None, &["--version"]),
        (&["-v", "list"], Some("list"), &["-v"]),
        (&[], None, &[]),
    ] {
        let all = words(line);
        assert_eq!(split_command(&all), (command, words(rest)), "{line:?}");
    }
}
