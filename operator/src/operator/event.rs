//! Kubernetes Events: how users of a workload learn why it has no Service.

use std::time::SystemTime;

use control_plane::LONGEST_NAME;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Api;
use kube::api::PostParams;

use super::MANAGER;
use super::cluster::{RequestError, request};

/// Longest message the API server takes, in bytes.
const LONGEST: usize = 1024;

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) api_version: &'a str,
    pub(super) kind: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
}

/// Creates events in our name.
#[derive(Clone)]
pub(super) struct Recorder {
    client: kube::Client,
    /// Our pod.
    instance: String,
}

impl Recorder {
    pub(super) fn new(client: kube::Client, instance: String) -> Self {
        Self { client, instance }
    }

    /// Creates an event of type `Warning`. The caller sees to it that one
    /// change makes one event.
    pub(super) async fn warn(
        &self,
        subject: &Subject<'_>,
        reason: &str,
        message: &str,
    ) -> Result<(), RequestError> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), subject.namespace);
        let event = self.event(subject, reason, message);
        request(api.create(&PostParams::default(), &event)).await?;
        Ok(())
    }

    fn event(&self, subject: &Subject<'_>, reason: &str, message: &str) -> Event {
        let now = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
        let suffix = format!(".{:016x}", fastrand::u64(..));
        let name = shorten(subject.name, LONGEST_NAME - suffix.len());
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}{suffix}")),
                namespace: Some(subject.namespace.to_owned()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some(subject.api_version.to_owned()),
                kind: Some(subject.kind.to_owned()),
                namespace: Some(subject.namespace.to_owned()),
                name: Some(subject.name.to_owned()),
                uid: Some(subject.uid.to_owned()),
                ..ObjectReference::default()
            },
            type_: Some("Warning".to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(shorten(message, LONGEST).to_owned()),
            source: Some(EventSource {
                component: Some(MANAGER.to_owned()),
                host: None,
            }),
            reporting_component: Some(MANAGER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            count: Some(1),
            ..Event::default()
        }
    }
}

fn shorten(text: &str, longest: usize) -> &str {
    text.get(..text.floor_char_boundary(longest))
        .unwrap_or(text)
}
