//! A real sidecar and ours find each other by mDNS.

use nix::sys::signal::Signal;
use tests::{Ca, RawApp, Sidecar, SidecarBuilder, sentry};

use super::given;
use crate::mdns::network::{Lan, Machine, Version, alone};

/// Starts ours, or the one of `program`, in front of an app.
fn serve(machine: &Machine, member: SidecarBuilder, app: &RawApp) -> Sidecar {
    machine.with(|| member.app(app).run())
}

#[track_caller]
fn call(machine: &Machine, caller: &Sidecar, callee: &str, app: &RawApp) {
    machine.call(caller, callee).expect(200, "ok");
    assert_eq!(app.take().len(), 1);
}

/// Calls in both directions between two machines, which may be the same.
fn exchange(here: &Machine, there: &Machine, secure: impl Fn(SidecarBuilder) -> SidecarBuilder) {
    let (daprd, _) = given();
    let (our_app, their_app) = (here.app(), there.app());
    let ours = serve(here, here.with(|| secure(here.sidecar("ours"))), &our_app);
    let member = there.with(|| secure(there.sidecar("theirs")));
    let theirs = serve(there, member.program(&daprd), &their_app);
    call(here, &ours, "theirs", &their_app);
    call(there, &theirs, "ours", &our_app);
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn plaintext_between_machines() {
    alone(|| {
        let lan = Lan::new();
        let [here, there]: [Machine; 2] = lan.machines();
        exchange(&here, &there, |member| member);
    });
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn mtls_between_machines() {
    alone(|| {
        let lan = Lan::new();
        let [here, there]: [Machine; 2] = lan.machines();
        let ca = Ca::new();
        // One root; each machine reaches a sentry on its own loopback.
        let sentries = [
            here.with(|| sentry(&ca).port(9001).run()),
            there.with(|| sentry(&ca).program(&given().1).port(9001).run()),
        ];
        exchange(&here, &there, |member| {
            member.mtls_at(9001, sentries[0].anchors())
        });
    });
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn both_on_one_machine_share_the_port() {
    alone(|| {
        let lan = Lan::new();
        let machine = lan.machine(Version::Both);
        exchange(&machine, &machine, |member| member);
    });
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn ipv4_alone() {
    alone(|| {
        let lan = Lan::new();
        let [here, there] = [lan.machine(Version::Four), lan.machine(Version::Four)];
        exchange(&here, &there, |member| member);
    });
}

/// Dapr 1.18 finds an IPv6 address by mDNS but cannot call it: it lacks the
/// brackets. So this goes one way only.
#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn ipv6_alone() {
    alone(|| {
        let lan = Lan::new();
        let [here, there] = [lan.machine(Version::Six), lan.machine(Version::Six)];
        let app = there.app();
        let member = there.sidecar("theirs").program(&given().0);
        let _theirs = serve(&there, member, &app);
        call(&here, &here.caller(), "theirs", &app);
    });
}

#[test]
#[ignore = "needs FOREIGN_DAPRD_BIN and FOREIGN_SENTRY_BIN"]
fn a_real_callee_that_was_restarted_is_found_by_the_next_call() {
    alone(|| {
        let (daprd, _) = given();
        let lan = Lan::new();
        let [here, there]: [Machine; 2] = lan.machines();
        let app = there.app();
        let theirs = || serve(&there, there.sidecar("theirs").program(&daprd), &app);
        let before = theirs();
        let caller = here.caller();
        call(&here, &caller, "theirs", &app);
        before.kill();
        let between = theirs();
        call(&here, &caller, "theirs", &app);
        between.signal(Signal::SIGTERM);
        between.wait();
        let _after = theirs();
        call(&here, &caller, "theirs", &app);
    });
}
