//! Workflow limits: stored, not used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many workflows run at once, and how long they are kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workflow {
    /// Workflows at once in one sidecar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_workflow_invocations: Option<i32>,
    /// Activities at once in one sidecar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_activity_invocations: Option<i32>,
    /// Workflows at once in all sidecars of an app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_max_concurrent_workflow_invocations: Option<i32>,
    /// Activities at once in all sidecars of an app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_max_concurrent_activity_invocations: Option<i32>,
    /// Limits of single workflows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workflow_concurrency_limits: Vec<ConcurrencyLimit>,
    /// Limits of single activities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub activity_concurrency_limits: Vec<ConcurrencyLimit>,
    /// How long the state of ended workflows is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_retention_policy: Option<RetentionPolicy>,
}

/// How many of one name run at once.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConcurrencyLimit {
    /// Name of the workflow or activity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Most at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<i32>,
}

/// How long the state of ended workflows is kept, as durations.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionPolicy {
    /// However it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub any_terminal: Option<String>,
    /// Ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<String>,
    /// Ended with an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Ended by request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminated: Option<String>,
}
