//! A real Dapr on the other side: calls in both directions over mTLS, names
//! in one SQLite file, identities from either sentry.
//!
//! `cargo xtask test` runs it where `FOREIGN_DAPRD_BIN` and
//! `FOREIGN_SENTRY_BIN` name one, and says that it was left out elsewhere.

mod grpc;
mod jwks;
mod mdns;

use std::path::PathBuf;

use tests::binaries::foreign;
use tests::{After, Mesh, RawApp, Request, Sidecar, invoke_path};

/// Two apps, one behind our sidecar and one behind a real one.
struct Pair {
    _mesh: Mesh,
    our_app: RawApp,
    their_app: RawApp,
    ours: Sidecar,
    theirs: Sidecar,
}

/// Who calls whom.
struct Side<'a> {
    name: &'static str,
    caller: &'a Sidecar,
    app: &'a RawApp,
    callee: &'static str,
}

fn given() -> (PathBuf, PathBuf) {
    foreign().expect("FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN name a real Dapr")
}

impl Pair {
    fn new(mesh: Mesh, daprd: &std::path::Path) -> Self {
        let (our_app, their_app) = (RawApp::scripted(), RawApp::scripted());
        Self {
            ours: mesh.sidecar("ours").app(&our_app).run(),
            theirs: mesh.sidecar("theirs").program(daprd).app(&their_app).run(),
            our_app,
            their_app,
            _mesh: mesh,
        }
    }

    fn sides(&self) -> [Side<'_>; 2] {
        [
            Side {
                name: "ours calls theirs",
                caller: &self.ours,
                app: &self.their_app,
                callee: "theirs",
            },
            Side {
                name: "theirs calls ours",
                caller: &self.theirs,
                app: &self.our_app,
                callee: "ours",
            },
        ]
    }
}

fn exchange(pair: &Pair) {
    for side in pair.sides() {
        let target = |method: &str| invoke_path(side.callee, method);
        side.app.take();
        Request::post(&target("orders/new?a=%20&b"), "hello")
            .header("x-multi", "1")
            .header("x-multi", "2")
            .header("dapr-caller-app-id", "spoofed")
            .send(side.caller.http())
            .expect(200, "ok");
        let seen = side.app.take_one();
        assert_eq!(seen.target, "/orders/new?a=%20&b", "{}", side.name);
        assert_eq!(seen.values("x-multi"), ["1", "2"], "{}", side.name);
        assert!(
            seen.values("dapr-caller-app-id")
                .contains(&side.caller.app_id()),
            "{}: {:?}",
            side.name,
            seen.values("dapr-caller-app-id")
        );
        for size in [0, 1, 2048, 2049, 70_000, 3_000_000] {
            let body = vec![b'x'; size];
            Request::post(&target("sized"), &body)
                .send(side.caller.http())
                .expect(200, "ok");
            assert_eq!(side.app.take_one().body.len(), size, "{} {size}", side.name);
            // An empty chunk would end the body.
            let halves: Vec<_> = body.chunks((size / 2).max(1)).collect();
            Request::new("POST", &target("chunked"))
                .chunked(&halves)
                .send(side.caller.http())
                .expect(200, "ok");
            assert_eq!(side.app.take_one().body.len(), size, "{} {size}", side.name);
        }
        for status in [201, 204, 304, 404, 409, 503] {
            side.app.script(
                format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nX-Kept: yes\r\n\r\n"),
                After::Keep,
            );
            let answer = Request::get(&target("status")).send(side.caller.http());
            assert_eq!(answer.status, status, "{}", side.name);
            assert_eq!(answer.header("x-kept"), Some("yes"), "{}", side.name);
        }
    }
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn identities_from_our_sentry_serve_a_real_sidecar() {
    exchange(&Pair::new(Mesh::mtls(), &given().0));
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn identities_from_a_real_sentry_serve_our_sidecar() {
    let (daprd, sentry) = given();
    exchange(&Pair::new(Mesh::mtls_by(&sentry), &daprd));
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn plaintext_works_with_a_real_sidecar() {
    exchange(&Pair::new(Mesh::plain(), &given().0));
}
