//! Several replicas, one writer.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tests::{eventually, holds};

use super::{Home, Operator};

fn holder(home: &Home) -> Option<String> {
    let path = format!(
        "/apis/coordination.k8s.io/v1/namespaces/{}/leases/operator.dapr.io",
        home.namespace
    );
    let lease: Value = home.bare.api().get(&path)?;
    let holder = lease["spec"]["holderIdentity"].as_str()?.to_owned();
    (!holder.is_empty()).then_some(holder)
}

fn leads(operator: &Operator) -> bool {
    operator.process.stdout().contains("became the leader")
}

#[test]
fn one_replica_writes_and_hands_over_when_it_leaves() {
    let home = Home::new("election");
    let annotate = |id: &str| json!({ "dapr.io/enabled": "true", "dapr.io/app-id": id });
    let first = home.operator();
    let before = eventually("somebody holds the lease", || holder(&home));
    // Ready before it is the leader: it answers sidecars all the same.
    let second = home.operator();
    home.deployment("one", &annotate("one"));
    home.wait_for_service("one-dapr");
    assert_eq!(first.count("created", "one"), 1);
    assert_eq!(second.count("created", "one"), 0);
    assert!(leads(&first) && !leads(&second));

    first.process.signal(Signal::SIGTERM);
    first.process.wait_for_code(0);
    home.deployment("two", &annotate("two"));
    home.wait_for_service("two-dapr");
    assert_eq!(second.count("created", "two"), 1);
    let after = eventually("somebody holds the lease", || holder(&home));
    assert_ne!(before, after);
}

#[test]
fn a_leader_that_lost_the_lease_stops_writing() {
    let home = Home::new("loss");
    let operator = home.operator();
    holds("it leads", || leads(&operator));
    let path = format!(
        "/apis/coordination.k8s.io/v1/namespaces/{}/leases/operator.dapr.io",
        home.namespace
    );
    let taken = json!({ "spec": { "holderIdentity": "somebody", "leaseDurationSeconds": 3 } });
    home.bare.api().patch(&path, &taken);
    operator
        .process
        .wait_for_output("somebody else is the leader now");
    let annotations = json!({ "dapr.io/enabled": "true", "dapr.io/app-id": "cart" });
    home.deployment("cart", &annotations);
    assert_eq!(operator.count("created", "cart"), 0);
    // The other one is never heard of again.
    home.wait_for_service("cart-dapr");
    let output = operator.process.stdout();
    assert_eq!(output.matches("became the leader").count(), 2, "{output}");
}

#[test]
fn without_election_nobody_is_asked() {
    let home = Home::new("alone");
    let operator = home.start(&["--disable-leader-election"]).ready();
    let annotations = json!({ "dapr.io/enabled": "true", "dapr.io/app-id": "cart" });
    home.deployment("cart", &annotations);
    home.wait_for_service("cart-dapr");
    assert_eq!(holder(&home), None);
    assert!(!leads(&operator));
}

#[test]
fn a_lease_whose_pod_is_gone_is_free() {
    let home = Home::new("orphan");
    home.bare.api().apply(&format!(
        "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {{name: operator.dapr.io, namespace: {}}}\n\
         spec: {{holderIdentity: dapr-operator-gone_1, leaseDurationSeconds: 3600}}\n",
        home.namespace
    ));
    let operator = home.operator();
    holds("it leads", || leads(&operator));
}
