//! A call that passes a peer unread.

use std::{sync::Arc, time::Duration};

use api::{
    grpc::{Code, Status},
    headers::APP_NOT_REACHED,
};
use policy::retry::Reached;

use super::{
    CallFailed, Peer,
    stream::{gone, sender},
};
use crate::rpc::{self, Broken, Outbound, RpcAnswer};

/// Makes the call on a connection to `peer` and returns once the answer has
/// begun, be it with a status. `patience`: time for a connection, where there
/// is another replica to go to.
pub(crate) async fn pass_on(
    peer: &Arc<Peer>,
    patience: Option<Duration>,
    call: Outbound,
) -> Result<RpcAnswer, CallFailed> {
    let in_flight = peer.enter();
    let sender = sender(peer, patience).await?;
    let answer = match rpc::exchange(sender, peer.site(), call, in_flight).await {
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
