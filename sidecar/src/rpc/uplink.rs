//! Sending a request that is still arriving.
//!
//! In a task of its own: an app that answers faster than its client reads
//! must not stop the other direction.

use std::sync::Arc;

use api::{envelope::Frame, grpc::Status};
use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body_util::BodyExt as _;
use lifecycle::task::AbortOnDrop;
use parking_lot::Mutex;

use crate::message::{Body, BodyError};

/// Ends the sending when dropped.
#[derive(Debug)]
pub(super) struct Uplink {
    _task: AbortOnDrop,
    failure: Arc<Mutex<Option<Status>>>,
}

impl Uplink {
    pub(super) fn start(body: Body, stream: SendStream<Frame>) -> Self {
        let failure = Arc::default();
        let task = lifecycle::spawn("rpc request", send(body, stream, Arc::clone(&failure)));
        Self {
            _task: task.abort_on_drop(),
            failure,
        }
    }

    /// Why the request was given up, where its client is to blame.
    pub(super) fn failure(&self) -> Option<Status> {
        self.failure.lock().take()
    }
}

async fn send(mut body: Body, mut stream: SendStream<Frame>, failure: Arc<Mutex<Option<Status>>>) {
    loop {
        match body.frame().await {
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                if data.is_empty() {
                    continue;
                }
                let end = http_body::Body::is_end_stream(&body);
                if !forward(&mut stream, data, end).await || end {
                    return;
                }
            }
            Some(Err(error)) => {
                if let BodyError::Receive(status) = error {
                    *failure.lock() = Some(status);
                }
                stream.send_reset(Reason::CANCEL);
                return;
            }
            None => {
                // Refused when the other side has ended the call.
                let _ = stream.send_data(Frame::default(), true);
                return;
            }
        }
    }
}

/// Sends as the other side makes room. False once it wants no more.
async fn forward(stream: &mut SendStream<Frame>, mut data: Bytes, end: bool) -> bool {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
        let Some(Ok(room)) = room else {
            return false;
        };
        let piece = data.split_to(room.min(data.len()));
        let last = end && data.is_empty();
        if stream.send_data(Frame::whole(piece), last).is_err() {
            return false;
        }
    }
    true
}
