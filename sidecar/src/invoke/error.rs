//! Why an invocation failed, before anything becomes wire form.

use api::grpc::{Code, Status};

use crate::{channel::ChannelError, message::BodyError, resolve::ResolveError};

/// A failed invocation. The texts are what clients of Dapr know.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvokeError {
    /// Too many dots.
    #[error("invalid app id {0}")]
    InvalidAppId(String),
    /// No app id at all.
    #[error("app id is empty")]
    EmptyAppId,
    /// A URL instead of an app id.
    #[error("calling URLs is not available in this version; call an app id")]
    UrlTarget,
    /// The decoded path cannot travel as text.
    #[error(
        "error sending message: rpc error: code = Internal desc = grpc: error while marshaling: string field contains invalid UTF-8"
    )]
    NotUtf8,
    /// The method must not be delivered.
    #[error("rpc error: code = InvalidArgument desc = {0}")]
    Method(#[from] policy::method::MethodError),
    /// The name leads nowhere.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A name without one usable address.
    #[error("no host found with the given ID")]
    NoReplica,
    /// A self call to a sidecar without an app.
    #[error("cannot invoke local endpoint: app channel not initialized")]
    NoApp,
    /// Our own app did not answer.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The request body failed.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The peer, or the way to it, failed.
    #[error("{}", peer_text(.target, *.retries, .status))]
    Peer {
        /// What the caller named.
        target: String,
        /// Retries made in vain.
        retries: u32,
        /// Last failure.
        status: Status,
    },
    /// A call that passed unread ended so.
    #[error("{0}")]
    Rpc(Status),
    /// A circuit breaker says no.
    #[error(transparent)]
    Rejected(#[from] policy::resiliency::Rejected),
    /// The time of an attempt is over.
    #[error("context deadline exceeded")]
    Timeout,
    /// An answer or a body that is not what it should be.
    #[error("{0}")]
    Broken(String),
    /// A streamed body and a peer that cannot stream.
    #[error(
        "target app '{0}' is running a version of Dapr that does not support streaming-based service invocation"
    )]
    NoStreaming(String),
}

impl InvokeError {
    /// HTTP status of the failure.
    pub(crate) fn http_status(&self) -> u16 {
        match self {
            // Denied by the callee's access list; every other failure of the
            // way is a server error, whatever its code.
            Self::Peer {
                status:
                    Status {
                        code: Code::PermissionDenied,
                        ..
                    },
                ..
            } => 403,
            _ => 500,
        }
    }
}

impl InvokeError {
    /// The status of the rpc that failed, where one did.
    pub(crate) fn into_rpc_status(self) -> Result<Status, Self> {
        match self {
            Self::Rpc(status)
            | Self::Peer { status, .. }
            | Self::Body(BodyError::Receive(status))
            | Self::Channel(ChannelError::Unreachable(status) | ChannelError::Rpc(status)) => {
                Ok(status)
            }
            other => Err(other),
        }
    }
}

fn peer_text(target: &str, retries: u32, status: &Status) -> String {
    match retries {
        0 => status.to_string(),
        _ => format!("failed to invoke target {target} after {retries} retries. Error: {status}"),
    }
}
