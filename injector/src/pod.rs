//! The parts of a pod that matter here, read from its JSON.
//!
//! A pod stays a JSON value: turning it into a type and back would lose
//! fields that are newer than the type. `null` means absent, as in Go.

use serde_json::{Map, Value};

/// Name of the container that is added.
pub const SIDECAR: &str = "daprd";

/// A pod whose shape is known to be right.
#[derive(Clone, Copy, Debug)]
pub struct Pod<'a> {
    /// `metadata.name`; empty until the API server makes one.
    pub name: &'a str,
    /// `metadata.annotations`; every value is text.
    pub annotations: Option<&'a Map<String, Value>>,
    /// Whether there are `metadata` and `metadata.labels`.
    pub metadata: Option<bool>,
    /// Whether there is a `spec`.
    pub has_spec: bool,
    /// `spec.containers`; every item is an object.
    pub containers: List<'a>,
    /// `spec.initContainers`; every item is an object.
    pub init_containers: List<'a>,
    /// `spec.volumes`; every item is an object.
    pub volumes: List<'a>,
    /// `spec.tolerations`; every item is an object.
    pub tolerations: List<'a>,
}

/// A list that may be absent.
pub type List<'a> = Option<&'a [Value]>;

/// A value of the wrong kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not unmarshal raw object: {path} is not {expected}")]
pub struct Malformed {
    /// Where.
    path: String,
    /// What it should be.
    expected: &'static str,
}

impl<'a> Pod<'a> {
    /// Checks everything that is read or patched later.
    ///
    /// # Errors
    /// Something is not of the kind it has to be.
    pub fn new(object: &'a Value) -> Result<Self, Malformed> {
        let root = object
            .as_object()
            .ok_or_else(|| malformed("the pod", OBJECT))?;
        let metadata = self::object(root, "", "metadata")?;
        let spec = self::object(root, "", "spec")?;
        let pod = Self {
            name: text(metadata, "metadata", "name")?,
            annotations: texts(metadata, "metadata", "annotations")?,
            metadata: match metadata {
                Some(metadata) => Some(self::object(metadata, "metadata", "labels")?.is_some()),
                None => None,
            },
            has_spec: spec.is_some(),
            containers: objects(spec, "spec", "containers")?,
            init_containers: objects(spec, "spec", "initContainers")?,
            volumes: objects(spec, "spec", "volumes")?,
            tolerations: objects(spec, "spec", "tolerations")?,
        };
        for container in pod.containers.unwrap_or_default() {
            let container = container.as_object();
            for (list, at, key) in [
                ("env", "spec.containers[].env[]", "name"),
                ("volumeMounts", "spec.containers[].volumeMounts[]", "name"),
                (
                    "volumeMounts",
                    "spec.containers[].volumeMounts[]",
                    "mountPath",
                ),
            ] {
                for item in objects(container, "spec.containers[]", list)?.unwrap_or_default() {
                    text(item.as_object(), at, key)?;
                }
            }
        }
        for (list, at) in [
            (pod.containers, "spec.containers[]"),
            (pod.init_containers, "spec.initContainers[]"),
            (pod.volumes, "spec.volumes[]"),
        ] {
            for item in list.unwrap_or_default() {
                text(item.as_object(), at, "name")?;
            }
        }
        Ok(pod)
    }

    /// Whether it has a sidecar already, from its user or from an earlier turn.
    pub fn has_sidecar(&self) -> bool {
        [self.containers, self.init_containers]
            .into_iter()
            .any(|list| contains_name(list, SIDECAR))
    }
}

/// Whether an item of `list` has the name.
pub fn contains_name(list: List<'_>, name: &str) -> bool {
    list.unwrap_or_default()
        .iter()
        .any(|item| item_text(item, "name") == name)
}

/// A text of an item; empty when absent.
pub fn item_text<'a>(item: &'a Value, key: &str) -> &'a str {
    item.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A list of an item; empty when absent.
pub fn item_list<'a>(item: &'a Value, key: &str) -> &'a [Value] {
    item.get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

const OBJECT: &str = "an object";

type Object<'a> = &'a Map<String, Value>;

fn malformed(path: impl Into<String>, expected: &'static str) -> Malformed {
    Malformed {
        path: path.into(),
        expected,
    }
}

/// The member unless it is absent.
fn member<'a>(parent: Option<Object<'a>>, key: &str) -> Option<&'a Value> {
    parent?.get(key).filter(|value| !value.is_null())
}

fn path(parent: &str, key: &str) -> String {
    match parent {
        "" => key.to_owned(),
        _ => format!("{parent}.{key}"),
    }
}

fn object<'a>(parent: Object<'a>, at: &str, key: &str) -> Result<Option<Object<'a>>, Malformed> {
    member(Some(parent), key)
        .map(|value| {
            value
                .as_object()
                .ok_or_else(|| malformed(path(at, key), OBJECT))
        })
        .transpose()
}

fn text<'a>(parent: Option<Object<'a>>, at: &str, key: &str) -> Result<&'a str, Malformed> {
    match member(parent, key) {
        None => Ok(""),
        Some(value) => value
            .as_str()
            .ok_or_else(|| malformed(path(at, key), "a string")),
    }
}

fn texts<'a>(
    parent: Option<Object<'a>>,
    at: &str,
    key: &str,
) -> Result<Option<Object<'a>>, Malformed> {
    let Some(value) = member(parent, key) else {
        return Ok(None);
    };
    value
        .as_object()
        .filter(|texts| {
            texts
                .values()
                .all(|text| text.is_string() || text.is_null())
        })
        .map(Some)
        .ok_or_else(|| malformed(path(at, key), "a map of strings"))
}

fn objects<'a>(parent: Option<Object<'a>>, at: &str, key: &str) -> Result<List<'a>, Malformed> {
    let Some(value) = member(parent, key) else {
        return Ok(None);
    };
    value
        .as_array()
        .filter(|items| items.iter().all(Value::is_object))
        .map(|items| Some(items.as_slice()))
        .ok_or_else(|| malformed(path(at, key), "a list of objects"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn absent_and_null_are_the_same() {
        for pod in [
            json!({}),
            json!({"metadata": null, "spec": null}),
            json!({"metadata": {"annotations": null, "labels": null, "name": null},
                   "spec": {"containers": null, "initContainers": null, "volumes": null}}),
        ] {
            let pod = Pod::new(&pod).unwrap();
            assert_eq!(pod.name, "");
            assert!(pod.annotations.is_none() && pod.containers.is_none());
            assert!(!pod.has_sidecar());
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named() {
        for (pod, text) in [
            (json!([]), "the pod is not an object"),
            (json!({"metadata": 1}), "metadata is not an object"),
            (
                json!({"metadata": {"annotations": {"a": 1}}}),
                "metadata.annotations is not a map of strings",
            ),
            (
                json!({"metadata": {"labels": []}}),
                "metadata.labels is not an object",
            ),
            (
                json!({"metadata": {"name": {}}}),
                "metadata.name is not a string",
            ),
            (
                json!({"spec": {"containers": {}}}),
                "spec.containers is not a list of objects",
            ),
            (
                json!({"spec": {"containers": [1]}}),
                "spec.containers is not a list of objects",
            ),
            (
                json!({"spec": {"containers": [{"env": [1]}]}}),
                "spec.containers[].env is not a list of objects",
            ),
            (
                json!({"spec": {"containers": [{"env": [{"name": 1}]}]}}),
                "spec.containers[].env[].name is not a string",
            ),
            (
                json!({"spec": {"initContainers": [{"name": 1}]}}),
                "spec.initContainers[].name is not a string",
            ),
        ] {
            let error = Pod::new(&pod).unwrap_err().to_string();
            assert_eq!(error, format!("could not unmarshal raw object: {text}"));
        }
    }

    #[test]
    fn a_sidecar_of_either_kind_is_seen() {
        for list in ["containers", "initContainers"] {
            let pod = json!({"spec": {list: [{"name": "a"}, {"name": "daprd"}]}});
            assert!(Pod::new(&pod).unwrap().has_sidecar());
        }
    }
}
