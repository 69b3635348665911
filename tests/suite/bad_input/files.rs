//! Configuration and resources that cannot be used, or only in part.

use tests::sidecar;

use super::assert_one_error_line;
use crate::table::Table;

/// How every configuration that cannot be used is reported.
const UNREADABLE: &str = "Fatal error from runtime: error loading configuration: ";

#[test]
fn configuration_that_cannot_be_read_is_fatal() {
    let directory = tempfile::TempDir::new().unwrap();
    let mut table = Table::default();
    for (name, text) in [
        ("not YAML", "spec: [unclosed"),
        ("a tab", "spec:\n\tmetrics: {}"),
        ("a list", "- a\n- b"),
        ("wrong type", "spec:\n  metrics:\n    enabled: perhaps"),
        ("wrong shape", "spec:\n  tracing: 5"),
        ("not UTF-8", "spec: \u{fffd}"),
    ] {
        table.row(name, || {
            let file = directory.path().join("config.yaml");
            if name == "not UTF-8" {
                std::fs::write(&file, b"spec: \xff\xfe").unwrap();
            } else {
                std::fs::write(&file, text).unwrap();
            }
            let sidecar = sidecar("misconfigured")
                .flag("config", file.to_str().unwrap())
                .start();
            sidecar.wait_for_code(1);
            let message = assert_one_error_line(sidecar.process());
            assert!(message.starts_with(UNREADABLE), "{message}");
        });
    }
}

#[test]
fn a_directory_as_configuration_is_fatal() {
    let directory = tempfile::TempDir::new().unwrap();
    let sidecar = sidecar("misled")
        .flag("config", directory.path().to_str().unwrap())
        .start();
    sidecar.wait_for_code(1);
    let message = assert_one_error_line(sidecar.process());
    assert!(message.starts_with(UNREADABLE), "{message}");
}

#[test]
fn configuration_with_unknown_keys_is_fine() {
    let sidecar = sidecar("lenient")
        .spec("future: {a: [1, 2]}")
        .spec("features: [{name: Unheard, enabled: true}]")
        .run();
    assert_eq!(sidecar.error_lines(), [] as [&str; 0]);
}

#[test]
fn other_resources_are_accepted_and_components_named() {
    let directory = tempfile::TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write(
        "statestore.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: statestore}\nspec: {type: state.redis, version: v1, metadata: [{name: redisHost, value: \"localhost:6379\"}]}\n---\napiVersion: dapr.io/v1alpha1\nkind: Subscription\nmetadata: {name: s}\n",
    );
    let sidecar = sidecar("tolerant")
        .flag("resources-path", directory.path().to_str().unwrap())
        .run();
    assert_eq!(sidecar.error_lines(), [] as [&str; 0]);
    let output = sidecar.stdout();
    let named = "Component not loaded: statestore (state.redis); ";
    assert_eq!(output.matches(named).count(), 1, "{output}");
}

#[test]
fn one_bad_resource_disables_only_itself() {
    let directory = tempfile::TempDir::new().unwrap();
    let bad = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: [\n";
    std::fs::write(directory.path().join("broken.yaml"), bad).unwrap();
    let sidecar = sidecar("isolated")
        .flag("resources-path", directory.path().to_str().unwrap())
        .run();
    tests::holds("a warning names the file", || {
        let output = sidecar.stdout();
        output
            .lines()
            .any(|line| line.contains("level=warning") && line.contains("broken.yaml"))
    });
    assert!(sidecar.exited().is_none());
}

#[test]
fn a_resolver_nobody_knows_is_an_error_but_not_fatal() {
    let app = tests::RawApp::scripted();
    let sidecar = sidecar("unresolved")
        .app(&app)
        .spec("nameResolution: {component: carrier-pigeon, version: v1}")
        .run();
    let lines = sidecar.error_lines();
    let [line] = &lines[..] else {
        panic!("one error line: {lines:?}");
    };
    assert!(
        line.contains(
            "[CREATE_COMPONENT_FAILURE]: initialization error occurred for carrier-pigeon ("
        ),
        "{line}"
    );
    sidecar.invoke("other", "x").expect(
        500,
        &crate::fidelity::refusal("other", "name resolver not initialized"),
    );
    sidecar.invoke("unresolved", "x").expect(200, "ok");
}
