//! The MutatingWebhookConfiguration: what its entries trust, and the patch
//! that changes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use security::TrustAnchors;
use serde_json::{Value, json};

use super::bundle::same;

/// Name of the object.
pub(super) const NAME: &str = "dapr-sidecar-injector";
/// Where such objects are.
pub(super) const PATH: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/// One webhook of the configuration.
#[derive(Debug)]
pub(super) struct Entry {
    /// Unique within the object.
    pub(super) name: String,
    /// The roots in its `caBundle`; `None` when there are no readable ones.
    pub(super) held: Option<TrustAnchors>,
}

/// All entries in their order.
pub(super) fn entries(object: &Value) -> Vec<Entry> {
    let webhooks = object.get("webhooks").and_then(Value::as_array);
    webhooks
        .into_iter()
        .flatten()
        .map(|webhook| Entry {
            name: crate::pod::item_text(webhook, "name").to_owned(),
            held: held(webhook),
        })
        .collect()
}

fn held(webhook: &Value) -> Option<TrustAnchors> {
    let text = webhook.pointer("/clientConfig/caBundle")?.as_str()?;
    TrustAnchors::from_pem(&STANDARD.decode(text).ok()?).ok()
}

/// Puts `wanted` into every entry, if one lacks it. Fails as a whole when the
/// entries moved in the meantime.
pub(super) fn patch(entries: &[Entry], wanted: &TrustAnchors) -> Option<Value> {
    let holds = |entry: &Entry| entry.held.as_ref().is_some_and(|held| same(held, wanted));
    if entries.iter().all(holds) {
        return None;
    }
    let bundle = STANDARD.encode(wanted.pem());
    let operations = entries.iter().enumerate().flat_map(|(index, entry)| {
        [
            json!({"op": "test", "path": format!("/webhooks/{index}/name"), "value": entry.name}),
            json!({"op": "add", "path": format!("/webhooks/{index}/clientConfig/caBundle"), "value": bundle}),
        ]
    });
    Some(operations.collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pki::Root;

    pub(in super::super) fn entry(name: &str, held: Option<&TrustAnchors>) -> Entry {
        Entry {
            name: name.to_owned(),
            held: held.cloned(),
        }
    }

    #[test]
    fn every_entry_is_patched_when_one_is_wrong() {
        let (one, other) = (Root::new("one").anchors(), Root::new("other").anchors());
        let bundle = STANDARD.encode(one.pem());
        let object = json!({"webhooks": [
            {"name": "a", "clientConfig": {"caBundle": bundle}},
            {"name": "b", "clientConfig": {}},
            {"name": "c", "clientConfig": {"caBundle": "Cg=="}},
        ]});
        let found = entries(&object);
        assert_eq!(
            found
                .iter()
                .map(|entry| entry.held.is_some())
                .collect::<Vec<_>>(),
            [true, false, false]
        );
        let patch: json_patch::Patch =
            serde_json::from_value(patch(&found, &one).unwrap()).unwrap();
        let mut patched = object;
        json_patch::patch(&mut patched, &patch).unwrap();
        let found = entries(&patched);
        assert!(
            found
                .iter()
                .all(|entry| same(entry.held.as_ref().unwrap(), &one))
        );
        assert_eq!(super::patch(&found, &one), None);
        assert!(super::patch(&found, &other).is_some());
        let mut moved = json!({"webhooks": [{"name": "b", "clientConfig": {}}]});
        json_patch::patch(&mut moved, &patch).unwrap_err();
    }

    #[test]
    fn no_object_has_no_entries() {
        for object in [Value::Null, json!({}), json!({"webhooks": null}), json!([])] {
            assert!(entries(&object).is_empty());
        }
    }
}
