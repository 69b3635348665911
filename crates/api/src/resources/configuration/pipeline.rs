//! HTTP middleware pipelines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Handlers that a request passes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Pipeline {
    /// In the order they are passed.
    pub handlers: Vec<Handler>,
}

/// A handler, which is a Component of the same name and type.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Handler {
    /// Name of the Component.
    pub name: String,
    /// Type of the Component, for example `middleware.http.bearer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Requests meant; stored, without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
}

/// Requests a handler is meant for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Selector {
    /// Conditions, all of which hold.
    pub fields: Vec<SelectorField>,
}

/// A condition on a request.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct SelectorField {
    /// Property of the request.
    pub field: String,
    /// Pattern of its value.
    pub value: String,
}
