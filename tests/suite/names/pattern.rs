//! Names made from a pattern instead of looked up.

use tests::{RawApp, ports, sidecar};

#[test]
fn a_name_format_is_the_address() {
    let app = RawApp::scripted();
    let port = ports::reserve();
    // The id is the one thing a pattern can vary, so here it is the port.
    let id = port.to_string();
    let _callee = sidecar(&id).app(&app).internal_port(port).run();
    let caller = sidecar("caller")
        .spec("nameResolution: {component: nameformat, version: v1, configuration: {format: \"127.0.0.1:{appid}\"}}")
        .run();
    caller.wait_for_output("Initialized name resolution to nameformat");
    caller.invoke(&id, "x").expect(200, "ok");
}

#[test]
fn a_name_format_without_an_app_id_is_refused() {
    let caller = sidecar("caller")
        .spec("nameResolution: {component: nameformat, version: v1, configuration: {format: \"nowhere\"}}")
        .run();
    let lines = caller.error_lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0]
            .contains("[CREATE_COMPONENT_FAILURE]: initialization error occurred for nameformat ("),
        "{}",
        lines[0]
    );
}

#[test]
fn a_kubernetes_name_is_a_service() {
    let caller = sidecar("caller")
        .spec("nameResolution: {component: kubernetes, version: v1, configuration: {clusterDomain: test.invalid}}")
        .run();
    let answer = caller.invoke("callee.north", "x");
    assert_eq!(answer.status, 500, "{answer:?}");
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("failed to invoke, id: callee.north, err: failed to resolve address for 'callee-dapr.north.svc.test.invalid': "),
        "{message}"
    );
}
