//! Several instances of one app: each gets its share, and the loss of one
//! loses no call that may be repeated.

mod ending;
mod load;

use std::time::Duration;

use nix::sys::signal::Signal;
use tests::{Mesh, RawApp, Sidecar};

use load::{Load, Verdict};

struct Scene {
    _mesh: Mesh,
    apps: [RawApp; 2],
    replicas: [Sidecar; 2],
    caller: Sidecar,
}

/// Answers with the id of the call, after the time an app takes: a replica
/// that is lost should have calls in hand.
fn app() -> RawApp {
    const WORK: Duration = Duration::from_millis(10);
    RawApp::new(|exchange| {
        exchange.body();
        std::thread::sleep(WORK);
        let id = exchange.header("x-id").unwrap_or_default();
        exchange.ok(id);
    })
}

fn scene() -> Scene {
    let mesh = Mesh::mtls();
    let apps = [app(), app()];
    let replicas = [&apps[0], &apps[1]].map(|app| mesh.sidecar("callee").app(app).run());
    let caller = mesh.sidecar("caller").run();
    Scene {
        _mesh: mesh,
        apps,
        replicas,
        caller,
    }
}

impl Scene {
    /// 200 calls per second; after the first second the fault happens.
    fn verdict(&self, what: &str, fault: impl FnOnce(&Sidecar)) -> Verdict {
        let load = Load::start(self.caller.http(), "callee", 4);
        load.wait_for(200);
        fault(&self.replicas[0]);
        let outcomes = load.finish();
        let verdict = Verdict::of(&outcomes, &self.apps);
        println!("{what}: {verdict}");
        verdict
    }
}

#[test]
fn each_replica_gets_its_share() {
    let scene = scene();
    let mut client = tests::RawClient::connect(scene.caller.http());
    for id in 0..300 {
        let request =
            tests::Request::get(&tests::invoke_path("callee", "x")).header("x-id", &id.to_string());
        client.call(&request).unwrap().expect(200, &id.to_string());
    }
    let shares = [scene.apps[0].take().len(), scene.apps[1].take().len()];
    assert_eq!(shares[0] + shares[1], 300, "{shares:?}");
    assert!(shares.iter().all(|&share| share >= 90), "{shares:?}");
}

#[test]
fn a_killed_replica_loses_no_idempotent_call() {
    let scene = scene();
    let verdict = scene.verdict("SIGKILL", |replica| replica.kill());
    assert_eq!(verdict.failed_gets, [] as [String; 0]);
    assert_eq!(verdict.lost, 0, "answered, but no app saw them");
}

#[test]
fn a_frozen_replica_loses_no_idempotent_call() {
    let scene = scene();
    let verdict = scene.verdict("SIGSTOP", |replica| replica.signal(Signal::SIGSTOP));
    assert_eq!(verdict.failed_gets, [] as [String; 0]);
    assert_eq!(verdict.lost, 0, "answered, but no app saw them");
}

#[test]
fn a_drained_replica_loses_and_repeats_nothing() {
    let scene = scene();
    let verdict = scene.verdict("SIGTERM", |replica| replica.signal(Signal::SIGTERM));
    scene.replicas[0].wait_for_code(0);
    assert_eq!(verdict.failed_gets, [] as [String; 0]);
    assert_eq!(verdict.failed_posts, [] as [String; 0]);
    assert_eq!((verdict.duplicated, verdict.lost), (0, 0));
}

#[test]
fn a_replica_that_comes_back_gets_calls_again() {
    let scene = scene();
    let call = || scene.caller.invoke("callee", "x").status;
    scene.replicas[0].signal(Signal::SIGSTOP);
    for _ in 0..20 {
        assert_eq!(call(), 200);
    }
    scene.apps[0].take();
    scene.replicas[0].signal(Signal::SIGCONT);
    tests::holds("the replica is called again", || {
        assert_eq!(call(), 200);
        !scene.apps[0].take().is_empty()
    });
}

#[test]
fn a_new_replica_is_found() {
    let mesh = Mesh::mtls();
    let apps = [app(), app()];
    let _first = mesh.sidecar("callee").app(&apps[0]).run();
    let caller = mesh.sidecar("caller").run();
    assert_eq!(caller.invoke("callee", "x").status, 200);
    let _second = mesh.sidecar("callee").app(&apps[1]).run();
    tests::holds("the second replica is called", || {
        assert_eq!(caller.invoke("callee", "x").status, 200);
        !apps[1].take().is_empty()
    });
}

#[test]
fn a_replica_whose_app_is_gone_is_passed_over() {
    let scene = scene();
    scene.apps[0].stop();
    // The callee says that its app was never reached: another may be tried,
    // whatever the method.
    for id in 0..40 {
        let request = tests::Request::post(&tests::invoke_path("callee", "x"), "body")
            .header("x-id", &id.to_string());
        scene.caller.send(&request).expect(200, &id.to_string());
    }
    assert_eq!(scene.apps[1].take().len(), 40);
}

/// Calls one after the other until this many in a row reached only `app`.
fn only_reaches(scene: &Scene, app: usize, calls: usize) {
    let mut client = tests::RawClient::connect(scene.caller.http());
    let request = tests::Request::get(&tests::invoke_path("callee", "x")).header("x-id", "1");
    tests::holds("all calls go to one replica", || {
        scene.apps.iter().for_each(|app| drop(app.take()));
        for _ in 0..calls {
            client.call(&request).unwrap().expect(200, "1");
        }
        scene.apps[app].take().len() == calls
    });
}

#[test]
fn a_replica_whose_pod_is_ended_is_left_while_it_still_serves() {
    let scene = scene();
    // Connections that stand are told; whoever connects later is served.
    tests::holds("both replicas are called", || {
        assert_eq!(scene.caller.invoke("callee", "x").status, 200);
        scene.apps.iter().all(|app| !app.seen().is_empty())
    });
    scene.replicas[0].signal(Signal::SIGUSR1);
    scene.replicas[0].wait_for_output("the pod is being ended");
    only_reaches(&scene, 1, 24);
    // It goes on with its own app and for whoever knows no other replica.
    scene.replicas[1].kill();
    only_reaches(&scene, 0, 3);
}

#[test]
fn a_pod_that_is_ended_sends_callers_elsewhere_once_its_app_is_gone() {
    let mesh = Mesh::mtls();
    let app = app();
    let replica = mesh.sidecar("callee").app(&app).run();
    let caller = mesh.sidecar("caller").run();
    assert_eq!(caller.invoke("callee", "x").status, 200);
    replica.signal(Signal::SIGUSR1);
    replica.wait_for_output("the pod is being ended");
    drop(app);
    // Tried again and again, as it may be answered by a pod that stays.
    let answer = caller.invoke("callee", "x");
    assert_eq!(answer.status, 500);
    let text = answer.text();
    assert!(text.contains("after 3 retries"), "{text}");
    assert!(text.contains("code = Unavailable"), "{text}");
}
