//! The run registry beside mDNS, and networks without multicast.

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tests::{Sidecar, SidecarBuilder, holds};

use super::network::{Lan, Machine, Version, alone};
use super::wire::{is_query_for, packets_until};
use crate::fidelity::refusal;

/// A sidecar as `dapr run` starts it.
fn member(machine: &Machine, app_id: &str, registry: &TempDir) -> SidecarBuilder {
    machine
        .sidecar(app_id)
        .env("DAPR_RUN_REGISTRY", registry.path().to_str().unwrap())
}

/// The warnings about mDNS in a log.
fn warnings(sidecar: &Sidecar) -> Vec<String> {
    sidecar.wait_until_logged();
    let log = sidecar.stdout();
    let lines = log
        .lines()
        .filter(|line| line.contains("mDNS is not available"));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_bare_sidecar_elsewhere_is_found_by_one_with_a_registry() {
    alone(|| {
        let lan = Lan::new();
        let [there, here]: [Machine; 2] = lan.machines();
        let registry = TempDir::new().unwrap();
        let apps = [there.app(), here.app()];
        let bare = there.serve("bare", &apps[0]);
        let member = here.with(|| member(&here, "member", &registry).app(&apps[1]).run());
        here.call(&member, "bare").expect(200, "ok");
        // And the other way round.
        there.call(&bare, "member").expect(200, "ok");
    });
}

#[test]
fn an_app_of_the_registry_is_not_asked_for() {
    alone(|| {
        let lan = Lan::new();
        let [elsewhere, here]: [Machine; 2] = lan.machines();
        let ears = elsewhere.listen();
        let registry = TempDir::new().unwrap();
        let app = here.app();
        let _callee = here.with(|| member(&here, "callee", &registry).app(&app).run());
        let caller = here.with(|| member(&here, "caller", &registry).run());
        here.call(&caller, "callee").expect(200, "ok");
        // The question about an unknown app is the last one heard.
        assert_eq!(here.call(&caller, "unknown").status, 500);
        let heard = packets_until(&ears, |packet| is_query_for(packet, "unknown"));
        assert!(!heard.iter().any(|packet| is_query_for(packet, "callee")));
    });
}

/// Two apps of one run that must do without multicast.
#[track_caller]
fn carries_on(here: &Machine, reason: &str) {
    let registry = TempDir::new().unwrap();
    let app = here.app();
    let _callee = here.with(|| member(here, "callee", &registry).app(&app).run());
    let caller = here.with(|| member(here, "caller", &registry).run());
    here.call(&caller, "callee").expect(200, "ok");
    here.call(&caller, "unknown")
        .expect(500, &refusal("unknown", "couldn't find service: unknown"));
    holds("the user is told", || !warnings(&caller).is_empty());
    let told = warnings(&caller);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("level=warning"), "{}", told[0]);
    assert!(told[0].contains(reason), "{}", told[0]);
    assert!(
        told[0].contains("only apps that dapr run started on this machine find each other"),
        "{}",
        told[0]
    );
    caller.signal(Signal::SIGTERM);
    caller.wait_for_code(0);
}

#[test]
fn the_registry_carries_on_with_loopback_only() {
    alone(|| {
        let lan = Lan::new();
        let machine = lan.unplugged(Version::Both);
        machine.ip(&format!("address add {}/24 dev lo", machine.ipv4()));
        carries_on(&machine, "no network interface with multicast is up");
    });
}

#[test]
fn the_registry_carries_on_without_multicast() {
    alone(|| {
        let lan = Lan::new();
        let machine = lan.machine(Version::Both);
        machine.ip("link set eth0 multicast off");
        carries_on(&machine, "no network interface with multicast is up");
    });
}

#[test]
fn the_registry_carries_on_when_multicast_is_dropped() {
    alone(|| {
        let lan = Lan::new();
        let machine = lan.machine(Version::Four);
        // As a firewall does: without a word.
        machine.ip("xfrm policy add src 0.0.0.0/0 dst 224.0.0.251/32 dir in action block");
        carries_on(&machine, "multicast packets do not arrive on eth0");
    });
}

#[test]
fn the_registry_carries_on_when_another_program_has_the_port() {
    alone(|| {
        let lan = Lan::new();
        let machine = lan.machine(Version::Four);
        // It does not share.
        let _ears = machine.listen();
        carries_on(
            &machine,
            "another program has UDP port 5353 for itself alone",
        );
    });
}

#[test]
fn a_sidecar_without_multicast_starts_and_says_how_to_go_on() {
    alone(|| {
        let lan = Lan::new();
        let machine = lan.unplugged(Version::Both);
        machine.ip(&format!("address add {}/24 dev lo", machine.ipv4()));
        let sidecar = machine.caller();
        let told = warnings(&sidecar);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains(
                "start apps with dapr run, or set spec.nameResolution.component to sqlite"
            ),
            "{}",
            told[0]
        );
        machine
            .call(&sidecar, "callee")
            .expect(500, &refusal("callee", "couldn't find service: callee"));
    });
}

#[test]
fn an_interface_that_comes_later_is_used() {
    alone(|| {
        let lan = Lan::new();
        let there = lan.machine(Version::Both);
        let here = lan.unplugged(Version::Both);
        let apps = [there.app(), here.app()];
        let elsewhere = there.serve("elsewhere", &apps[0]);
        let late = here.serve("late", &apps[1]);
        assert_eq!(here.call(&late, "elsewhere").status, 500);
        lan.plug(&here);
        holds("the other is found", || {
            here.call(&late, "elsewhere").status == 200
        });
        late.wait_for_output("mDNS is available on eth0");
        there.call(&elsewhere, "late").expect(200, "ok");
        // And one that goes and comes back.
        here.ip("link delete eth0");
        lan.plug(&here);
        holds("the other is found again", || {
            here.call(&late, "elsewhere").status == 200
        });
    });
}
