//! Changes reach the sidecars they concern, and nobody else.

use api::operator::v1::{
    ConfigurationUpdateEvent, ResiliencyUpdateEvent, ResiliencyUpdateRequest, ResourceEventType,
};
use nix::sys::signal::Signal;
use prost::Message;
use serde_json::{Value, json};
use tests::peer::Rpc;

use super::{Home, Operator, method};

const UNAVAILABLE: u32 = 14;

#[track_caller]
fn open(operator: &Operator, home: &Home, app_id: &str, name: &str) -> Rpc {
    let client = operator.connect(&home.app(app_id));
    let mut rpc = client.open(&method(name), &[]).unwrap();
    // All requests have the namespace as their first field.
    rpc.send(&ResiliencyUpdateRequest {
        namespace: home.apps.clone(),
    })
    .unwrap();
    rpc.finish();
    rpc.opened().unwrap();
    rpc
}

/// The next event: its type, the object's name, and the object.
#[track_caller]
fn next(rpc: &mut Rpc) -> (ResourceEventType, String, Value) {
    let message = rpc.receive().unwrap().expect("the stream goes on");
    // All events are an object and a type.
    let event = ResiliencyUpdateEvent::decode(message).unwrap();
    let object: Value = serde_json::from_slice(&event.resiliency).unwrap();
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    (event.r#type(), name, object)
}

fn policy(timeout: &str, scopes: &[&str]) -> Value {
    json!({
        "spec": { "policies": { "timeouts": { "fast": timeout } }, "targets": {} },
        "scopes": scopes,
    })
}

#[test]
fn changes_arrive_as_the_scopes_of_each_app_have_it() {
    use ResourceEventType::{Created, Deleted, Updated};
    let home = Home::new("changes");
    let operator = home.operator();
    home.resource("Resiliency", "before", &policy("1s", &[]));
    let mut cart = open(&operator, &home, "cart", "ResiliencyUpdate");
    let mut other = open(&operator, &home, "other", "ResiliencyUpdate");
    let path = home.path("resiliencies", "shared");
    let api = home.bare.api();

    home.resource("Resiliency", "shared", &policy("1s", &[]));
    // `before` may come first or not at all: the stream may be older.
    let first = |rpc: &mut Rpc| loop {
        let event = next(rpc);
        if event.1 == "shared" {
            return event;
        }
    };
    let (kind, _, object) = first(&mut cart);
    assert_eq!(kind, Created);
    let mut stored = api.get(&path).unwrap();
    stored["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    assert_eq!(object, stored);
    assert_eq!(first(&mut other).0, Created);

    api.patch(&path, &policy("2s", &["cart"]));
    let (kind, _, object) = next(&mut cart);
    assert_eq!(kind, Updated);
    assert_eq!(object["spec"]["policies"]["timeouts"]["fast"], "2s");
    // Out of scope: gone, as it was.
    let (kind, _, object) = next(&mut other);
    assert_eq!(kind, Deleted);
    assert_eq!(object["spec"]["policies"]["timeouts"]["fast"], "1s");

    api.patch(&path, &policy("3s", &["other"]));
    assert_eq!(next(&mut cart).0, Deleted);
    assert_eq!(next(&mut other).0, Created);
    api.delete(&path);
    let (kind, _, object) = next(&mut other);
    assert_eq!(kind, Deleted);
    assert_eq!(object["spec"]["policies"]["timeouts"]["fast"], "3s");
    // Nothing of all this concerned the other one, and this does.
    home.resource("Resiliency", "marker", &policy("1s", &["cart"]));
    let (kind, name, _) = next(&mut cart);
    assert_eq!((kind, name.as_str()), (Created, "marker"));
}

#[test]
fn an_app_hears_of_its_own_configuration_only() {
    let home = Home::new("assigned");
    let operator = home.operator();
    for (app, config) in [("cart", "mine"), ("bare", "")] {
        home.apply(&json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": app, "namespace": home.apps,
                "labels": { "dapr.io/app-id": app },
                "annotations": { "dapr.io/enabled": "true", "dapr.io/app-id": app, "dapr.io/config": config },
            },
            "spec": { "containers": [{ "name": "app", "image": "app:1" }] },
        }));
    }
    let mut cart = open(&operator, &home, "cart", "ConfigurationUpdate");
    let mut bare = open(&operator, &home, "bare", "ConfigurationUpdate");
    let spec = |rate: &str| json!({ "spec": { "tracing": { "samplingRate": rate } } });
    home.resource("Configuration", "theirs", &spec("1"));
    home.resource("Configuration", "mine", &spec("1"));
    home.resource("Configuration", "theirs", &spec("0.5"));
    home.resource("Configuration", "mine", &spec("0.5"));
    let mut rates = Vec::new();
    while rates.last().is_none_or(|rate| rate != "0.5") {
        let message = cart.receive().unwrap().expect("the stream goes on");
        let event = ConfigurationUpdateEvent::decode(message).unwrap();
        let object: Value = serde_json::from_slice(&event.configuration).unwrap();
        assert_eq!(object["metadata"]["name"], "mine");
        rates.push(
            object["spec"]["tracing"]["samplingRate"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    assert!(rates.len() <= 2, "{rates:?}");

    // On the way out streams end first, with a code that says to come again.
    operator.process.signal(Signal::SIGTERM);
    operator.process.wait_for_code(0);
    assert_eq!(bare.receive().unwrap(), None);
    assert_eq!(bare.answer().unwrap().code(), UNAVAILABLE);
}

#[test]
fn kinds_that_are_not_served_are_silent() {
    let home = Home::new("silent");
    let operator = home.operator();
    let streams = [
        "SubscriptionUpdate",
        "MCPServerUpdate",
        "WorkflowAccessPolicyUpdate",
    ]
    .map(|name| open(&operator, &home, "cart", name));
    operator.process.signal(Signal::SIGTERM);
    operator.process.wait_for_code(0);
    for stream in streams {
        let answer = stream.answer().unwrap();
        assert_eq!(answer.messages.len(), 0);
        assert_eq!(answer.code(), UNAVAILABLE);
    }
}
