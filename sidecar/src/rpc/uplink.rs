//! Sending a request that is still arriving.
//!
//! In a task of its own: an app that answers faster than its client reads
//! must not stop the other direction.

use std::{
    sync::Arc,
    task::{Poll, ready},
};

use api::{envelope::Frame, grpc::Status};
use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body_util::BodyExt as _;
use lifecycle::task::AbortOnDrop;
use parking_lot::Mutex;

use crate::message::{Body, BodyError};

/// Ends the sending when dropped.
#[derive(Debug)]
pub(crate) struct Uplink {
    _task: AbortOnDrop,
    failure: Arc<Mutex<Option<BodyError>>>,
}

impl Uplink {
    /// Sends `body` to its end.
    pub(crate) fn start(body: Body, stream: SendStream<Frame>) -> Self {
        let failure = Arc::default();
        let task = lifecycle::spawn("request body", send(body, stream, Arc::clone(&failure)));
        Self {
            _task: task.abort_on_drop(),
            failure,
        }
    }

    /// Why the request was given up, where the body is to blame.
    pub(crate) fn failure(&self) -> Option<BodyError> {
        self.failure.lock().take()
    }

    /// As [`Self::failure`], where its client is to blame.
    pub(super) fn refusal(&self) -> Option<Status> {
        match self.failure() {
            Some(BodyError::Receive(status)) => Some(status),
            _ => None,
        }
    }
}

async fn send(
    mut body: Body,
    mut stream: SendStream<Frame>,
    failure: Arc<Mutex<Option<BodyError>>>,
) {
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
                if !forward(&mut stream, data, end).await {
                    // The other side may have answered. HTTP/2 cancels calls
                    // whose request is let go of before their answer is sent.
                    std::future::pending::<()>().await;
                }
                if end {
                    return;
                }
            }
            Some(Err(error)) => {
                *failure.lock() = Some(error);
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
        let Some(room) = room(stream, data.len()).await else {
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

/// Bytes the other side has room for, of those wanted; `None` once it wants no
/// more.
pub(crate) async fn room(stream: &mut SendStream<Frame>, wanted: usize) -> Option<usize> {
    stream.reserve_capacity(wanted);
    std::future::poll_fn(|context| {
        loop {
            // Room that was there before is not told of again.
            match stream.capacity() {
                0 => {}
                room => return Poll::Ready(Some(room)),
            }
            match ready!(stream.poll_capacity(context)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
    })
    .await
}
