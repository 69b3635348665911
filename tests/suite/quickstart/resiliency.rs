//! The policies of `examples/resources`: orders wait while their callee is
//! away.

use super::python::PYTHON;
use super::readme::Readme;
use super::runner::{Frozen, PASSED, Quickstart, RECEIVED, Stage, assert_says, numbers};

const PATIENT: Quickstart = Quickstart {
    callee: "dapr run --app-port 8001 --app-id order-processor --resources-path ../../resources/ --app-protocol http --dapr-http-port 3501 -- python3 app.py",
    caller: "dapr run --app-id checkout --resources-path ../../resources/ --app-protocol http --dapr-http-port 3500 -- python3 app.py",
    ..PYTHON
};

/// Ctrl-C, in the terminal of an app.
fn interrupt(stage: &Stage, app_id: &str) {
    let list: serde_json::Value =
        serde_json::from_str(&stage.run_own("dapr list -o json")).unwrap();
    let mut instances = list.as_array().unwrap().iter();
    let instance = instances.find(|instance| instance["appId"] == app_id);
    stage.run_own(&format!("kill -INT {}", instance.unwrap()["cliPid"]));
}

#[test]
fn orders_wait_while_their_callee_is_away() {
    let mut stage = PATIENT.stage();
    stage.readme = Readme::of(&stage.room.example("resources"));
    let away = PATIENT.start_callee(&stage);
    let caller = stage.start("checkout", PATIENT.caller);
    caller.wait_for_output("== APP == Order passed: {\"orderId\": 3}");
    // However long that takes, there are orders left.
    let frozen = Frozen::app(&caller, PATIENT.caller);
    interrupt(&stage, "order-processor");
    away.wait_for_code(0);
    drop(frozen);
    caller.wait_for_output("Error processing operation");
    let back = PATIENT.start_callee(&stage);
    caller.wait_for_code(0);

    let output = caller.stdout();
    assert_says(&output, stage.readme.output("", 0));
    assert_says(&output, stage.readme.output("", 1));
    assert_eq!(numbers(&output, "== APP == ", PASSED), PATIENT.all());
    interrupt(&stage, "order-processor");
    back.wait_for_code(0);
    let mut received = Vec::new();
    for callee in [away, back] {
        received.extend(numbers(&callee.stdout(), "== APP == ", RECEIVED));
    }
    // The answer to an order may have been lost with the callee.
    received.dedup();
    assert_eq!(received, PATIENT.all());
    stage.room.assert_empty();
}
