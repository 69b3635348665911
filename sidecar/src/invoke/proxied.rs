//! Calls whose messages pass unread: who is meant, on which replica, and when
//! another one is tried.
//!
//! Mirrors Dapr 1.18 `pkg/messaging/grpc_proxy.go` with these differences: own
//! names are never resolved, identity metadata is replaced instead of
//! appended, and what no sidecar has seen is tried on every replica.

mod governed;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use api::{
    grpc::Status,
    headers::{CALLEE_APP_ID, CALLER_APP_ID},
    metadata,
};
use bytes::Bytes;
use http::{HeaderMap, uri::PathAndQuery};
use policy::retry::{PAUSE, Reached};
use tracing::debug;

use super::{
    InvokeError, Invoker, Target,
    attempts::{DIAL_PATIENCE, LONE_PATIENCE, Route, pick, warm_one},
    outgoing::Trace,
    replay::Replay,
};
use crate::{
    message::{
        Body,
        body::{self, Peeked},
    },
    rpc::{self, Outbound, Rpc, RpcAnswer},
    transport::{self, CallFailed, Peer},
};

const SCOPE: &str = "dapr.runtime.direct_messaging";

/// A call to pass on.
#[derive(Debug)]
pub(crate) struct Proxied {
    /// What the client named.
    pub(crate) target: String,
    /// The name that policies are looked up by; none for what another sidecar
    /// has addressed already.
    pub(crate) policy: Option<String>,
    /// Policies cover its opening only.
    pub(crate) is_stream: bool,
    /// Trace context of the call.
    pub(crate) trace: Trace,
    /// The call, metadata as the client sent it.
    pub(crate) rpc: Rpc,
}

/// What every attempt sends again.
struct Prepared {
    path: PathAndQuery,
    metadata: HeaderMap,
    deadline: Option<tokio::time::Instant>,
    body: PreparedBody,
}

enum PreparedBody {
    Whole(Bytes),
    Arriving(Replay),
}

impl Prepared {
    async fn new(rpc: Rpc, room: usize, is_repeatable: bool) -> Result<Self, InvokeError> {
        let body = match body::peek(rpc.body).await? {
            Peeked::Whole(bytes) => PreparedBody::Whole(bytes),
            Peeked::Begun(first, rest) => {
                PreparedBody::Arriving(Replay::new(first, rest, room, is_repeatable))
            }
        };
        Ok(Self {
            path: rpc.path,
            metadata: rpc.metadata,
            deadline: rpc.deadline,
            body,
        })
    }

    fn pieces(&self) -> (Bytes, Body) {
        match &self.body {
            PreparedBody::Whole(bytes) => (bytes.clone(), Body::Empty),
            PreparedBody::Arriving(replay) => (Bytes::new(), replay.attempt()),
        }
    }

    fn is_replayable(&self, unseen: bool) -> bool {
        match &self.body {
            PreparedBody::Whole(_) => true,
            PreparedBody::Arriving(replay) => replay.is_possible(unseen),
        }
    }

    /// The answer has begun: nothing will be sent again.
    fn settle(&self) {
        if let PreparedBody::Arriving(replay) = &self.body {
            replay.settle();
        }
    }
}

impl Invoker {
    /// Passes a call on; returns once its answer has begun.
    pub(crate) async fn proxy(&self, call: Proxied) -> Result<RpcAnswer, InvokeError> {
        let Proxied {
            target: text,
            policy,
            is_stream,
            trace,
            mut rpc,
        } = call;
        let target = Target::of_app(&text, &self.me)?;
        metadata::proxied(&mut rpc.metadata);
        for (name, value) in trace {
            rpc.metadata.insert(name, value);
        }
        let Target::App { app_id, namespace } = &target else {
            // Large, and absent from most calls.
            return Box::pin(self.own(rpc)).await;
        };
        let stamp = self.stamp(app_id);
        rpc.metadata.insert(CALLER_APP_ID, stamp.caller);
        rpc.metadata.insert(CALLEE_APP_ID, stamp.callee);
        let route = Route {
            text: &text,
            app_id,
            namespace,
        };
        let resiliency = self.policies.resiliency();
        let rules = policy
            .as_deref()
            .and_then(|name| Some((name, &**resiliency.as_deref()?.rules(name)?)));
        match rules {
            None => {
                let prepared = Prepared::new(rpc, self.limits.replay, false).await?;
                let answer = self.pass(route, &prepared).await?;
                prepared.settle();
                Ok(answer)
            }
            // Large, and absent from the calls of most sidecars.
            Some(rules) => Box::pin(self.governed(route, rules, is_stream, rpc)).await,
        }
    }

    /// The own app, without another sidecar.
    async fn own(&self, mut rpc: Rpc) -> Result<RpcAnswer, InvokeError> {
        let channel = self.channel.as_ref();
        let channel = channel.ok_or_else(|| InvokeError::Rpc(rpc::no_app()))?;
        let stamp = self.stamp(&self.me.app_id);
        rpc.metadata.insert(CALLER_APP_ID, stamp.caller);
        rpc.metadata.insert(CALLEE_APP_ID, stamp.callee);
        Ok(channel.proxy(rpc).await?)
    }

    /// Tries replicas until one has seen the call.
    async fn pass(&self, route: Route<'_>, prepared: &Prepared) -> Result<RpcAnswer, InvokeError> {
        let mut search = Search::new(self, route);
        loop {
            let (peer, patience) = search.next().await?;
            let (first, rest) = prepared.pieces();
            let call = Outbound {
                path: prepared.path.clone(),
                metadata: prepared.metadata.clone(),
                deadline: prepared.deadline,
                first,
                rest,
                message_limit: self.limits.body,
            };
            match transport::pass_on(&peer, patience, call).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => {
                    let may_go_on = prepared.is_replayable(true);
                    search.failed(&peer, failed, may_go_on).await?;
                }
            }
        }
    }
}

/// The search of one call for a replica that takes it.
struct Search<'a> {
    invoker: &'a Invoker,
    route: Route<'a>,
    began: Instant,
    peers: Arc<[Arc<Peer>]>,
    tried: Vec<std::net::SocketAddr>,
    /// All replicas have been tried once on a new connection.
    reconnected: bool,
    failure: Option<Status>,
}

impl<'a> Search<'a> {
    fn new(invoker: &'a Invoker, route: Route<'a>) -> Self {
        Self {
            invoker,
            route,
            began: Instant::now(),
            peers: Arc::new([]),
            tried: Vec::new(),
            reconnected: false,
            failure: None,
        }
    }

    /// The replica to try, and how long connecting to it may take.
    async fn next(&mut self) -> Result<(Arc<Peer>, Option<Duration>), InvokeError> {
        let Route {
            app_id, namespace, ..
        } = self.route;
        let peers = self.invoker.peers(app_id, namespace).await;
        self.peers = match (peers, self.failure.take()) {
            (Ok(peers), _) => peers,
            // Names have given up an address that failed a moment ago.
            (Err(_), Some(failure)) => return Err(InvokeError::Rpc(failure)),
            (Err(error), None) => return Err(error),
        };
        let peer = pick(&self.peers, &self.tried).ok_or(InvokeError::NoReplica)?;
        warm_one(&self.peers, peer);
        let elsewhere = self.peers.iter().any(|other| {
            other.address() != peer.address() && !self.tried.contains(&other.address())
        });
        let patience = if elsewhere {
            Some(DIAL_PATIENCE)
        } else {
            self.may_lag().then_some(LONE_PATIENCE)
        };
        Ok((Arc::clone(peer), patience))
    }

    /// Whether names may still be about to change.
    fn may_lag(&self) -> bool {
        self.began.elapsed() < self.invoker.names.lag()
    }

    /// Notes a failure; returns to let another attempt follow.
    async fn failed(
        &mut self,
        peer: &Arc<Peer>,
        failed: CallFailed,
        may_go_on: bool,
    ) -> Result<(), InvokeError> {
        let Route {
            app_id, namespace, ..
        } = self.route;
        let names = &self.invoker.names;
        if failed.reached == Reached::Nothing {
            names.evict(app_id, namespace, peer.address());
        }
        if !self.tried.contains(&peer.address()) {
            self.tried.push(peer.address());
        }
        let is_unseen = matches!(failed.reached, Reached::Nothing | Reached::Sidecar);
        if !(is_unseen && may_go_on) {
            return Err(InvokeError::Rpc(failed.status));
        }
        debug!(target: SCOPE, app_id, error = %failed.status, "trying again");
        let is_more = self
            .peers
            .iter()
            .any(|peer| !self.tried.contains(&peer.address()));
        if is_more {
            self.failure = Some(failed.status);
            return Ok(());
        }
        if failed.reached != Reached::Nothing {
            return Err(InvokeError::Rpc(failed.status));
        }
        if self.reconnected {
            if !self.may_lag() {
                return Err(InvokeError::Rpc(failed.status));
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.reconnected = true;
        self.tried.clear();
        self.failure = Some(failed.status);
        Ok(())
    }
}
