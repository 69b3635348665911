//! An app that speaks gRPC in a pod: called over HTTP and over gRPC, and
//! guarded rpc by rpc. Names, streams and namespaces are in `pages`, restarts
//! in `rollout`.

use serde_json::{Value, json};

use super::home::{Home, app, grpc_app, to};
use super::policies::{BOUND, takes_effect_by, untouched};
use super::stage::{self, name};

const PERMISSION_DENIED: u32 = 7;
/// What `call-grpc` asks.
const RPC: &str = "/testing.Pods/Who";

#[test]
fn a_grpc_app_is_reached_over_http_and_grpc() {
    let stage = stage::shared();
    let home = Home::new(&stage, "grpc");
    home.run(&[grpc_app("callee"), app("caller")]);
    let answer = who(&home);
    assert_eq!(answer["code"], json!(0), "{answer}");
    let pod = home.pod("callee");
    assert_eq!(answer["headers"]["x-pod"], json!([name(&pod)]), "{answer}");
    let answer = home.call("caller", &["GET", &to("callee", "x")]);
    assert_eq!(answer["status"], json!(200), "{answer}");
    // The other way round nothing is proxied into an app that speaks HTTP.
    let answer = home.ask("callee", &["call-grpc", "caller"]);
    assert_ne!(answer["code"], json!(0), "{answer}");
    assert!(answer["code"].is_u64(), "{answer}");
}

#[test]
fn an_access_list_reaches_running_sidecars_rpc_by_rpc() {
    let stage = stage::shared();
    let home = Home::new(&stage, "rpcs");
    access(&home, "allow");
    home.run(&[
        grpc_app("callee").annotation("dapr.io/config", "guarded"),
        app("caller"),
    ]);
    assert_eq!(who(&home)["code"], json!(0));
    for (action, code) in [("deny", PERMISSION_DENIED), ("allow", 0)] {
        let code = code.to_string();
        let until = ["until-grpc", &code, "callee"];
        let took = takes_effect_by(&home, &until, || access(&home, action));
        println!("access list of an rpc to {action}: {} ms", took.as_millis());
        assert!(took <= BOUND, "{action} after {took:?}");
        // What the list does not name stays as it was.
        let other = home.call("caller", &["GET", &to("callee", "x")]);
        assert_eq!(other["status"], json!(200), "{other}");
    }
    untouched(&home.pod("callee"));
}

fn who(home: &Home<'_>) -> Value {
    home.ask("caller", &["call-grpc", "callee"])
}

fn access(home: &Home<'_>, action: &str) {
    home.resource(
        "Configuration",
        "guarded",
        json!({ "spec": { "accessControl": {
            "defaultAction": "allow",
            "trustDomain": "public",
            "policies": [{
                "appId": "caller",
                "defaultAction": "allow",
                "trustDomain": "public",
                "namespace": home.name(),
                "operations": [{ "name": RPC, "httpVerb": ["*"], "action": action }],
            }],
        } } }),
    );
}
