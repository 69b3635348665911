//! One writer among several replicas: whoever holds the Lease. Times are those
//! of controller-runtime, so that our replicas and Dapr's can share a Lease
//! while one replaces the other.
//!
//! Others' clocks are not trusted: a holder counts as gone when its Lease has
//! not changed for [`LEASE`] as measured here, or when its pod is no more: an
//! uninstalled release takes the right to give a Lease back along.

use std::sync::Arc;
use std::time::Duration;

use control_plane::is_object_name;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::{ListParams, PartialObjectMeta, PostParams};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::SCOPE;
use super::cluster::{RequestError, optional, request};

const NAME: &str = "operator.dapr.io";
/// A Lease that nobody renewed for this long is free.
const LEASE: Duration = Duration::from_secs(15);
/// A leader that could not renew for this long stops: well before anybody
/// else may begin.
const DEADLINE: Duration = Duration::from_secs(10);
/// Pause between two tries to get or to renew it.
const RETRY: Duration = Duration::from_secs(2);
/// Names of the chart's pods begin so.
const POD_PREFIX: &str = "dapr-operator-";
/// Time to hand it back on the way out.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Somebody else may be the leader by now.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no longer the leader")]
pub(super) struct NotLeader;

/// Until when we may write. Asked before each write: a process that was
/// stopped for a while must not go on as if nothing had happened.
#[derive(Clone, Debug)]
pub(super) struct Fence(Option<Arc<Mutex<Instant>>>);

impl Fence {
    /// For a replica that is alone.
    pub(super) const fn open() -> Self {
        Self(None)
    }

    pub(super) fn check(&self) -> Result<(), NotLeader> {
        match &self.0 {
            Some(until) if *until.lock() <= Instant::now() => Err(NotLeader),
            _ => Ok(()),
        }
    }
}

/// A candidate.
pub(super) struct Election {
    api: Api<Lease>,
    pods: Api<PartialObjectMeta<Pod>>,
    me: String,
    until: Arc<Mutex<Instant>>,
    /// The Lease as we saw it last, and when it had changed.
    seen: Option<(Lease, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Ours,
    Theirs,
}

impl Election {
    /// `pod` is the start of our name in the Lease.
    pub(super) fn new(client: kube::Client, namespace: &str, pod: &str) -> Self {
        Self {
            api: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client, namespace),
            me: format!("{pod}_{:016x}", fastrand::u64(..)),
            until: Arc::new(Mutex::new(Instant::now())),
            seen: None,
        }
    }

    /// Waits until we are the leader.
    pub(super) async fn win(&mut self) -> Fence {
        tracing::info!(target: SCOPE, "attempting to become the leader, lease {NAME}");
        let mut told = false;
        loop {
            match self.claim().await {
                Ok(Claim::Ours) => {
                    tracing::info!(target: SCOPE, identity = self.me, "became the leader");
                    return Fence(Some(Arc::clone(&self.until)));
                }
                Ok(Claim::Theirs) => told = false,
                Err(error) if !told => {
                    told = true;
                    tracing::warn!(target: SCOPE, "cannot take part in the election, trying again: {error}");
                }
                Err(error) => {
                    tracing::debug!(target: SCOPE, "cannot take part in the election: {error}");
                }
            }
            sleep(RETRY.mul_f64(1.0 + fastrand::f64() / 5.0)).await;
        }
    }

    /// Renews until that is no longer possible.
    pub(super) async fn hold(&mut self) {
        let mut told = false;
        loop {
            sleep(RETRY).await;
            let until = *self.until.lock();
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left, self.claim()).await {
                Ok(Ok(Claim::Ours)) => told = false,
                Ok(Ok(Claim::Theirs)) => {
                    *self.until.lock() = Instant::now();
                    tracing::warn!(target: SCOPE, "somebody else is the leader now");
                    return;
                }
                Ok(Err(error)) if !told => {
                    told = true;
                    tracing::warn!(target: SCOPE, "failed to renew the lease, trying again: {error}");
                }
                Ok(Err(error)) => {
                    tracing::debug!(target: SCOPE, "failed to renew the lease: {error}");
                }
                Err(_) => {
                    tracing::warn!(target: SCOPE, "no longer the leader: the lease could not be renewed in time");
                    return;
                }
            }
        }
    }

    /// Gives the Lease back, so that another replica need not wait for its end.
    pub(super) async fn release(&mut self) {
        let Some((mut lease, _)) = self.seen.take() else {
            return;
        };
        if holder(&lease) != self.me {
            return;
        }
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        *self.until.lock() = Instant::now();
        match timeout(RELEASE_TIMEOUT, self.replace(&lease)).await {
            Ok(Ok(_)) => tracing::info!(target: SCOPE, "gave up leadership"),
            Ok(Err(error)) => {
                tracing::debug!(target: SCOPE, "failed to release the lease: {error}");
            }
            Err(_) => tracing::debug!(target: SCOPE, "failed to release the lease in time"),
        }
    }

    /// One try to get or to keep the Lease.
    async fn claim(&mut self) -> Result<Claim, RequestError> {
        let asked = Instant::now();
        let ours = match &self.seen {
            Some((lease, _)) if holder(lease) == self.me => Some(lease.clone()),
            _ => None,
        };
        // The usual case: nobody touched it since our last write.
        if let Some(lease) = ours {
            match self.replace(&self.renewed(lease)).await {
                Ok(lease) => return Ok(self.won(lease, asked)),
                Err(error) if error.is_conflict() || error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        let Some(found) = optional(self.api.get(NAME)).await? else {
            let lease = self.renewed(Lease::default());
            let created = request(self.api.create(&PostParams::default(), &lease)).await;
            return match created {
                Ok(lease) => Ok(self.won(lease, asked)),
                Err(error) if error.is_conflict() => Ok(Claim::Theirs),
                Err(error) => Err(error),
            };
        };
        if !self.is_free(&found) && !self.is_orphaned(&found).await {
            return Ok(Claim::Theirs);
        }
        match self.replace(&self.renewed(found)).await {
            Ok(lease) => Ok(self.won(lease, asked)),
            Err(error) if error.is_conflict() => Ok(Claim::Theirs),
            Err(error) => Err(error),
        }
    }

    fn is_free(&mut self, found: &Lease) -> bool {
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        let now = Instant::now();
        let since = match &self.seen {
            Some((seen, since)) if version(seen) == version(found) => *since,
            _ => {
                self.seen = Some((found.clone(), now));
                now
            }
        };
        let lasts = found
            .spec
            .as_ref()
            .and_then(|spec| u64::try_from(spec.lease_duration_seconds?).ok())
            .map_or(LEASE, Duration::from_secs);
        let holder = holder(found);
        holder.is_empty() || holder == self.me || since + lasts <= now
    }

    /// Whether the pod that holds it is gone. Names of other shapes (a node's,
    /// on the host's network) say nothing.
    async fn is_orphaned(&self, found: &Lease) -> bool {
        let Some((pod, _)) = holder(found).rsplit_once('_') else {
            return false;
        };
        if !(pod.starts_with(POD_PREFIX) && is_object_name(pod)) {
            return false;
        }
        let by_name = ListParams::default().fields(&format!("metadata.name={pod}"));
        match request(self.pods.list(&by_name)).await {
            Ok(found) => found.items.is_empty(),
            Err(error) => {
                tracing::debug!(target: SCOPE, "cannot tell whether the holder of the lease lives: {error}");
                false
            }
        }
    }

    fn won(&mut self, lease: Lease, asked: Instant) -> Claim {
        self.seen = Some((lease, Instant::now()));
        *self.until.lock() = asked + DEADLINE;
        Claim::Ours
    }

    fn renewed(&self, mut lease: Lease) -> Lease {
        let now = MicroTime(Timestamp::now());
        let mine = holder(&lease) == self.me;
        let LeaseSpec {
            acquire_time,
            lease_transitions,
            ..
        } = lease.spec.take().unwrap_or_default();
        let transitions = match lease_transitions {
            Some(count) if mine => count,
            Some(count) => count.saturating_add(1),
            None => 0,
        };
        Lease {
            metadata: ObjectMeta {
                name: Some(NAME.to_owned()),
                ..lease.metadata
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.me.clone()),
                lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
                acquire_time: acquire_time.filter(|_| mine).or_else(|| Some(now.clone())),
                renew_time: Some(now),
                lease_transitions: Some(transitions),
                ..LeaseSpec::default()
            }),
        }
    }

    /// Fails when somebody else wrote meanwhile.
    async fn replace(&self, lease: &Lease) -> Result<Lease, RequestError> {
        request(self.api.replace(NAME, &PostParams::default(), lease)).await
    }
}

fn holder(lease: &Lease) -> &str {
    lease
        .spec
        .as_ref()
        .and_then(|spec| spec.holder_identity.as_deref())
        .unwrap_or_default()
}
