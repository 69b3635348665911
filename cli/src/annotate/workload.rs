//! Which objects have pods, where their annotations are, and what goes there.

use super::flags::Annotations;
use crate::yaml::{Node, Scalar};

/// The workload that is asked for; empty texts mean any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
}

/// Why a workload cannot be annotated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WorkloadError {
    /// Its pods have no place for annotations.
    #[error("{kind} {name:?} has no {field}, or one that is no mapping")]
    NoPlace {
        kind: String,
        name: String,
        field: String,
    },
    #[error("{kind} has no metadata.name to make an app id from, please provide --app-id")]
    NoName { kind: String },
}

/// Kinds in lower case, and the way to their pods.
const KINDS: &[(&str, &[&str])] = &[
    ("pod", &[]),
    ("deployment", TEMPLATE),
    ("replicaset", TEMPLATE),
    ("daemonset", TEMPLATE),
    ("statefulset", TEMPLATE),
    ("job", TEMPLATE),
    ("cronjob", &["spec", "jobTemplate", "spec", "template"]),
];

const TEMPLATE: &[&str] = &["spec", "template"];

/// Annotates an object if it is the target. Annotations it has stay, and
/// those of the same name are replaced.
pub(super) fn annotate(
    object: &mut Node,
    target: &Target<'_>,
    annotations: &Annotations,
) -> Result<bool, WorkloadError> {
    let Some(kind) = object.get("kind").and_then(Node::text).map(str::to_owned) else {
        return Ok(false);
    };
    let lower = kind.to_lowercase();
    let Some((_, path)) = KINDS.iter().find(|(name, _)| *name == lower) else {
        return Ok(false);
    };
    let of_object = |field| {
        let value = object
            .get("metadata")
            .and_then(|metadata| metadata.get(field));
        value.and_then(Node::text).unwrap_or_default().to_owned()
    };
    let (name, mut namespace) = (of_object("name"), of_object("namespace"));
    if namespace.is_empty() {
        "default".clone_into(&mut namespace);
    }
    if !target.includes(&name, &namespace) {
        return Ok(false);
    }
    let id = format!("{namespace}-{lower}-{name}");
    let place = match place(object, path) {
        Ok(place) => place,
        Err(field) => return Err(WorkloadError::NoPlace { kind, name, field }),
    };
    for (annotation, value) in annotations.all() {
        place.set(annotation, Scalar::quoted(value));
    }
    if place.get(Annotations::app_id()).is_none() {
        if name.is_empty() {
            return Err(WorkloadError::NoName { kind });
        }
        place.set(Annotations::app_id(), Scalar::quoted(id));
    }
    Ok(true)
}

impl Target<'_> {
    fn includes(&self, name: &str, namespace: &str) -> bool {
        let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted.eq_ignore_ascii_case(is);
        fits(self.name, name) && fits(self.namespace, namespace)
    }
}

/// The annotations of the object's pods, made if they have none. The error is
/// the field that is missing.
fn place<'a>(object: &'a mut Node, path: &[&str]) -> Result<&'a mut Node, String> {
    let mut node = object;
    let mut walked: Vec<&str> = Vec::new();
    for field in path {
        walked.push(field);
        node = node.get_mut(field).ok_or_else(|| walked.join("."))?;
    }
    for field in ["metadata", "annotations"] {
        walked.push(field);
        node = node.mapping_at(field).ok_or_else(|| walked.join("."))?;
    }
    Ok(node)
}
