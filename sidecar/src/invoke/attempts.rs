//! Attempts on the replicas of an app, under the built-in policy.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use api::grpc::Code;
use policy::{
    resiliency::BUILT_IN,
    retry::{BuiltIn, Moment, Next, Reached},
};
use tracing::{debug, info, warn};

use super::{
    InvokeError, Invoker,
    outgoing::{Outgoing, OutgoingBody},
};
use crate::transport::{self, Answer, Call, CallFailed, Peer};

const SCOPE: &str = "dapr.runtime.direct_messaging";
/// Time for a connection while another replica may do: packets to a pod that
/// is gone vanish.
pub(super) const DIAL_PATIENCE: Duration = Duration::from_millis(500);
/// The same where there is none, but names may lag behind.
pub(super) const LONE_PATIENCE: Duration = Duration::from_secs(1);

/// Where a call goes.
#[derive(Clone, Copy)]
pub(super) struct Route<'a> {
    /// What the client named.
    pub(super) text: &'a str,
    pub(super) app_id: &'a str,
    pub(super) namespace: &'a str,
}

impl Invoker {
    /// Tries replicas until one answers or `policy` says no.
    pub(super) async fn attempts(
        &self,
        route: Route<'_>,
        outgoing: &Outgoing,
        mut policy: BuiltIn,
    ) -> Result<Answer, InvokeError> {
        let app_id = route.app_id;
        let mut tried: Vec<SocketAddr> = Vec::new();
        let began = Instant::now();
        let mut told = false;
        let mut waits = 0;
        loop {
            let peers = self.peers(app_id, route.namespace).await?;
            let peer = pick(&peers, &tried).ok_or(InvokeError::NoReplica)?;
            warm_one(&peers, peer);
            let elsewhere = peers.iter().any(|other| {
                other.address() != peer.address() && !tried.contains(&other.address())
            });
            let behind = began.elapsed() < self.names.lag();
            // After one round through all of them they are slow, not gone.
            let patience = match policy.retries() {
                0 if elsewhere => Some(DIAL_PATIENCE),
                _ if behind => Some(LONE_PATIENCE),
                _ => None,
            };
            let failed = match self.attempt(peer, outgoing, patience).await {
                Ok(answer) => {
                    if told {
                        let attempts = policy.retries() + 1;
                        info!(target: "dapr.runtime", "Recovered processing operation {BUILT_IN} after {attempts} attempts");
                    }
                    return Ok(answer);
                }
                Err(failed) => failed,
            };
            if failed.unimplemented {
                return self.unary(route, peer, outgoing).await;
            }
            if failed.reached == Reached::Nothing {
                self.names.evict(app_id, route.namespace, peer.address());
            }
            if !tried.contains(&peer.address()) {
                tried.push(peer.address());
            }
            let untried = peers
                .iter()
                .filter(|peer| !tried.contains(&peer.address()))
                .count();
            let unseen = matches!(failed.reached, Reached::Nothing | Reached::Sidecar);
            let replayable = outgoing.is_replayable(unseen);
            match policy.after(failed.reached, replayable, untried, || moment(began)) {
                Next::Again => {
                    debug!(target: SCOPE, app_id, error = %failed.status, "trying another replica");
                }
                Next::After(pause) => {
                    if !told {
                        told = true;
                        let shown = api::duration::GoDuration::from(pause);
                        warn!(target: "dapr.runtime", "Error processing operation {BUILT_IN}. Retrying in {shown}…");
                    }
                    debug!(target: "dapr.runtime", "Error for operation {BUILT_IN} was: {}", failed.status);
                    if failed.reached == Reached::Nothing {
                        self.newcomer(route, &tried, pause).await;
                    } else {
                        tokio::time::sleep(pause).await;
                    }
                    tried.clear();
                }
                // Nobody is at any of the addresses; names are about to tell others.
                Next::Fail if behind && replayable && failed.reached == Reached::Nothing => {
                    debug!(target: SCOPE, app_id, error = %failed.status, "waiting for names to catch up");
                    waits += 1;
                    tried.clear();
                    tokio::time::sleep(policy::retry::PAUSE).await;
                }
                Next::Fail => return Err(given_up(route, failed, policy.retries() + waits)),
            }
        }
    }

    /// Waits for an address other than those `tried`, at most for `pause`: an
    /// app that was started again elsewhere need not be waited for.
    async fn newcomer(&self, route: Route<'_>, tried: &[SocketAddr], pause: Duration) {
        let found = async {
            let Route {
                app_id, namespace, ..
            } = route;
            match self.names.resolve(app_id, namespace).await {
                Ok(addresses) if addresses.iter().any(|known| !tried.contains(known)) => {}
                _ => std::future::pending().await,
            }
        };
        // Either way it is time for the next attempt.
        let _ = tokio::time::timeout(pause, found).await;
    }

    async fn attempt(
        &self,
        peer: &Arc<Peer>,
        outgoing: &Outgoing,
        patience: Option<Duration>,
    ) -> Result<Answer, CallFailed> {
        let (first, rest) = outgoing.pieces();
        let call = Call {
            parts: outgoing.parts(),
            trace: outgoing.trace.clone(),
            deadline: outgoing.deadline,
            first,
            rest,
            message_limit: self.limits.message,
            patience,
        };
        transport::call(peer, call).await
    }

    /// For peers of before streaming.
    async fn unary(
        &self,
        route: Route<'_>,
        peer: &Arc<Peer>,
        outgoing: &Outgoing,
    ) -> Result<Answer, InvokeError> {
        let body = match &outgoing.body {
            OutgoingBody::Whole { bytes, .. } => bytes.clone(),
            OutgoingBody::Arriving(replay) if replay.is_possible(false) => {
                use http_body_util::BodyExt as _;
                replay.attempt().collect().await?.to_bytes()
            }
            OutgoingBody::Arriving(_) => {
                return Err(InvokeError::NoStreaming(route.app_id.to_owned()));
            }
        };
        let limit = self.limits.message;
        transport::call_unary(peer, &outgoing.parts(), &outgoing.trace, &body, limit)
            .await
            .map_err(|failed| InvokeError::Peer {
                target: route.text.to_owned(),
                retries: 0,
                status: failed.status,
            })
    }

    pub(super) async fn peers(
        &self,
        app_id: &str,
        namespace: &str,
    ) -> Result<Arc<[Arc<Peer>]>, InvokeError> {
        let addresses = match self.names.get(app_id, namespace) {
            Some(addresses) => addresses,
            None => self.names.resolve(app_id, namespace).await?,
        };
        Ok(self.transport.peers(namespace, app_id, &addresses))
    }
}

/// What the caller is told in the end. Only failures that are tried again
/// say how often they were.
fn given_up(route: Route<'_>, failed: CallFailed, retries: u32) -> InvokeError {
    debug!(target: SCOPE, app_id = route.app_id, error = %failed.status, "invocation failed");
    if failed.is_plain {
        return InvokeError::Broken(failed.status.message);
    }
    let is_passing = matches!(
        failed.status.code,
        Code::Unavailable | Code::Unauthenticated
    );
    InvokeError::Peer {
        target: route.text.to_owned(),
        retries: if is_passing { retries } else { 0 },
        status: failed.status,
    }
}

/// What a pause after a failure may depend on.
pub(super) fn moment(began: Instant) -> Moment {
    Moment {
        elapsed: began.elapsed(),
        random: fastrand::f64(),
    }
}

/// Connects one replica more for the calls to come: names list pods that just
/// came and pods that are gone, and nobody should wait to learn which.
pub(super) fn warm_one(peers: &[Arc<Peer>], picked: &Arc<Peer>) {
    if peers.len() < 2 {
        return;
    }
    let start = fastrand::usize(..peers.len());
    let cold = peers
        .iter()
        .cycle()
        .skip(start)
        .take(peers.len())
        .find(|peer| !(peer.is_connected() || peer.is_avoided() || Arc::ptr_eq(peer, picked)));
    if let Some(peer) = cold {
        peer.warm();
    }
}

/// Of two replicas chosen at random the one with less to do. Replicas already
/// tried by this call, known to be in trouble or not connected come last.
pub(super) fn pick<'a>(peers: &'a [Arc<Peer>], tried: &[SocketAddr]) -> Option<&'a Arc<Peer>> {
    if let [only] = peers {
        return Some(only);
    }
    let rank = |peer: &Arc<Peer>| {
        let tried = tried.contains(&peer.address());
        (tried, peer.is_avoided(), !peer.is_connected())
    };
    let best = peers.iter().map(rank).min()?;
    let count = peers.iter().filter(|peer| rank(peer) == best).count();
    let nth = |index: usize| peers.iter().filter(|peer| rank(peer) == best).nth(index);
    let first = fastrand::usize(..count);
    if count == 1 {
        return nth(0);
    }
    let second = (first + fastrand::usize(1..count)) % count;
    let (first, second) = (nth(first)?, nth(second)?);
    Some(if second.load() < first.load() {
        second
    } else {
        first
    })
}
