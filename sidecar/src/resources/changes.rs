//! What differs between two states of the operator's resources, in the words
//! of the log.

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};

use super::operator::Snapshot;

/// A kind of resource that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Configuration,
    Resiliency,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "Configuration",
            Self::Resiliency => "Resiliency",
        })
    }
}

/// The object without the parts of its metadata that change by themselves.
pub(super) fn reduced(mut object: Value) -> Value {
    let name = name(&object).to_owned();
    let namespace = object
        .pointer("/metadata/namespace")
        .cloned()
        .unwrap_or_default();
    if let Some(members) = object.as_object_mut() {
        members.insert(
            "metadata".to_owned(),
            json!({ "name": name, "namespace": namespace }),
        );
    }
    object
}

/// One line per object that came, changed or went.
pub(super) fn changes(old: &Snapshot, new: &Snapshot) -> Vec<String> {
    let configuration = lines(
        Kind::Configuration,
        old.configuration.iter(),
        new.configuration.iter(),
    );
    let resiliencies = lines(
        Kind::Resiliency,
        old.resiliencies.iter(),
        new.resiliencies.iter(),
    );
    configuration.into_iter().chain(resiliencies).collect()
}

fn lines<'a>(
    kind: Kind,
    old: impl Iterator<Item = &'a Value>,
    new: impl Iterator<Item = &'a Value>,
) -> Vec<String> {
    let mut old: BTreeMap<&str, &Value> = old.map(|object| (name(object), object)).collect();
    let mut lines = Vec::new();
    let mut line = |event: &str, name: &str| {
        lines.push(format!(
            "Received {kind} {event} event: {name} - triggering SIGHUP reload"
        ));
    };
    for object in new {
        let name = name(object);
        match old.remove(name) {
            None => line("CREATED", name),
            Some(before) if before != object => line("UPDATED", name),
            Some(_) => {}
        }
    }
    for name in old.keys() {
        line("DELETED", name);
    }
    lines
}

/// The name of an object; empty when it has none.
pub(super) fn name(object: &Value) -> &str {
    object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, version: u32, spec: u32) -> Value {
        reduced(json!({
            "kind": "Resiliency",
            "metadata": { "name": name, "namespace": "shop", "resourceVersion": version.to_string() },
            "spec": spec,
        }))
    }

    #[test]
    fn only_what_users_write_counts() {
        assert_eq!(object("a", 1, 7), object("a", 2, 7));
        assert_ne!(object("a", 1, 7), object("a", 1, 8));
    }

    #[test]
    fn every_change_is_one_line() {
        let snapshot = |resiliencies| Snapshot {
            configuration: None,
            resiliencies,
        };
        let old = snapshot(vec![
            object("kept", 1, 1),
            object("edited", 1, 1),
            object("gone", 1, 1),
        ]);
        let new = snapshot(vec![
            object("new", 1, 1),
            object("edited", 2, 2),
            object("kept", 9, 1),
        ]);
        assert_eq!(
            changes(&old, &new),
            [
                "Received Resiliency CREATED event: new - triggering SIGHUP reload",
                "Received Resiliency UPDATED event: edited - triggering SIGHUP reload",
                "Received Resiliency DELETED event: gone - triggering SIGHUP reload",
            ]
        );
        assert!(changes(&new, &new).is_empty());
    }
}
