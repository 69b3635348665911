//! Run files from standard input, odd but valid ones, and slips in them.

use std::io::Write;
use std::process::Stdio;

use crate::runs_support::id;
use crate::tools::{Done, Place, Running};

#[test]
fn a_run_file_may_come_from_standard_input() {
    let place = Place::new();
    place.write("app/x", "");
    let name = id("typed");
    let mut command = place.dapr(&["run", "-f", "-"]);
    let file = place.write(
        "somewhere/else.txt",
        &format!("version: 1\ncommon:\napps: [{{appDirPath: app, appID: {name}, command: [pwd]}}]"),
    );
    command.stdin(std::fs::File::open(file).unwrap());
    let mut run = Running::start(command);
    run.line(&format!("Started Dapr with app id {name:?}"));
    let directory = place.path().join("app");
    run.line(&format!("== APP - {name} == {}", directory.display()));
    let stop = |from: &str| {
        let mut command = place.dapr(&["stop", "-f", "-"]);
        command.current_dir(place.path().join(from));
        Done::of(command.output().unwrap())
    };
    // It belongs to the directory, as the paths in it do.
    let other = place.path().join("somewhere/-");
    assert_eq!(
        stop("somewhere").err,
        format!(
            "❌  Failed to stop Dapr and app processes: couldn't find apps with run file \"{}\"\n",
            other.display()
        )
    );
    assert_eq!(
        stop(".").out,
        "✅  Dapr and app processes stopped successfully\n"
    );
    assert_eq!(run.end().0, Some(0));
    place.assert_quiet();
}

/// Runs a run file to its end.
fn piped(place: &Place, text: impl AsRef<[u8]>) -> Done {
    let mut child = place
        .dapr(&["run", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_ref())
        .unwrap();
    Done::of(child.wait_with_output().unwrap())
}

#[test]
fn likely_slips_are_told_and_other_keys_ignored() {
    let place = Place::new();
    let done = piped(
        &place,
        "version: 1\nx-team: shop\ncommon: {appPort: 5}\napps: [{appDirpath: ., daprHttpPort: 3500, labels: {a: b}}]",
    );
    assert_eq!((done.code, done.err.as_str()), (Some(1), ""));
    assert_eq!(
        done.out,
        "⚠  -: \"appPort\" under common is ignored: it belongs to each app.\n\
         ⚠  -: \"appDirpath\" of app 1 is not known and is ignored. Did you mean \"appDirPath\"?\n\
         ⚠  -: \"daprHttpPort\" of app 1 is not known and is ignored. Did you mean \"daprHTTPPort\"?\n\
         ❌  Error getting apps from config file: required field 'appDirPath' not found in the provided app config file\n"
    );
}

#[test]
fn what_is_wrong_with_a_run_file_is_told_in_plain_words() {
    let place = Place::new();
    let aliases = (1..9).fold("a0: &a0 [x]".to_owned(), |text, level| {
        let inner = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("{text}\na{level}: &a{level} [{inner}]")
    });
    for (text, message) in [
        ("version: one", "expected a number at line 1, column 10"),
        ("apps: {a: b}", "expected a list at line 1, column 7"),
        (
            "apps: [{appPort: 80a}]",
            "expected a whole number at line 1, column 18",
        ),
        (
            "apps: [{appSSL: 7}]",
            "expected true or false at line 1, column 17",
        ),
        (
            "common: x",
            "expected a mapping of keys to values at line 1, column 9",
        ),
        (
            "apps: [{appID: [a]}]",
            "expected a text at line 1, column 16",
        ),
        (
            "apps: &x\n- *x",
            "an alias stands within its own anchor at line 2, column 3",
        ),
        (
            "apps: *x",
            "an alias without an anchor of its name at line 1, column 7",
        ),
        (
            &aliases,
            "the file is too large, or its aliases expand too far",
        ),
    ] {
        let done = piped(&place, text);
        let expected = format!(
            "❌  Error getting apps from config file: error in parsing the provided app config file: {message}"
        );
        assert!(done.out.starts_with(&expected), "{}: {expected}", done.out);
        assert_eq!((done.code, done.err.as_str()), (Some(1), ""));
    }
    let done = piped(&place, b"version: 1\nname: \xff\n");
    assert_eq!(
        done.out,
        "❌  Error getting apps from config file: error in parsing the provided app config file: line 2 is not UTF-8 text\n"
    );
    // The last of two equal keys counts, and numbers may have a fraction.
    let done = piped(&place, "version: 0\nversion: 1.0\napps: []");
    assert_eq!(done.out, "❌  No apps to run\n");
}

#[test]
fn clusters_are_refused_with_what_works_today() {
    let place = Place::new();
    place.write("dapr.yaml", "version: 1\napps: [{appDirPath: .}]");
    for line in [
        &["run", "-k", "-f", "."][..],
        &["run", "-f", ".", "--kubernetes"],
        &["run", "-k", "--app-id", "x", "--", "true"],
        &["run", "--kubernetes=true"],
    ] {
        let done = place.run(line);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{line:?}");
        assert_eq!(
            done.err,
            "❌  dapr run -k is not available yet; use: kubectl apply -f FILE, where the pods have the annotations dapr.io/enabled and dapr.io/app-id, as in examples/kubernetes\n"
        );
    }
    let done = place.run(&["run", "-k=false", "--image", "x"]);
    assert_eq!(
        done.err,
        "❌  --image is not supported: dapr run starts apps as processes\n"
    );
}
