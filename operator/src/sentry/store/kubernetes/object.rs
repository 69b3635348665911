//! A Secret or ConfigMap as it came, so that writing it back changes nothing
//! but what we mean to change.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::sentry::cluster::Kind;

/// Marks that an object keeps when it is made anew: with them Helm recognises
/// it as its own, and does not delete it.
const MARKS: [(&str, &str); 4] = [
    ("labels", "app.kubernetes.io/managed-by"),
    ("annotations", "meta.helm.sh/release-name"),
    ("annotations", "meta.helm.sh/release-namespace"),
    ("annotations", "helm.sh/resource-policy"),
];

/// Has no `Debug`: it holds keys.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    /// A value of a ConfigMap.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0
            .get("data")?
            .get(key)?
            .as_str()
            .filter(|text| !text.is_empty())
    }

    /// A value of a Secret; empty counts as missing.
    pub(super) fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        STANDARD.decode(self.text(key)?).ok()
    }

    pub(super) fn set_text(&mut self, key: &str, text: &str) {
        let data = self.0.entry("data").or_insert(Value::Null);
        // Without any data the API server may answer null.
        if !data.is_object() {
            *data = Value::Object(Map::new());
        }
        if let Some(data) = data.as_object_mut() {
            data.insert(key.to_owned(), Value::String(text.to_owned()));
        }
    }

    pub(super) fn set_bytes(&mut self, key: &str, bytes: &[u8]) {
        self.set_text(key, &STANDARD.encode(bytes));
    }

    /// Nothing but the marks.
    pub(super) fn marks(&self) -> Self {
        let mut metadata = Map::new();
        for (group, key) in MARKS {
            let value = self
                .0
                .get("metadata")
                .and_then(|metadata| metadata.get(group)?.get(key));
            if let Some(value) = value {
                let group = metadata.entry(group).or_insert_with(|| json!({}));
                if let Some(group) = group.as_object_mut() {
                    group.insert(key.to_owned(), value.clone());
                }
            }
        }
        Self(Map::from_iter([(
            "metadata".to_owned(),
            Value::Object(metadata),
        )]))
    }

    /// An object of this kind that has nothing but our marks.
    pub(super) fn empty(&self, kind: Kind, namespace: &str, name: &str) -> Value {
        let mut metadata = match self.marks().0.remove("metadata") {
            Some(Value::Object(metadata)) => metadata,
            _ => Map::new(),
        };
        metadata.insert("name".to_owned(), json!(name));
        metadata.insert("namespace".to_owned(), json!(namespace));
        json!({ "apiVersion": "v1", "kind": kind.name(), "metadata": metadata })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_the_named_key_changes() {
        let original = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": { "name": "dapr-trust-bundle", "resourceVersion": "7", "finalizers": ["x"] },
            "data": { "other": "AAE=", "ca.crt": "" },
        });
        let mut secret = object(original.clone());
        assert_eq!(secret.bytes("ca.crt"), None, "empty is missing");
        assert_eq!(secret.bytes("other"), Some(vec![0, 1]));
        secret.set_bytes("ca.crt", b"pem");
        assert_eq!(secret.bytes("ca.crt"), Some(b"pem".to_vec()));
        let mut expected = original;
        expected["data"]["ca.crt"] = json!("cGVt");
        assert_eq!(serde_json::to_value(&secret).unwrap(), expected);
    }

    #[test]
    fn an_object_without_data_can_be_filled() {
        for data in [json!({}), json!({ "data": null }), json!({ "data": {} })] {
            let mut map = object(data);
            assert_eq!(map.text("ca.crt"), None);
            map.set_text("ca.crt", "pem");
            assert_eq!(map.text("ca.crt"), Some("pem"));
        }
        assert_eq!(object(json!({ "data": { "x": "*" } })).bytes("x"), None);
    }

    #[test]
    fn what_is_made_anew_still_belongs_to_its_release() {
        let before = object(json!({
            "metadata": {
                "labels": { "app.kubernetes.io/managed-by": "Helm", "version": "1" },
                "annotations": { "helm.sh/resource-policy": "keep" },
                "uid": "1", "resourceVersion": "7",
            },
            "data": { "issuer.key": "secret" },
        }));
        let expected = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "dapr-trust-bundle", "namespace": "cp",
                "labels": { "app.kubernetes.io/managed-by": "Helm" },
                "annotations": { "helm.sh/resource-policy": "keep" },
            },
        });
        let empty = |object: &Object| object.empty(Kind::ConfigMap, "cp", "dapr-trust-bundle");
        assert_eq!(empty(&before), expected);
        assert_eq!(empty(&before.marks()), expected);
        let marks = serde_json::to_string(&before.marks()).unwrap();
        assert!(!marks.contains("secret"));
    }
}
