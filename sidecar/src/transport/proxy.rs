//! A call that passes a peer unread.

use std::{sync::Arc, time::Duration};

use api::{
    grpc::{Code, Status},
    headers::APP_NOT_REACHED,
};
use bytes::Bytes;
use http::{HeaderMap, uri::PathAndQuery};
use policy::retry::Reached;
use tokio::time::Instant;

use super::{
    CallFailed, Peer,
    stream::{gone, sender},
};
use crate::{
    message::Body,
    rpc::{self, Broken, Outbound, RpcAnswer},
};

/// A call as it is passed on.
#[derive(Debug)]
pub(crate) struct Passed {
    /// `/package.Service/Method`.
    pub(crate) path: PathAndQuery,
    /// Metadata for the peer.
    pub(crate) metadata: HeaderMap,
    /// When its client gives up.
    pub(crate) deadline: Option<Instant>,
    /// What has arrived of the request.
    pub(crate) first: Bytes,
    /// The rest; `Empty` when `first` is all of it.
    pub(crate) rest: Body,
    /// Bytes one received message may have.
    pub(crate) message_limit: usize,
    /// Time for a connection, where there is another replica to go to.
    pub(crate) patience: Option<Duration>,
}

/// Makes the call on a connection to `peer` and returns once the answer has
/// begun, be it with a status.
pub(crate) async fn pass_on(peer: &Arc<Peer>, call: Passed) -> Result<RpcAnswer, CallFailed> {
    let in_flight = peer.enter();
    let sender = sender(peer, call.patience).await?;
    let outbound = Outbound {
        uri: peer.uri(call.path),
        metadata: call.metadata,
        deadline: call.deadline,
        first: call.first,
        rest: call.rest,
        message_limit: call.message_limit,
    };
    let answer = match rpc::exchange(sender, outbound, in_flight).await {
        Ok(answer) => answer,
        Err(Broken::Unsent(error)) => {
            gone(peer, &error);
            return Err(CallFailed::new(
                Reached::Nothing,
                Code::Unavailable,
                format!("connection closed before the call: {error}"),
            ));
        }
        Err(Broken::Cut(error)) => {
            if !error.is_reset() {
                gone(peer, &error);
            }
            return Err(CallFailed::cut(&error));
        }
        Err(Broken::Refused(status)) => return Err(CallFailed::of(status)),
    };
    match answer.status() {
        // Only a sidecar says that; another one may do.
        Some(status) if answer.headers.contains_key(APP_NOT_REACHED) => {
            Err(CallFailed::refused(status, &answer.headers))
        }
        _ => Ok(answer),
    }
}

impl CallFailed {
    /// A stream that ended without an answer.
    fn cut(error: &h2::Error) -> Self {
        let unseen = error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let reached = if unseen {
            Reached::Nothing
        } else if error.is_reset() {
            Reached::Final
        } else {
            Reached::Peer
        };
        let Status { code, message, .. } = rpc::cut(error);
        Self::new(reached, code, message)
    }

    /// Our own verdict.
    fn of(status: Status) -> Self {
        Self::new(Reached::Final, status.code, status.message)
    }
}

/// Makes sure of a connection to `peer`, without a call on it.
pub(crate) async fn reach(peer: &Arc<Peer>, patience: Option<Duration>) -> Result<(), CallFailed> {
    sender(peer, patience).await.map(drop)
}
