//! Subscription, in both versions: stored so that users' manifests apply, read
//! by nothing here.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind;

/// A topic whose events go to an app.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Group and version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub api_version: String,
    /// The kind's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub kind: String,
    /// Name, namespace, labels.
    #[serde(default)]
    #[schemars(skip)]
    pub metadata: ObjectMeta,
    /// The topic and its routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<SubscriptionSpec>,
    /// App ids that subscribe; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

kind!(Subscription, "v2alpha1", "Subscription", "subscriptions");

/// A topic whose events go to one path of an app.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionV1 {
    /// Group and version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub api_version: String,
    /// The kind's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub kind: String,
    /// Name, namespace, labels.
    #[serde(default)]
    #[schemars(skip)]
    pub metadata: ObjectMeta,
    /// The topic and its route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<SubscriptionV1Spec>,
    /// App ids that subscribe; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

kind!(SubscriptionV1, "v1alpha1", "Subscription", "subscriptions");

/// Body of a [`Subscription`].
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionSpec {
    /// Name of the pub/sub component.
    pub pubsubname: String,
    /// Name of the topic.
    pub topic: String,
    /// Paths of the app that get the events.
    pub routes: Routes,
    /// Settings for the component.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Topic for events that could not be delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_topic: Option<String>,
    /// Delivery of several events at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk_subscribe: Option<BulkSubscribe>,
}

/// Body of a [`SubscriptionV1`].
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionV1Spec {
    /// Name of the pub/sub component.
    pub pubsubname: String,
    /// Name of the topic.
    pub topic: String,
    /// Path of the app that gets the events.
    pub route: String,
    /// Settings for the component.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Topic for events that could not be delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_topic: Option<String>,
    /// Delivery of several events at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk_subscribe: Option<BulkSubscribe>,
}

/// Which path gets which event.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Routes {
    /// Tried in order; the first that matches wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Path for events that no rule matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// A path for some of the events.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Rule {
    /// CEL expression over the event.
    #[serde(rename = "match")]
    pub condition: String,
    /// Path of the app.
    pub path: String,
}

/// Delivery of several events at once.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkSubscribe {
    /// Whether events are collected.
    pub enabled: bool,
    /// Most events in one delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_messages_count: Option<i32>,
    /// Longest time events are collected, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_await_duration_ms: Option<i32>,
}
