//! From a pod to the patch that adds its sidecar. A function of its
//! arguments: nothing here reads the clock, the environment or the network.
//!
//! Mirrors Dapr 1.18 pkg/injector/patcher; what is deliberately different
//! says so where it happens.

mod apps;
mod args;
mod container;
mod env;
mod operation;
mod resources;
mod volumes;

use serde_json::{Value, json};

pub use self::operation::Operation;
use crate::annotations::{self as names, Annotations};
use crate::app_id::{self, AppIdError};
use crate::pod::Pod;
use crate::settings::Sidecar;

/// What changes while the injector runs.
#[derive(Clone, Copy, Debug)]
pub struct Current<'a> {
    /// Trust anchors of this moment as PEM.
    pub anchors: &'a str,
    /// Whether sidecars encrypt and authenticate their calls.
    pub mtls: bool,
}

/// What to do with a pod.
#[derive(Debug)]
pub struct Injection {
    /// The patch; applies to the pod it was made for.
    pub operations: Vec<Operation>,
    /// Oddities of the pod, for the log.
    pub warnings: Vec<String>,
}

/// Everything the parts of a patch are made from.
struct Context<'a> {
    pod: Pod<'a>,
    app_id: &'a str,
    /// Namespace of the request; a pod's own may be empty.
    namespace: &'a str,
    settings: &'a Sidecar,
    current: Current<'a>,
    native: bool,
}

/// The patch that adds a sidecar to `pod`, which has none and wants one.
///
/// # Errors
/// The pod has no usable app id.
pub fn inject<'a>(
    pod: Pod<'a>,
    namespace: &'a str,
    settings: &'a Sidecar,
    current: Current<'a>,
) -> Result<Injection, AppIdError> {
    let mut annotations = Annotations::new(pod.annotations);
    let app_id = annotations.non_empty(names::APP_ID).unwrap_or(pod.name);
    app_id::check(app_id)?;
    let context = Context {
        pod,
        app_id,
        namespace,
        settings,
        current,
        native: annotations.on(names::ENABLE_NATIVE_SIDECAR, settings.native),
    };
    if annotations.on(names::INJECT_PLUGGABLE_COMPONENTS, false) {
        annotations.warn("pluggable components are not injected".to_owned());
    }
    let mut operations = parents(&context);
    operations.extend(volumes::operations(&context, &annotations));
    operations.extend(sidecar(&context, &mut annotations));
    operations.extend(labels(&context, &annotations));
    operations.extend(apps::operations(&context, &mut annotations));
    operations.extend(
        annotations
            .adopted()
            .iter()
            .map(|&(name, value)| Operation::add(["metadata", "annotations", name], json!(value))),
    );
    Ok(Injection {
        operations,
        warnings: annotations.into_warnings(),
    })
}

/// What later operations add to.
fn parents(context: &Context<'_>) -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut add = |path: &[&str], value: Value| operations.push(Operation::add(path, value));
    if !context.pod.has_spec {
        add(&["spec"], json!({}));
    }
    if context.pod.containers.is_none() {
        add(&["spec", "containers"], json!([]));
    }
    if context.pod.metadata.is_none() {
        add(&["metadata"], json!({}));
    }
    if context.pod.metadata != Some(true) {
        add(&["metadata", "labels"], json!({}));
    }
    operations
}

fn sidecar(context: &Context<'_>, annotations: &mut Annotations<'_>) -> Vec<Operation> {
    let container = container::build(context, annotations);
    if !context.native {
        return vec![Operation::add(["spec", "containers", "-"], container)];
    }
    let mut operations = Vec::new();
    if context.pod.init_containers.is_none() {
        operations.push(Operation::add(["spec", "initContainers"], json!([])));
    }
    operations.push(Operation::add(["spec", "initContainers", "-"], container));
    operations
}

fn labels(context: &Context<'_>, annotations: &Annotations<'_>) -> [Operation; 3] {
    let metrics = annotations.on(names::of_flag("enable-metrics"), true);
    [
        ("dapr.io/sidecar-injected", "true"),
        ("dapr.io/app-id", context.app_id),
        (
            "dapr.io/metrics-enabled",
            if metrics { "true" } else { "false" },
        ),
    ]
    .map(|(name, value)| Operation::add(["metadata", "labels", name], json!(value)))
}
