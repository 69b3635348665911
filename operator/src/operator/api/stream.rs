//! Streams of changes. They open silently and never end by themselves: a
//! sidecar takes any end for a failure and connects again.

use std::time::Duration;

use api::operator::v1::ResourceEventType;
use bytes::Bytes;
use futures_util::stream;
use lifecycle::drain::Watch;
use security::AppIdentity;
use tokio::time::sleep;
use tonic::Status;
use tonic::codegen::BoxStream;

use super::super::SCOPE;
use super::super::resource::{Kind, Secrets, Subscription};

/// On the way out streams end one after the other within this time, so that
/// all sidecars do not connect to the next replica in the same moment.
const SPREAD: Duration = Duration::from_millis(500);

/// Where the events of one stream come from.
pub(super) struct Source {
    pub(super) kind: Kind,
    pub(super) subscription: Subscription,
    pub(super) caller: AppIdentity,
    /// The only object to tell about; `None` for all.
    pub(super) name: Option<String>,
    pub(super) secrets: Secrets,
    pub(super) closing: Watch,
}

/// Events of a kind that is served; `event` makes the message.
pub(super) fn changes<E: Send + 'static>(
    source: Source,
    event: fn(Bytes, ResourceEventType) -> E,
) -> BoxStream<E> {
    Box::pin(stream::unfold(Some(source), move |source| async move {
        let mut source = source?;
        match source.next().await {
            Ok((object, kind)) => Some((Ok(event(object, kind)), Some(source))),
            Err(status) => Some((Err(status), None)),
        }
    }))
}

/// A stream of a kind that is not served.
pub(super) fn silence<E: Send + 'static>(closing: Watch) -> BoxStream<E> {
    Box::pin(stream::unfold(Some(closing), |closing| async move {
        closed(&mut closing?).await;
        Some((Err(shutting_down()), None))
    }))
}

pub(super) fn shutting_down() -> Status {
    Status::unavailable("operator is shutting down")
}

impl Source {
    async fn next(&mut self) -> Result<(Bytes, ResourceEventType), Status> {
        loop {
            let change = tokio::select! {
                biased;
                () = closed(&mut self.closing) => return Err(shutting_down()),
                change = self.subscription.next() => change,
            };
            if self
                .name
                .as_deref()
                .is_some_and(|name| name != change.name())
            {
                continue;
            }
            let Some((event, object)) = change.event(&self.caller.app_id) else {
                continue;
            };
            // What is gone needs no secrets, and they may be gone with it.
            if event == ResourceEventType::Deleted {
                return Ok((object.json.clone(), event));
            }
            let (kind, namespace) = (self.kind, self.caller.namespace.as_str());
            return match self.secrets.fill(kind, namespace, object).await {
                Ok(json) => Ok((json, event)),
                Err(error) => {
                    let (name, kind) = (change.name(), kind.plural());
                    tracing::warn!(target: SCOPE, kind, namespace, name, "cannot send an object: {error}");
                    Err(Status::unknown(error.to_string()))
                }
            };
        }
    }
}

async fn closed(closing: &mut Watch) {
    closing.started().await;
    sleep(SPREAD.mul_f64(fastrand::f64())).await;
}
