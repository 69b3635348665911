//! HTTP/2: a request on a connection shared with other calls, both directions
//! at their own pace.
//!
//! A call the app has not seen (GOAWAY, a refused stream) is sent again on
//! another connection as long as its body has not been touched.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use api::envelope::Frame as Sent;
use bytes::Bytes;
use h2::{Reason, RecvStream, client::SendRequest};
use http::{Method, Request, header, response::Parts};
use http_body::{Frame, SizeHint};

use super::{
    Channel,
    connections::{Connections, HEADER_LIST, Lease, NoConnection, Ready},
    dial::DialError,
    http::{Failure, Turn, may_run_twice},
};
use crate::{
    message::{Body, BodyError, Response, headers},
    rpc::{Site, Uplink, room},
};

/// Connections one call is tried on.
const TRIES: u32 = 3;

/// A call without an answer.
struct Lost {
    error: h2::Error,
    /// Why our side gave up, if it did.
    own: Option<BodyError>,
    /// The request, where it can still be sent again.
    request: Option<Request<Body>>,
}

impl Channel {
    /// One request and its answer. `turn` is taken along once there is one.
    pub(super) async fn over_http2(
        &self,
        mut request: Request<Body>,
        turn: &mut Turn,
    ) -> Result<Response, Failure> {
        let mut tries = 0;
        loop {
            let Ready {
                sender,
                lease,
                is_reused,
            } = match self.connections.ready().await {
                Ok(ready) => ready,
                Err(NoConnection::Dial(DialError::Version(_))) => {
                    return Err(Failure::Version(Box::new(request)));
                }
                Err(error) => return Err(Failure::Unseen(error.to_string())),
            };
            tries += 1;
            let is_head = request.method() == Method::HEAD;
            let is_safe = may_run_twice(&request);
            let site = self.connections.site();
            let lost = match exchange(sender, site, request).await {
                Ok((parts, recv, uplink)) => {
                    let guard = (uplink, lease, turn.take());
                    return Ok(answer(parts, recv, is_head, guard));
                }
                Err(lost) => lost,
            };
            let Lost {
                error,
                own,
                request: whole,
            } = *lost;
            if !error.is_reset() {
                Connections::forget(&lease);
            }
            if let Some(own) = own {
                return Err(broken(own.to_string()));
            }
            let is_unseen = never_seen(&error);
            // As over HTTP/1.1: the app may have been closing the connection.
            let is_closing = is_reused && is_safe && error.is_io();
            match whole {
                Some(whole) if (is_unseen || is_closing) && tries < TRIES => request = whole,
                _ => return Err(failure(&error, is_unseen)),
            }
        }
    }
}

/// The app says that it has not looked at the call.
pub(super) fn never_seen(error: &h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM))
}

/// Sends, up to the head of the answer.
async fn exchange(
    mut sender: SendRequest<Sent>,
    site: &Site,
    request: Request<Body>,
) -> Result<(Parts, RecvStream, Option<Uplink>), Box<Lost>> {
    let (parts, body) = request.into_parts();
    let mut head = Request::new(());
    *head.method_mut() = parts.method.clone();
    *head.headers_mut() = parts.headers.clone();
    if let Some(path) = parts.uri.path_and_query() {
        *head.uri_mut() = site.uri(path.clone());
    }
    let is_bodiless = matches!(body, Body::Empty);
    let (mut response, mut stream) = match sender.send_request(head, is_bodiless) {
        Ok(sent) => sent,
        Err(error) => {
            return Err(Box::new(Lost {
                error,
                own: None,
                request: Some(Request::from_parts(parts, body)),
            }));
        }
    };
    let mut uplink = None;
    let mut left = Some(body);
    let answered = match &left {
        Some(Body::Stream(_)) => {
            // Until the app makes room for it, the body is not touched.
            let early = tokio::select! {
                biased;
                Some(_) = room(&mut stream, 1) => None,
                answered = &mut response => Some(answered),
            };
            if !matches!(early, Some(Err(_))) {
                uplink = left.take().map(|body| Uplink::start(body, stream));
            }
            match early {
                Some(answered) => answered,
                None => response.await,
            }
        }
        Some(Body::Whole(bytes)) => {
            // An app that has answered already wants no more; reading tells.
            let _ = stream.send_data(Sent::whole(bytes.clone()), true);
            response.await
        }
        Some(Body::Empty) | None => response.await,
    };
    match answered {
        Ok(response) => {
            let (parts, recv) = response.into_parts();
            Ok((parts, recv, uplink))
        }
        Err(error) => Err(Box::new(Lost {
            error,
            own: uplink.as_ref().and_then(Uplink::failure),
            request: left.map(|body| Request::from_parts(parts, body)),
        })),
    }
}

fn failure(error: &h2::Error, is_unseen: bool) -> Failure {
    let reason = match error.reason() {
        // What the library does to both.
        Some(Reason::PROTOCOL_ERROR) if error.is_reset() && error.is_library() => {
            format!("server response headers are malformed or exceed {HEADER_LIST} bytes; aborted")
        }
        Some(code) if error.is_reset() && error.is_remote() => {
            format!("stream error: {code:?}; received from peer")
        }
        Some(code) if error.is_reset() => format!("stream error: {code:?}"),
        Some(code) if error.is_go_away() => {
            format!("http2: server sent GOAWAY and closed the connection; ErrCode={code:?}")
        }
        _ => "EOF".to_owned(),
    };
    if is_unseen {
        Failure::Unseen(reason)
    } else {
        broken(reason)
    }
}

fn broken(reason: String) -> Failure {
    Failure::Exchange {
        reason,
        spoken: None,
    }
}

fn answer(
    mut parts: Parts,
    recv: RecvStream,
    is_head: bool,
    guard: (Option<Uplink>, Lease, Turn),
) -> Response {
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let left = length.and_then(|length| length.to_str().ok()?.parse().ok());
    headers::from_app(&mut parts.headers);
    let body = if is_head || recv.is_end_stream() {
        Body::Empty
    } else {
        Body::stream(Arriving {
            recv,
            left,
            held: Some(guard),
        })
    };
    Response {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

/// The body of an answer; goes on sending the request meanwhile. Trailers end
/// here: they cross no hop. A stream that ends early, or not at the length it
/// announced, is an error.
struct Arriving {
    recv: RecvStream,
    /// Bytes to come, where the app says so.
    left: Option<u64>,
    /// Released at the end.
    held: Option<(Option<Uplink>, Lease, Turn)>,
}

impl Arriving {
    /// A request body that failed is why the call was given up.
    fn failure(&mut self, error: h2::Error) -> BodyError {
        let held = self.held.take();
        let own = held.and_then(|(uplink, ..)| uplink?.failure());
        own.unwrap_or_else(|| BodyError::from(error))
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.held.is_none() {
            return Poll::Ready(None);
        }
        loop {
            match ready!(this.recv.poll_data(context)) {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    let _ = this.recv.flow_control().release_capacity(piece.len());
                    if let Some(left) = &mut this.left {
                        *left = left.saturating_sub(piece.len() as u64);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(this.failure(error)))),
                None => {
                    this.held = None;
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() || self.recv.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
