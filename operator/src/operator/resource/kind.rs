//! The kinds of `dapr.io` that sidecars load, and one object of them.

use bytes::Bytes;
use kube::core::{ApiResource, DynamicObject, TypeMeta};
use serde_json::Value;

use super::super::cluster::{self, ObjectKey};

/// Written by `kubectl apply`: a second copy of the object that no sidecar
/// reads.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A kind that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Configuration,
    Resiliency,
    HttpEndpoint,
    Component,
}

/// An object as sidecars get it, but for secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Object {
    pub(in super::super) name: String,
    pub(super) resource_version: String,
    /// App ids that may see it; empty for all.
    scopes: Vec<String>,
    pub(in super::super) json: Bytes,
}

// === impl Kind ===

impl Kind {
    pub(in super::super) const ALL: [Self; 4] = [
        Self::Configuration,
        Self::Resiliency,
        Self::HttpEndpoint,
        Self::Component,
    ];

    pub(in super::super) const fn plural(self) -> &'static str {
        match self {
            Self::Configuration => "configurations",
            Self::Resiliency => "resiliencies",
            Self::HttpEndpoint => "httpendpoints",
            Self::Component => "components",
        }
    }

    pub(in super::super) fn resource(self) -> ApiResource {
        let kind = match self {
            Self::Configuration => "Configuration",
            Self::Resiliency => "Resiliency",
            Self::HttpEndpoint => "HTTPEndpoint",
            Self::Component => "Component",
        };
        cluster::resource("dapr.io", "v1alpha1", kind, self.plural())
    }
}

// === impl Object ===

impl Object {
    /// `None` for something without a name, which no API server sends.
    pub(in super::super) fn new(
        kind: Kind,
        mut object: DynamicObject,
    ) -> Option<(ObjectKey, Self)> {
        let key = ObjectKey::of(&object.metadata)?;
        let resource = kind.resource();
        object.types = Some(TypeMeta {
            api_version: resource.api_version,
            kind: resource.kind,
        });
        let metadata = &mut object.metadata;
        metadata.managed_fields = None;
        metadata.annotations = metadata
            .annotations
            .take()
            .map(|mut annotations| {
                annotations.remove(LAST_APPLIED);
                annotations
            })
            .filter(|annotations| !annotations.is_empty());
        let resource_version = metadata.resource_version.clone().unwrap_or_default();
        let scopes = match object.data.get("scopes").and_then(Value::as_array) {
            Some(scopes) => scopes
                .iter()
                .filter_map(|scope| scope.as_str().map(str::to_owned))
                .collect(),
            None => Vec::new(),
        };
        let json = serde_json::to_vec(&object).ok()?.into();
        Some((
            key.clone(),
            Self {
                name: key.name,
                resource_version,
                scopes,
                json,
            },
        ))
    }

    /// Whether an app may see it.
    pub(in super::super) fn is_in_scope(&self, app_id: &str) -> bool {
        self.scopes.is_empty() || self.scopes.iter().any(|scope| scope == app_id)
    }
}
