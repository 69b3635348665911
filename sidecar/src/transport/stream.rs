//! One call to a peer: `CallLocalStream`, or `CallLocal` for peers that have
//! no streaming.
//!
//! Request body and answer are polled in one task, so an app may answer while
//! its caller is still sending.

mod answer;
mod pump;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use api::{
    envelope::{self, Frame, FrameReader, RequestParts, ResponseHead},
    grpc::{Code, Status},
    headers::APP_NOT_REACHED,
};
use bytes::Bytes;
use h2::{
    RecvStream,
    client::{ResponseFuture, SendRequest},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use policy::retry::Reached;
use tokio::time::Instant;

use super::{Peer, peer::InFlight};
use crate::{
    message::{Body, BodyError, body::Sequence},
    rpc::time_left,
};
use answer::{AnswerBody, read_message};
use pump::{Pump, Pumped};

/// A call as the transport sends it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// Envelope of the first message.
    pub(crate) parts: RequestParts<'a>,
    /// Trace context for the peer.
    pub(crate) trace: [(HeaderName, HeaderValue); 2],
    /// When the client gives up, where it says so.
    pub(crate) deadline: Option<Instant>,
    /// First bytes of the body, if some are here.
    pub(crate) first: Bytes,
    /// The rest of the body; `Empty` when `first` is all of it.
    pub(crate) rest: Body,
    /// Bytes one received message may have.
    pub(crate) message_limit: usize,
    /// Time for a connection, where there is another replica to go to.
    pub(crate) patience: Option<Duration>,
}

/// An answer of which the head has arrived.
#[derive(Debug)]
pub(crate) struct Answer {
    /// First message of the peer.
    pub(crate) head: ResponseHead,
    /// The body.
    pub(crate) body: Body,
}

/// A call without an answer.
#[derive(Debug)]
pub(crate) struct CallFailed {
    /// What the caller is told.
    pub(crate) status: Status,
    /// How far the call got.
    pub(crate) reached: Reached,
    /// The peer has no streaming.
    pub(crate) unimplemented: bool,
    /// The text stands for itself: no rpc failed.
    pub(crate) is_plain: bool,
}

impl CallFailed {
    pub(super) fn new(reached: Reached, code: Code, message: impl Into<String>) -> Self {
        Self {
            status: Status::new(code, message),
            reached,
            unimplemented: false,
            is_plain: false,
        }
    }

    /// Of a status the peer ended the call with.
    pub(super) fn refused(status: Status, trailers: &HeaderMap) -> Self {
        let not_reached = trailers.contains_key(APP_NOT_REACHED);
        let reached = match status.code {
            // Not this app, or not any more: another address may do.
            Code::Unavailable if not_reached => Reached::Nothing,
            _ if not_reached => Reached::Sidecar,
            Code::Unavailable | Code::Unauthenticated => Reached::Peer,
            _ => Reached::Final,
        };
        // Peers of before streaming answer with the text of their proxy.
        let unimplemented = status.code == Code::Unimplemented
            || (status.code == Code::Unknown
                && status.message.starts_with("failed to proxy request"));
        Self {
            status,
            reached,
            unimplemented,
            is_plain: false,
        }
    }

    fn broken(error: &h2::Error) -> Self {
        // A stream the peer never began to look at.
        if error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM) {
            return Self::new(
                Reached::Nothing,
                Code::Unavailable,
                format!("the peer is going away: {error}"),
            );
        }
        match error.reason() {
            Some(h2::Reason::CANCEL) if error.is_remote() => Self::new(
                Reached::Peer,
                Code::Unavailable,
                "the peer cancelled the call",
            ),
            Some(h2::Reason::ENHANCE_YOUR_CALM) if error.is_reset() => {
                Self::new(Reached::Final, Code::ResourceExhausted, error.to_string())
            }
            Some(_) if error.is_reset() => {
                Self::new(Reached::Final, Code::Internal, error.to_string())
            }
            _ => Self::new(
                Reached::Peer,
                Code::Unavailable,
                format!("connection error: {error}"),
            ),
        }
    }

    /// Our own verdict on an answer or a body.
    fn plain(message: impl Into<String>) -> Self {
        Self {
            is_plain: true,
            ..Self::new(Reached::Final, Code::Unknown, message)
        }
    }

    fn body(error: &BodyError) -> Self {
        Self::plain(error.to_string())
    }
}

/// Makes the call on a connection to `peer` and returns once the answer has
/// begun.
pub(crate) async fn call(peer: &Arc<Peer>, call: Call<'_>) -> Result<Answer, CallFailed> {
    let in_flight = peer.enter();
    let sender = sender(peer, call.patience).await?;
    let whole = matches!(call.rest, Body::Empty);
    let (response, mut stream) = open(sender, peer, peer.stream_uri(), &call.trace, call.deadline)?;
    let first = (!call.first.is_empty()).then(|| call.first.clone());
    let sequence = u64::from(first.is_some());
    let frame = envelope::request(&call.parts, first);
    // The peer may have closed already; reading tells the real reason.
    let _ = stream.send_data(frame, whole);
    let pump = (!whole).then(|| Pump::new(call.rest, stream, sequence));
    let mut exchange = Exchange { response, pump };
    let (recv, mut pump) = exchange.headers(peer).await?;
    first_message(peer, recv, &mut pump, call.message_limit, in_flight).await
}

/// As [`call`], with the whole body in one message.
pub(crate) async fn call_unary(
    peer: &Arc<Peer>,
    parts: &RequestParts<'_>,
    trace: &[(HeaderName, HeaderValue); 2],
    body: &Bytes,
    message_limit: usize,
) -> Result<Answer, CallFailed> {
    let _in_flight = peer.enter();
    let sender = sender(peer, None).await?;
    let (response, mut stream) = open(sender, peer, peer.unary_uri(), trace, None)?;
    let _ = stream.send_data(envelope::call_request(parts, body), true);
    let mut exchange = Exchange {
        response,
        pump: None,
    };
    let (mut recv, _) = exchange.headers(peer).await?;
    let mut reader = FrameReader::new(message_limit);
    let message = std::future::poll_fn(|context| read_message(&mut recv, &mut reader, context))
        .await
        .map_err(failure_of)?;
    let Some(message) = message else {
        return Err(CallFailed::plain("EOF"));
    };
    let mut head = envelope::decode_call_response(message)
        .map_err(|error| CallFailed::new(Reached::Final, Code::Internal, error.to_string()))?;
    let body = std::mem::take(&mut head.data).into();
    Ok(Answer { head, body })
}

pub(super) async fn sender(
    peer: &Arc<Peer>,
    patience: Option<Duration>,
) -> Result<SendRequest<Frame>, CallFailed> {
    let sender = peer.sender_soon(patience).await.map_err(|error| {
        peer.avoid();
        CallFailed::new(
            Reached::Nothing,
            Code::Unavailable,
            format!("connection error: desc = \"transport: {error}\""),
        )
    })?;
    sender.ready().await.map_err(|error| {
        gone(peer, &error);
        CallFailed::new(
            Reached::Nothing,
            Code::Unavailable,
            format!("connection closed before the call: {error}"),
        )
    })
}

fn open(
    mut sender: SendRequest<Frame>,
    peer: &Arc<Peer>,
    uri: Uri,
    trace: &[(HeaderName, HeaderValue); 2],
    deadline: Option<Instant>,
) -> Result<(ResponseFuture, h2::SendStream<Frame>), CallFailed> {
    let mut request = http::Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.reserve(8);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("dapr-rs/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    for (name, value) in trace {
        headers.insert(name.clone(), value.clone());
    }
    if let Some(deadline) = deadline {
        headers.insert(
            "grpc-timeout",
            api::metadata::timeout::format(time_left(deadline)),
        );
    }
    sender.send_request(request, false).map_err(|error| {
        gone(peer, &error);
        CallFailed::new(
            Reached::Nothing,
            Code::Unavailable,
            format!("connection closed before the call: {error}"),
        )
    })
}

/// The connection takes no more calls: because the peer says farewell, or
/// because it broke.
pub(super) fn gone(peer: &Arc<Peer>, error: &h2::Error) {
    if error.is_go_away() {
        peer.leave();
    } else {
        peer.forget();
    }
}

/// A call waiting for response headers while its body is sent.
struct Exchange {
    response: ResponseFuture,
    pump: Option<Pump>,
}

impl Exchange {
    async fn headers(
        &mut self,
        peer: &Arc<Peer>,
    ) -> Result<(RecvStream, Option<Pump>), CallFailed> {
        let response = std::future::poll_fn(|context| self.poll(context)).await?;
        let (parts, recv) = response
            .map_err(|error| {
                if !error.is_reset() {
                    gone(peer, &error);
                }
                CallFailed::broken(&error)
            })?
            .into_parts();
        if let Some(status) = Status::from_headers(&parts.headers) {
            return Err(CallFailed::refused(status, &parts.headers));
        }
        if parts.status != http::StatusCode::OK {
            let message = format!(
                "unexpected HTTP status code received from server: {}",
                parts.status
            );
            return Err(CallFailed::new(Reached::Final, Code::Unknown, message));
        }
        Ok((recv, self.pump.take()))
    }

    #[allow(
        clippy::type_complexity,
        reason = "the two error layers are told apart by the caller"
    )]
    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Result<http::Response<RecvStream>, h2::Error>, CallFailed>> {
        poll_pump(&mut self.pump, context)?;
        Pin::new(&mut self.response).poll(context).map(Ok)
    }
}

/// Sends what can be sent; a body that fails at its source fails the call.
fn poll_pump(pump: &mut Option<Pump>, context: &mut Context<'_>) -> Result<(), CallFailed> {
    if let Some(running) = pump {
        match running.poll(context) {
            Poll::Pending => {}
            Poll::Ready(Pumped::Done) => *pump = None,
            Poll::Ready(Pumped::Failed(error)) => {
                *pump = None;
                return Err(CallFailed::body(&error));
            }
        }
    }
    Ok(())
}

async fn first_message(
    peer: &Arc<Peer>,
    mut recv: RecvStream,
    pump: &mut Option<Pump>,
    limit: usize,
    in_flight: InFlight,
) -> Result<Answer, CallFailed> {
    let mut reader = FrameReader::new(limit);
    let message = std::future::poll_fn(|context| {
        if let Err(failed) = poll_pump(pump, context) {
            return Poll::Ready(Err(failed));
        }
        read_message(&mut recv, &mut reader, context).map_err(|failure| {
            if failure.connection_lost {
                peer.forget();
            }
            failure_of(failure)
        })
    })
    .await?;
    let incomplete = |text: &str| CallFailed::plain(text);
    let Some(message) = message else {
        return Err(incomplete("EOF"));
    };
    let decoded = envelope::decode_response(message)
        .map_err(|error| CallFailed::new(Reached::Final, Code::Internal, error.to_string()))?;
    let head = decoded
        .head
        .filter(|head| head.status.is_some())
        .ok_or_else(|| {
            incomplete("response does not contain the required fields in the leading chunk")
        })?;
    let mut sequence = Sequence::default();
    let first = sequence
        .take(decoded.payload)
        .map_err(|error| incomplete(&error.to_string()))?;
    let body = Body::stream(AnswerBody::new(
        recv,
        reader,
        pump.take(),
        first,
        sequence,
        in_flight,
    ));
    Ok(Answer { head, body })
}

fn failure_of(failure: answer::ReadFailure) -> CallFailed {
    match failure.trailers {
        Some(trailers) => CallFailed::refused(failure.status, &trailers),
        None if failure.never_seen => CallFailed {
            status: failure.status,
            reached: Reached::Nothing,
            unimplemented: false,
            is_plain: false,
        },
        None if failure.connection_lost => CallFailed {
            status: failure.status,
            reached: Reached::Peer,
            unimplemented: false,
            is_plain: false,
        },
        None => CallFailed {
            status: failure.status,
            reached: Reached::Final,
            unimplemented: false,
            is_plain: false,
        },
    }
}
