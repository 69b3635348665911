//! The tutorial hello-world: its commands, with programs of the same shape.
//! The state store that its node app needs is a stand-in beside it.

use tests::{Process, binaries, holds};

use super::javascript;
use super::python;
use crate::room::{Room, copy};

const NODE: &str = "dapr run --app-id nodeapp --app-port 3000 --dapr-http-port 3500 env DAPR_HTTP_PORT=3999 node app.js";
const PYTHON: &str = "dapr run --app-id pythonapp python3 app.py";
/// The same without the stand-in.
const NODE_ALONE: &str =
    "dapr run --app-id nodeapp --app-port 3000 --dapr-http-port 3500 node app.js";
const URL: &str = "http://localhost:3500/v1.0/invoke/nodeapp/method";

/// What a command of the tutorial prints.
fn run(room: &Room, line: &str) -> String {
    let (status, out, err) = room.run(&room.home().join("node"), line);
    assert!(status.success(), "{line}: {out}{err}");
    out
}

/// A room with both programs and all they need.
fn furnished() -> Room {
    let mut room = Room::new(&[&python::environment().join("bin")]);
    room.set("ORDER_PAUSE_SECONDS", "0.1");
    let programs = binaries::checkout().join("tests/suite/quickstart/hello-world");
    copy(&programs, room.home(), &[]);
    let modules = javascript::packages().join("order-processor/node_modules");
    std::os::unix::fs::symlink(modules, room.home().join("node/node_modules")).unwrap();
    run(&room, "dapr init");
    room
}

fn start_store(room: &Room) -> Process {
    let store = room.start(room.home(), "exec python3 store.py 3999");
    store.wait_for_output("ready");
    store
}

/// Fails unless the lines are said in this order.
fn assert_in_order(output: &str, lines: &[&str]) {
    let mut rest = output;
    for line in lines {
        let found = rest.split_once(line);
        (_, rest) = found.unwrap_or_else(|| panic!("no {line:?} in its place:\n{output}"));
    }
}

#[test]
fn hello_world_runs_by_its_commands() {
    let room = furnished();
    let store = start_store(&room);
    let node = room.start(&room.home().join("node"), NODE);
    node.wait_for_output("You're up and running! Both Dapr and your app logs will appear here.");
    node.wait_for_output("dapr initialized. Status: Running.");
    places_orders(&room, &node);

    let python = room.start(&room.home().join("python"), PYTHON);
    node.wait_for_output("== APP == Got a new order! Order ID: 3\n");
    for (app_id, app) in [("pythonapp", &python), ("nodeapp", &node)] {
        let out = run(&room, &format!("dapr stop --app-id {app_id}"));
        assert_eq!(out, format!("✅  app stopped successfully: {app_id}\n"));
        app.wait_for_code(0);
        assert_in_order(
            &app.stdout(),
            &["Exited Dapr successfully", "Exited App successfully"],
        );
    }
    assert!(!python.stdout().contains("== APP == HTTP 500"));
    drop(store);
    room.assert_empty();
}

#[test]
fn hello_world_without_a_state_store_is_told_why_once() {
    let room = furnished();
    let node = room.start(&room.home().join("node"), NODE_ALONE);
    node.wait_for_output("dapr initialized. Status: Running.");
    let post = format!(
        "curl --write-out '%{{http_code}}' -d @sample.json -H Content-Type:application/json {URL}/neworder"
    );
    let failed = "{\"message\":\"Failed to persist state.\"}500";
    let why =
        "/v1.0/state/* was called and is answered with 501: only service invocation is served";
    for _ in 0..2 {
        assert_eq!(run(&room, &post), failed);
        node.wait_for_output(why);
    }
    run(&room, "dapr stop --app-id nodeapp");
    node.wait_for_code(0);
    assert_eq!(node.stdout().matches(why).count(), 1);
    room.assert_empty();
}

/// By the tool and by curl; then asks for the last one.
fn places_orders(room: &Room, node: &Process) {
    let invoke = "dapr invoke --app-id nodeapp --method neworder --data-file sample.json";
    assert_eq!(run(room, invoke), "✅  App invoked successfully\n");
    let header = "-H Content-Type:application/json";
    run(
        room,
        &format!("curl -XPOST -d @sample.json {header} {URL}/neworder"),
    );
    assert_eq!(
        run(room, &format!("curl {URL}/order")),
        "{\"orderId\":\"42\"}"
    );
    assert_eq!(
        run(
            room,
            "dapr invoke --app-id nodeapp --method order --verb GET"
        ),
        "{\"orderId\":\"42\"}\n✅  App invoked successfully\n"
    );
    let order = [
        "== APP == Got a new order! Order ID: 42",
        "== APP == Successfully persisted state.",
    ];
    // What the app prints before it answers may still be on its way.
    let [_, persisted] = order;
    holds("both are logged", || {
        node.stdout().matches(persisted).count() == 2
    });
    assert_in_order(&node.stdout(), &[order, order].concat());
}
