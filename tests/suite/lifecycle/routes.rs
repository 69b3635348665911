//! APIs this product does not have: refused at once, and only by the methods
//! that Dapr registers for them.

use tests::{RawApp, Request, sidecar};

use crate::fidelity::error_body;
use crate::table::Table;

const ROUTES: &[(&str, &str)] = &[
    ("GET", "/v1.0/state/store/key"),
    ("POST", "/v1.0/state/store"),
    ("PUT", "/v1.0/state/store"),
    ("DELETE", "/v1.0/state/store/key"),
    ("POST", "/v1.0/state/store/bulk"),
    ("PUT", "/v1.0/state/store/bulk"),
    ("POST", "/v1.0/state/store/transaction"),
    ("POST", "/v1.0-alpha1/state/store/query"),
    ("POST", "/v1.0/publish/pubsub/topic"),
    ("POST", "/v1.0/publish/pubsub/topic/with/slashes"),
    ("POST", "/v1.0/publish/bulk/pubsub/topic"),
    ("POST", "/v1.0-alpha1/publish/bulk/pubsub/topic"),
    ("POST", "/v1.0/bindings/name"),
    ("GET", "/v1.0/secrets/store/key"),
    ("GET", "/v1.0/secrets/store/bulk"),
    ("GET", "/v1.0/configuration/store"),
    ("GET", "/v1.0/configuration/store/subscribe"),
    ("GET", "/v1.0/configuration/store/id/unsubscribe"),
    ("GET", "/v1.0-alpha1/configuration/store"),
    ("POST", "/v1.0/actors/type/id/state"),
    ("GET", "/v1.0/actors/type/id/state/key"),
    ("POST", "/v1.0/actors/type/id/method/name"),
    ("GET", "/v1.0/actors/type/id/reminders/name"),
    ("POST", "/v1.0/actors/type/id/reminders/name"),
    ("DELETE", "/v1.0/actors/type/id/timers/name"),
    ("GET", "/v1.0/workflows/component/id"),
    ("POST", "/v1.0/workflows/component/name/start"),
    ("POST", "/v1.0/workflows/component/id/terminate"),
    ("POST", "/v1.0/workflows/component/id/raiseEvent/event"),
    ("GET", "/v1.0-beta1/workflows/component/id"),
    ("POST", "/v1.0-beta1/workflows/component/name/start"),
    ("GET", "/v1.0/jobs/name"),
    ("POST", "/v1.0/jobs/name"),
    ("DELETE", "/v1.0/jobs/name"),
    ("GET", "/v1.0-alpha1/jobs/name"),
    ("POST", "/v1.0-alpha1/lock/store"),
    ("POST", "/v1.0-alpha1/unlock/store"),
    ("PUT", "/v1.0-alpha1/crypto/name/encrypt"),
    ("PUT", "/v1.0-alpha1/crypto/name/decrypt"),
    ("POST", "/v1.0-alpha1/conversation/name/converse"),
    ("POST", "/v1.0-alpha2/conversation/name/converse"),
];

#[test]
fn apis_out_of_scope_say_so() {
    let app = RawApp::scripted();
    let sidecar = sidecar("scoped").app(&app).run();
    let expected = error_body(
        "ERR_API_UNIMPLEMENTED",
        "this API is currently not implemented",
    );
    let mut table = Table::default();
    for (method, path) in ROUTES {
        table.row(&format!("{method} {path}"), || {
            // Such a route hides the app, whoever is named as target.
            let request = Request::new(method, path).header("dapr-app-id", "scoped");
            let answer = sidecar.send(&request);
            answer.expect(501, &expected);
            assert_eq!(answer.header("content-type"), Some("application/json"));
        });
    }
    assert_eq!(app.take().len(), 0);
}

#[test]
fn other_methods_of_those_paths_reach_the_app() {
    let app = RawApp::scripted();
    let sidecar = sidecar("passing").app(&app).run();
    let mut table = Table::default();
    for (method, path) in [
        ("PATCH", "/v1.0/state/store/key"),
        ("GET", "/v1.0/publish/pubsub/topic"),
        ("POST", "/v1.0/secrets/store/key"),
        ("GET", "/v1.0-alpha1/lock/store"),
        ("GET", "/v1.0/nothing/like/it"),
    ] {
        table.row(&format!("{method} {path}"), || {
            let request = Request::new(method, path).header("dapr-app-id", "passing");
            sidecar.send(&request).expect(200, "ok");
            assert_eq!(app.take_one().target, path);
        });
    }
}
