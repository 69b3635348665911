//! gRPC by hand: an HTTP/2 connection, and a caller that sends one message and compares the one that comes back.
//!
//! The message is letters, not protobuf: who forwards a call has no reason to look into it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::{self, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::task::{AbortHandle, JoinSet};

use super::connection::{self, CallError, Stamp, Target};

/// The app id that calls name; who is not a sidecar does not care.
pub(crate) const APP_ID: &str = "g";

/// Flag and length before each message.
pub(super) const PREFIX: usize = 5;

/// Windows wide enough that announcing more room is rare.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// An HTTP/2 connection that callers share; closed when the last one is dropped.
#[derive(Debug)]
pub(crate) struct Channel {
    requests: SendRequest<Bytes>,
    driver: AbortHandle,
    _tasks: JoinSet<()>,
}

impl Channel {
    pub(super) async fn open(address: SocketAddr) -> Result<Self, CallError> {
        let stream = connection::connect(address).await?;
        let (requests, connection) = client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_push(false)
            .handshake(stream)
            .await?;
        let mut tasks = JoinSet::new();
        let driver = tasks.spawn(async move {
            // Each call on the connection fails with it and tells why.
            let _ = connection.await;
        });
        Ok(Self {
            requests,
            driver,
            _tasks: tasks,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.driver.is_finished()
    }

    pub(super) async fn start(
        &self,
        request: Request<()>,
    ) -> Result<(client::ResponseFuture, SendStream<Bytes>), CallError> {
        let mut requests = self.requests.clone().ready().await?;
        Ok(requests.send_request(request, false)?)
    }
}

/// The head of a call to `target`.
pub(super) fn head(target: &Target) -> Request<()> {
    Request::post(format!("http://{}{}", target.address, target.path))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "bench")
        .header("dapr-app-id", APP_ID)
        .body(())
        .expect("addresses and paths of gRPC targets are constants")
}

/// A message with its prefix.
pub(super) fn message(body: &[u8]) -> BytesMut {
    let mut message = BytesMut::with_capacity(PREFIX + body.len());
    message.put_u8(0);
    message.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    message.extend_from_slice(body);
    message
}

/// Makes one unary call after the other.
#[derive(Debug)]
pub(crate) struct Caller {
    channel: Arc<Channel>,
    request: Request<()>,
    message: BytesMut,
    answer: Vec<u8>,
    stamp: Stamp,
}

impl Caller {
    pub(super) fn new(channel: Arc<Channel>, target: &Target) -> Self {
        Self {
            channel,
            request: head(target),
            message: message(&connection::body(target.body)),
            answer: Vec::new(),
            stamp: Stamp::new(),
        }
    }

    pub(super) async fn call(&mut self) -> Result<(), CallError> {
        let body = self.message.get_mut(PREFIX..);
        self.stamp.put(body.unwrap_or_default());
        let (response, mut sending) = self.channel.start(self.request.clone()).await?;
        sending.send_data(Bytes::copy_from_slice(&self.message), true)?;
        let mut response = accepted(response).await?;
        self.answer.clear();
        while let Some(piece) = response.data().await {
            let piece = piece?;
            self.answer.extend_from_slice(&piece);
            response.flow_control().release_capacity(piece.len())?;
        }
        check(&response.trailers().await?.unwrap_or_default())?;
        if self.answer != self.message {
            return Err(CallError::Body {
                got: self.answer.len(),
                sent: self.message.len(),
            });
        }
        Ok(())
    }
}

/// The body of an answer that has not failed yet.
pub(super) async fn accepted(response: client::ResponseFuture) -> Result<RecvStream, CallError> {
    let (head, body) = response.await?.into_parts();
    if head.status != 200 {
        return Err(CallError::Status {
            status: head.status.as_u16(),
            body: String::new(),
        });
    }
    if head.headers.contains_key("grpc-status") {
        check(&head.headers)?;
    }
    Ok(body)
}

/// Fails unless the call ended well.
pub(super) fn check(trailers: &HeaderMap) -> Result<(), CallError> {
    let text = |name| {
        trailers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("none")
            .to_owned()
    };
    match text("grpc-status") {
        code if code == "0" => Ok(()),
        code => Err(CallError::Grpc {
            code,
            message: text("grpc-message"),
        }),
    }
}
