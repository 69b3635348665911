//! The authority in Secret and ConfigMap `dapr-trust-bundle`.

use serde_json::{Value, json};
use tests::{eventually, holds};

use super::{Home, Replica, pod, request};

/// The roots that answers carry.
fn anchors(home: &Home, replica: &Replica) -> String {
    pod(home.bare, &home.namespace, "probe", "probe", "");
    let request = request(home.bare, &home.namespace, "probe", "probe", "probe");
    let signed = replica.sign(&request);
    String::from_utf8(signed.trust_chain_certificates[0].to_vec()).unwrap()
}

/// The content of the Secret.
fn content(home: &Home) -> Option<Value> {
    let secret = home.bare.api().get(&home.path("secrets"))?;
    (!secret["data"].is_null()).then(|| secret["data"].clone())
}

#[test]
fn replicas_that_start_at_once_share_one_authority() {
    let home = Home::new("replicas");
    let replicas: Vec<_> = (0..4).map(|_| home.start()).collect();
    let replicas: Vec<_> = replicas.into_iter().map(Replica::healthy).collect();
    let shown = home.anchors().unwrap();
    for replica in &replicas {
        assert_eq!(anchors(&home, replica).trim(), shown.trim());
    }
    let created: usize = replicas
        .iter()
        .map(|replica| replica.lines("self-signed CA created"))
        .sum();
    assert_eq!(created, 1);
    for replica in &replicas {
        let megabytes = replica.process.rss() >> 20;
        println!("sentry rests at {megabytes} MB");
        assert!(megabytes <= 20, "{megabytes} MB");
    }

    let before = content(&home);
    let again = home.start().healthy();
    assert_eq!(again.lines("using existing certs"), 1);
    assert_eq!(content(&home), before);
}

#[test]
fn what_is_lost_is_restored() {
    let home = Home::new("restore");
    let api = home.bare.api();
    let sentry = home.start().healthy();
    let (secret, config_map) = (home.path("secrets"), home.path("configmaps"));
    let (before, shown) = (content(&home).unwrap(), home.anchors());
    let restored = |what: &str| {
        holds(what, || {
            content(&home).as_ref() == Some(&before) && home.anchors() == shown
        });
    };
    let damage = json!({ "data": { "ca.crt": "damaged", "other": "stays" } });
    api.delete(&secret);
    api.patch(&config_map, &damage);
    restored("the deleted secret is back and the damaged config map repaired");
    let again = api.get(&secret).unwrap();
    let metadata = &again["metadata"];
    assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "Helm");
    assert_eq!(metadata["annotations"]["helm.sh/resource-policy"], "keep");
    assert_eq!(home.data("configmaps", "other").as_deref(), Some("stays"));
    api.patch(&secret, &json!({ "data": null }));
    api.delete(&config_map);
    restored("the emptied secret is filled and the deleted config map back");
    for path in [&secret, &config_map] {
        api.delete(path);
    }
    restored("both are back");
    assert!(sentry.is_healthy());
}

#[test]
fn a_lost_secret_is_left_to_the_sentry_that_knows_it() {
    let home = Home::new("lost");
    let sentry = home.start().healthy();
    let before = content(&home).unwrap();
    home.bare.api().delete(&home.path("secrets"));
    let fresh = home.start().healthy();
    assert_eq!(content(&home), Some(before));
    assert_eq!(fresh.lines("self-signed CA created"), 0);
    assert_eq!(anchors(&home, &sentry), anchors(&home, &fresh));
}

#[test]
fn a_new_authority_is_used_without_a_restart_and_a_broken_one_is_not() {
    let (home, other) = (Home::new("change"), Home::new("change-other"));
    let sentry = home.start().healthy();
    drop(other.start().healthy());
    let (old, new) = (content(&home).unwrap(), content(&other).unwrap());
    let secret = home.path("secrets");
    let first = anchors(&home, &sentry);

    let mut broken = new.clone();
    broken["issuer.key"] = old["issuer.key"].clone();
    home.bare.api().patch(&secret, &json!({ "data": broken }));
    eventually("the broken bundle is reported", || {
        (sentry.lines("issuer key does not match issuer certificate") == 1).then_some(())
    });
    assert_eq!(anchors(&home, &sentry), first);

    home.bare.api().patch(&secret, &json!({ "data": new }));
    let second = other.anchors();
    holds("the new bundle is in use", || home.anchors() == second);
    assert_ne!(anchors(&home, &sentry), first);
    assert!(sentry.is_healthy());
    assert_eq!(sentry.lines("level=error"), 1, "reported once");
}

#[test]
fn a_complete_secret_repairs_the_config_map_at_the_start() {
    let (home, other) = (Home::new("repair"), Home::new("repair-other"));
    drop(other.start().healthy());
    let given = content(&other).unwrap();
    home.bare
        .api()
        .patch(&home.path("secrets"), &json!({ "data": given }));
    drop(home.start().healthy());
    assert_eq!(content(&home), Some(given));
    assert_eq!(home.anchors(), other.anchors());
}
