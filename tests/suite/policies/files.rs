//! Resiliency objects in resource directories.

use tests::{After, RawApp};

use super::{Stage, resiliency};

const ONE_MORE: &str = "{policies: {retries: {r: {duration: 5ms, maxRetries: 1}}}, targets: {apps: {callee: {retry: r}}}}";
const FAILED: &str = "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno";

fn calls(stage: &Stage) -> usize {
    stage.app.script(FAILED, After::Keep);
    stage.caller.invoke("callee", "x").expect(500, "no");
    stage.app.take().len()
}

#[test]
fn a_bad_object_disables_only_itself() {
    let files = [
        (
            "a.yaml",
            resiliency(
                "first",
                "{policies: {timeouts: {t: soon}, retries: {r: {maxRetries: 9}}}, targets: {apps: {callee: {retry: r}}}}",
            ),
        ),
        (
            "b.yaml",
            resiliency(
                "codes",
                "{policies: {retries: {q: {matching: {gRPCStatusCodes: 400}}}}, targets: {}}",
            ),
        ),
        (
            "c.yaml",
            resiliency(
                "shape",
                "{policies: {retries: {q: {maxRetries: many}}}, targets: {}}",
            ),
        ),
        ("d.yaml", resiliency("good", ONE_MORE)),
        ("e.yaml", "{{".to_owned()),
    ];
    let stage = Stage::with_objects(&files, RawApp::scripted());
    assert_eq!(calls(&stage), 2);
    for line in [
        "Could not read resiliency policy first: invalid duration \\\"t\\\", soon: time: invalid duration \\\"soon\\\"",
        "Could not read resiliency policy codes: invalid pattern 400, start code 400 is not valid",
        "Could not read resiliency policy shape: spec.policies.retries.q.maxRetries: expected an integer, found text",
        "Loading Resiliency configuration: good",
    ] {
        stage.expect_logged(line, 1);
    }
}

#[test]
fn later_files_and_documents_replace_what_earlier_ones_named() {
    let two = format!(
        "{}---\n{}",
        resiliency("first", ONE_MORE),
        resiliency(
            "second",
            "{policies: {retries: {r: {duration: 5ms, maxRetries: 2}}}, targets: {}}"
        )
    );
    let files = [
        ("a.yaml", two),
        (
            "b.yml",
            resiliency(
                "third",
                "{policies: {retries: {r: {duration: 5ms, maxRetries: 4}}}, targets: {}}",
            ),
        ),
    ];
    let stage = Stage::with_objects(&files, RawApp::scripted());
    assert_eq!(calls(&stage), 5);
}

#[test]
fn objects_for_other_apps_and_kinds_are_not_ours() {
    let object = resiliency("scoped", ONE_MORE);
    let files = [
        ("a.yaml", format!("{object}scopes: [other, Caller]\n")),
        ("b.yaml", object.replace("Resiliency", "Component")),
        ("c.yaml", object.replace("v1alpha1", "v9")),
    ];
    let stage = Stage::with_objects(&files, RawApp::scripted());
    assert_eq!(calls(&stage), 1);
    let files = [("a.yaml", format!("{object}scopes: [other, caller]\n"))];
    let stage = Stage::with_objects(&files, RawApp::scripted());
    assert_eq!(calls(&stage), 2);
}
