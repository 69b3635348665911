//! One call in the hands of a script.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderValue, Response};
use parking_lot::Mutex;
use prost::Message;
use tokio::sync::{mpsc, watch};

use super::GrpcSeen;
use super::wire::{GrpcMessage, GrpcStatus, append, frame};
use crate::wait::Gate;

/// A call; dropped without an end, it is reset.
#[derive(Debug)]
pub struct GrpcCall {
    pub(super) headers: HeaderMap,
    pub(super) path: String,
    pub(super) messages: mpsc::UnboundedReceiver<GrpcMessage>,
    pub(super) record: Arc<watch::Sender<GrpcSeen>>,
    pub(super) sender: Arc<Mutex<Sender>>,
    pub(super) reads: watch::Sender<bool>,
}

/// The sending half, in its three states.
pub(super) enum Sender {
    Head(SendResponse<Bytes>),
    Body(SendStream<Bytes>),
    Closed,
}

// === impl GrpcCall ===

impl GrpcCall {
    /// The path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The part of the path after the last slash.
    pub fn method(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The metadata.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a metadata entry.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next message; `None` when no more will come.
    pub async fn receive(&mut self) -> Option<GrpcMessage> {
        self.messages.recv().await
    }

    /// The next message as protobuf.
    pub async fn decode<M: Message + Default>(&mut self) -> Option<M> {
        M::decode(self.receive().await?.data).ok()
    }

    /// Reads to the half-close.
    pub async fn receive_all(&mut self) -> Vec<GrpcMessage> {
        let mut messages = Vec::new();
        while let Some(message) = self.receive().await {
            messages.push(message);
        }
        messages
    }

    /// Sends the initial metadata: the caller's content type and these.
    pub fn head(&mut self, headers: &[(&str, &str)]) {
        let content_type = self.headers.get("content-type").cloned();
        let mut map = HeaderMap::new();
        map.insert(
            "content-type",
            content_type.unwrap_or_else(|| HeaderValue::from_static("application/grpc")),
        );
        for (name, value) in headers {
            append(&mut map, name, value);
        }
        self.raw_head(map);
    }

    /// Sends these headers and nothing else.
    pub fn raw_head(&mut self, headers: HeaderMap) {
        let mut sender = self.sender.lock();
        if let Sender::Head(respond) = &mut *sender {
            let stream = respond.send_response(response(headers), false);
            *sender = stream.map_or(Sender::Closed, Sender::Body);
        }
    }

    /// Sends one message, as fast as the other side takes it; false when the
    /// stream is broken.
    pub async fn send(&mut self, data: impl AsRef<[u8]>) -> bool {
        self.send_raw(frame(false, data.as_ref())).await
    }

    /// [`Self::send`] with the flag of a compressed message.
    pub async fn send_compressed(&mut self, data: impl AsRef<[u8]>) -> bool {
        self.send_raw(frame(true, data.as_ref())).await
    }

    /// Sends bytes as they are.
    pub async fn send_raw(&mut self, mut bytes: Bytes) -> bool {
        self.head(&[]);
        while !bytes.is_empty() {
            let wanted = bytes.len();
            let Some(allowed) = poll_fn(|cx| self.sender.lock().poll_capacity(wanted, cx)).await
            else {
                return false;
            };
            let piece = bytes.split_to(allowed.min(wanted));
            let mut sender = self.sender.lock();
            let Sender::Body(stream) = &mut *sender else {
                return false;
            };
            if stream.send_data(piece, false).is_err() {
                return false;
            }
        }
        true
    }

    /// Ends with trailers; trailers only when nothing was sent before.
    pub fn end(&mut self, status: &GrpcStatus) {
        let mut trailers = status.to_trailers();
        let mut sender = self.sender.lock();
        match std::mem::replace(&mut *sender, Sender::Closed) {
            Sender::Head(mut respond) => {
                trailers.insert("content-type", HeaderValue::from_static("application/grpc"));
                let _ = respond.send_response(response(trailers), true);
            }
            Sender::Body(mut stream) => {
                let _ = stream.send_trailers(trailers);
            }
            Sender::Closed => {}
        }
    }

    /// Ends the stream without trailers.
    pub fn end_without_status(&mut self) {
        self.head(&[]);
        let mut sender = self.sender.lock();
        if let Sender::Body(mut stream) = std::mem::replace(&mut *sender, Sender::Closed) {
            let _ = stream.send_data(Bytes::new(), true);
        }
    }

    /// Ends with RST_STREAM.
    pub fn reset(&mut self, reason: Reason) {
        match std::mem::replace(&mut *self.sender.lock(), Sender::Closed) {
            Sender::Head(mut respond) => respond.send_reset(reason),
            Sender::Body(mut stream) => stream.send_reset(reason),
            Sender::Closed => {}
        }
    }

    /// A whole unary answer.
    pub async fn answer(&mut self, message: &impl Message) {
        self.send(message.encode_to_vec()).await;
        self.end(&GrpcStatus::ok());
    }

    /// Stops taking bytes, so that the window of the stream closes.
    pub fn hold(&self) {
        self.reads.send_replace(false);
    }

    /// Takes bytes again.
    pub fn release(&self) {
        self.reads.send_replace(true);
    }

    /// Waits until the other side has given the call up.
    pub async fn gone(&mut self) {
        let mut record = self.record.subscribe();
        let _ = record
            .wait_for(|seen| seen.reset.is_some() || seen.lost)
            .await;
    }
}

/// Waits at the gate without keeping the thread of all calls.
pub async fn passed(gate: &Gate) {
    const PAUSE: Duration = Duration::from_millis(2);
    while !gate.is_open() {
        tokio::time::sleep(PAUSE).await;
    }
}

// === impl Sender ===

impl Sender {
    /// Room for at most `wanted` bytes; `None` when the stream is broken.
    fn poll_capacity(&mut self, wanted: usize, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        let Self::Body(stream) = self else {
            return Poll::Ready(None);
        };
        stream.reserve_capacity(wanted);
        if stream.capacity() > 0 {
            return Poll::Ready(Some(stream.capacity()));
        }
        loop {
            match std::task::ready!(stream.poll_capacity(cx)) {
                Some(Ok(0)) => {}
                Some(Ok(room)) => return Poll::Ready(Some(room)),
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
    }

    pub(super) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Option<Reason>> {
        match self {
            Self::Head(respond) => respond.poll_reset(cx).map(Result::ok),
            Self::Body(stream) => stream.poll_reset(cx).map(Result::ok),
            Self::Closed => Poll::Ready(None),
        }
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Head(_) => "Head",
            Self::Body(_) => "Body",
            Self::Closed => "Closed",
        })
    }
}

fn response(headers: HeaderMap) -> Response<()> {
    let mut response = Response::new(());
    *response.headers_mut() = headers;
    response
}
