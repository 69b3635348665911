//! Who finds whom.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tests::{GrpcApp, GrpcClient, GrpcRequest, RawApp, Sidecar, SidecarBuilder, holds};

use super::network::{Lan, Machine, Version, alone};
use crate::fidelity::refusal;

/// The time of a call that has to succeed at once.
#[track_caller]
fn first_call(machine: &Machine, caller: &Sidecar, app_id: &str) {
    let began = Instant::now();
    machine.call(caller, app_id).expect(200, "ok");
    println!("{app_id} was found and called in {:?}", began.elapsed());
}

#[test]
fn sidecars_on_three_machines_find_each_other() {
    alone(|| {
        let lan = Lan::new();
        let machines: [Machine; 3] = lan.machines();
        let apps = [0, 1, 2].map(|at: usize| machines[at].app());
        let ids = ["first", "second", "third"];
        let sidecars = [0, 1, 2].map(|at: usize| machines[at].serve(ids[at], &apps[at]));
        for from in 0..3 {
            for to in (0..3).filter(|to| *to != from) {
                first_call(&machines[from], &sidecars[from], ids[to]);
                assert_eq!(apps[to].take().len(), 1);
            }
        }
    });
}

#[test]
fn sidecars_on_one_machine_find_each_other() {
    alone(|| {
        let lan = Lan::new();
        let machine = lan.machine(Version::Both);
        let apps = [machine.app(), machine.app()];
        let _one = machine.serve("one", &apps[0]);
        let other = machine.serve("other", &apps[1]);
        first_call(&machine, &other, "one");
    });
}

#[test]
fn it_is_the_default_and_says_what_it_announces() {
    alone(|| {
        let lan = Lan::new();
        let machine = lan.machine(Version::Both);
        let sidecar = machine.with(|| {
            tests::sidecar("shop")
                .flag("dapr-internal-grpc-listen-address", "0.0.0.0")
                // Found out by itself.
                .env("DAPR_HOST_IP", "")
                // None: no other names are configured for it either.
                .env("DAPR_RUN_REGISTRY", "")
                .run()
        });
        sidecar.wait_for_output("Initialized name resolution to mdns");
        let entry = format!(
            "local service entry announced: shop -> {}:{}",
            machine.ipv4(),
            sidecar.internal()
        );
        sidecar.wait_for_output(&entry);
        assert_eq!(sidecar.stdout().matches("mDNS").count(), 0, "no warning");
    });
}

#[test]
fn all_instances_of_an_app_are_called() {
    alone(|| {
        let lan = Lan::new();
        let machines: [Machine; 3] = lan.machines();
        let apps = [machines[0].app(), machines[0].app(), machines[1].app()];
        // Two of them on one machine.
        let _callees = [(0, 0), (0, 1), (1, 2)]
            .map(|(machine, app): (usize, usize)| machines[machine].serve("callee", &apps[app]));
        let caller = machines[2].caller();
        holds("every instance was called", || {
            machines[2].call(&caller, "callee").expect(200, "ok");
            apps.iter().all(|app| !app.seen().is_empty())
        });
    });
}

/// A callee that is called, ends, and is called again elsewhere.
fn restart(end: impl Fn(&Sidecar), caller: impl Fn(SidecarBuilder) -> SidecarBuilder) {
    let lan = Lan::new();
    let [there, here]: [Machine; 2] = lan.machines();
    let app = there.app();
    let before = there.serve("callee", &app);
    let caller = here.with(|| caller(here.sidecar("caller")).run());
    here.call(&caller, "callee").expect(200, "ok");
    let port = before.internal();
    end(&before);
    let after = there.serve("callee", &app);
    assert_ne!(after.internal(), port);
    first_call(&here, &caller, "callee");
    for _ in 0..20 {
        here.call(&caller, "callee").expect(200, "ok");
    }
}

fn stop(callee: &Sidecar) {
    callee.signal(Signal::SIGTERM);
    callee.wait_for_code(0);
}

fn kill(callee: &Sidecar) {
    callee.kill();
}

#[test]
fn an_app_that_was_restarted_is_found_by_the_next_call() {
    alone(|| restart(stop, |caller| caller));
}

#[test]
fn an_app_that_was_killed_and_restarted_is_found_by_the_next_call() {
    alone(|| restart(kill, |caller| caller));
}

/// A user's policy counts tries on apps, not where names lag behind.
#[test]
fn a_killed_app_is_found_by_the_next_call_even_without_retries() {
    let resources = TempDir::new().unwrap();
    let policy = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {name: none}\n\
                  spec: {policies: {timeouts: {long: 60s}}, targets: {apps: {callee: {timeout: long}}}}\n";
    std::fs::write(resources.path().join("policy.yaml"), policy).unwrap();
    alone(|| {
        let folder = resources.path().to_str().unwrap();
        restart(kill, |caller| caller.flag("resources-path", folder));
    });
}

#[test]
fn a_killed_grpc_app_is_found_by_the_next_call() {
    alone(|| {
        let lan = Lan::new();
        let [there, here]: [Machine; 2] = lan.machines();
        let app = there.with(GrpcApp::kinds);
        let serve = || there.with(|| there.sidecar("callee").grpc_app(&app).run());
        let before = serve();
        let caller = here.caller();
        let call = || {
            let client = here.with(|| GrpcClient::connect(caller.grpc())).unwrap();
            let request = GrpcRequest::new("/testing.Kinds/Unary").to("callee");
            client.call(&request, &["hi"]).unwrap().expect_ok(&["hi"]);
        };
        call();
        before.kill();
        let _after = serve();
        let began = Instant::now();
        call();
        println!("callee was found and called in {:?}", began.elapsed());
    });
}

#[test]
fn an_app_that_stops_leaves_its_calls_to_the_others() {
    alone(|| {
        let lan = Lan::new();
        let machines: [Machine; 3] = lan.machines();
        let apps = [machines[0].app(), machines[1].app()];
        let leaving = machines[0].serve("callee", &apps[0]);
        let _staying = machines[1].serve("callee", &apps[1]);
        let caller = machines[2].caller();
        holds("both are known", || {
            machines[2].call(&caller, "callee").expect(200, "ok");
            apps.iter().all(|app| !app.seen().is_empty())
        });
        leaving.signal(Signal::SIGTERM);
        leaving.wait_for_code(0);
        apps[0].take();
        for _ in 0..20 {
            machines[2].call(&caller, "callee").expect(200, "ok");
        }
        assert_eq!(apps[0].take().len(), 0);
    });
}

#[test]
fn an_app_that_starts_late_is_found_by_the_next_call() {
    alone(|| {
        let lan = Lan::new();
        let [there, here]: [Machine; 2] = lan.machines();
        let caller = here.caller();
        let began = Instant::now();
        here.call(&caller, "late")
            .expect(500, &refusal("late", "couldn't find service: late"));
        println!("nobody was found for {:?}", began.elapsed());
        let app = there.app();
        let _late = there.serve("late", &app);
        first_call(&here, &caller, "late");
    });
}

#[test]
fn a_call_that_waits_finds_an_app_that_just_started() {
    alone(|| {
        let lan = Lan::new();
        let [there, here]: [Machine; 2] = lan.machines();
        let caller = here.caller();
        let app = there.app();
        let late = there.with(|| there.sidecar("late").app(&app).start());
        // No matter how long it takes: somebody always waits for its first word.
        holds("the new app is called", || {
            here.call(&caller, "late").status == 200
        });
        assert!(late.exited().is_none());
    });
}

fn of_version(version: Version) {
    let lan = Lan::new();
    let [there, here] = [lan.machine(version), lan.machine(version)];
    let app = there.app();
    let callee = there.serve("callee", &app);
    let caller = here.caller();
    first_call(&here, &caller, "callee");
    assert_eq!(callee.stdout().matches("mDNS").count(), 0, "no warning");
}

#[test]
fn ipv4_is_enough() {
    alone(|| of_version(Version::Four));
}

#[test]
fn ipv6_is_enough() {
    alone(|| of_version(Version::Six));
}

#[test]
fn a_loopback_address_is_announced_on_its_own_machine_only() {
    alone(|| {
        let lan = Lan::new();
        let [there, here]: [Machine; 2] = lan.machines();
        let local = |machine: &Machine, app: &RawApp| {
            machine.with(|| {
                let member = tests::sidecar("local").spec("nameResolution: {component: mdns}");
                member.app(app).run()
            })
        };
        let app = there.app();
        let _local = local(&there, &app);
        let [neighbour, stranger] = [there.caller(), here.caller()];
        first_call(&there, &neighbour, "local");
        here.call(&stranger, "local")
            .expect(500, &refusal("local", "couldn't find service: local"));
        assert_eq!(app.take().len(), 1);
    });
}

#[test]
fn what_cannot_be_announced_is_an_error_at_the_start() {
    alone(|| {
        let sidecar = tests::sidecar("shop")
            .flag("dapr-internal-grpc-listen-address", "localhost")
            .spec("nameResolution: {component: mdns}")
            .run();
        let lines = sidecar.error_lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let expected = "[CREATE_COMPONENT_FAILURE]: initialization error occurred for mdns \
                        (nameResolution/v1): failed to parse given IP: localhost";
        assert!(lines[0].contains(expected), "{}", lines[0]);
        sidecar
            .invoke("callee", "x")
            .expect(500, &refusal("callee", "name resolver not initialized"));
    });
}

/// Nor can a real one be found by such a name, but it finds others.
#[test]
fn an_app_with_a_name_too_long_for_mdns_finds_others() {
    alone(|| {
        let lan = Lan::new();
        let [there, here]: [Machine; 2] = lan.machines();
        let apps = [there.app(), here.app()];
        let callee = there.serve("callee", &apps[0]);
        let name = "x".repeat(64);
        let caller = here.serve(&name, &apps[1]);
        first_call(&here, &caller, "callee");
        caller.wait_for_output("this app is not announced, others do not find it by mDNS");
        assert_eq!(caller.stdout().matches("local service entry").count(), 0);
        there.call(&callee, &name).expect(
            500,
            &refusal(&name, &format!("couldn't find service: {name}")),
        );
        // Nobody has to be told that it goes.
        stop(&caller);
    });
}

/// Containers in the network of their host: one host name, process 1 each.
#[test]
fn instances_of_one_name_are_both_called() {
    alone(|| {
        let lan = Lan::new();
        let [there, here]: [Machine; 2] = lan.machines();
        let folder = TempDir::new().unwrap();
        let contained = folder.path().join("contained");
        let script = format!(
            "#!/bin/sh\nexec unshare --pid --fork --kill-child -- {} \"$@\"\n",
            tests::binaries::daprd().display()
        );
        std::fs::write(&contained, script).unwrap();
        std::fs::set_permissions(&contained, PermissionsExt::from_mode(0o755)).unwrap();
        let apps = [there.app(), there.app()];
        let twins = apps.each_ref().map(|app| {
            let twin = there.sidecar("twin").program(&contained).app(app);
            there.with(|| twin.run())
        });
        let caller = here.caller();
        let all_called = || {
            here.call(&caller, "twin").expect(200, "ok");
            apps.iter().all(|app| !app.seen().is_empty())
        };
        holds("both are called", all_called);
        for app in &apps {
            app.take();
        }
        holds("both still are", all_called);
        drop(twins);
    });
}
