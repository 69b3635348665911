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
    crate::runs_support::kill("-TERM", run.pid());
    assert_eq!(run.end().0, Some(0));
    place.assert_quiet();
}

/// Runs a run file to its end.
fn piped(place: &Place, text: &str) -> Done {
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
        .write_all(text.as_bytes())
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
