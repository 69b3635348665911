//! The HTTPS server the API server calls.
//!
//! It listens from the start; handshakes wait for the first certificate, so
//! that a pod created in the meantime is late rather than without sidecar.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use lifecycle::drain::{Drain, Watch};
use lifecycle::serve::{self, HttpLimits};
use security::TrustAnchors;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::SCOPE;
use crate::daprsystem::Mtls;
use crate::metrics::Metrics;
use crate::patch::Current;
use crate::requesters::Requesters;
use crate::review::{self, Answer, Rules};
use crate::settings::Sidecar;

/// Time for a handshake, the wait for a certificate included. The API server
/// waits 10 s for everything together.
const HANDSHAKE: Duration = Duration::from_secs(9);
/// Time for a client to send its request.
const REQUEST: Duration = Duration::from_secs(10);
/// Several times what an API server accepts itself.
const LARGEST: usize = 8 << 20;
/// Silence after which a connection is closed. API servers keep theirs for
/// 90 s; closing one of them earlier could meet the next request half-way, and
/// a request that is lost is a pod without sidecar.
const IDLE: Duration = Duration::from_mins(2);
const LIMITS: HttpLimits = HttpLimits {
    header_bytes: 16 * 1024,
    header_list_bytes: 16 * 1024,
    streams: 100,
    frame_bytes: 16 * 1024,
    ping_after: Some(Duration::from_secs(30)),
};

/// What requests are decided by.
pub(crate) struct Webhook {
    pub(crate) sidecar: Sidecar,
    pub(crate) requesters: Requesters,
    pub(crate) mtls: Mtls,
    pub(crate) instance: String,
    pub(crate) metrics: Arc<Metrics>,
}

/// What there is once we have an identity.
#[derive(Clone)]
pub(crate) struct Trust {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) anchors: watch::Receiver<TrustAnchors>,
}

/// What ends: first every connection after its next answer, then all.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(crate) farewell: Watch,
    pub(crate) drain: Watch,
}

/// Serves until the drain starts.
pub(crate) async fn serve(
    listener: TcpListener,
    webhook: Arc<Webhook>,
    trust: watch::Receiver<Option<Trust>>,
    ending: Ending,
) -> std::io::Result<()> {
    serve::accept_here(listener, ending.drain.clone(), move |socket| {
        connection(socket, Arc::clone(&webhook), trust.clone(), ending.clone())
    })
    .await
}

async fn connection(
    socket: TcpStream,
    webhook: Arc<Webhook>,
    mut trust: watch::Receiver<Option<Trust>>,
    ending: Ending,
) {
    let Ending {
        farewell,
        mut drain,
    } = ending;
    let peer = socket.peer_addr().ok();
    let handshake = async {
        let trust = trust.wait_for(Option::is_some).await.ok()?.clone()?;
        let stream = trust.acceptor.accept(socket).await;
        let stream = stream.map_err(|error| {
            tracing::debug!(target: SCOPE, ?peer, "handshake failed: {error}");
        });
        Some((stream.ok()?, trust.anchors))
    };
    let Ok(Some((stream, anchors))) = timeout(HANDSHAKE, handshake).await else {
        return;
    };
    let last = Arc::new(Notify::new());
    let after = Arc::clone(&last);
    let service = service_fn(move |request: Request<Incoming>| {
        let (webhook, anchors) = (Arc::clone(&webhook), anchors.clone());
        let (after, farewell) = (Arc::clone(&after), farewell.clone());
        async move {
            let version = request.version();
            let mut answer = call(request, &webhook, &anchors).await;
            answer.last |= farewell.is_started();
            if answer.last && version == Version::HTTP_2 {
                after.notify_one();
            }
            Ok::<_, Infallible>(response(answer, version))
        }
    });
    let ours = Drain::default();
    let watch = ours.watch();
    let mut builder = LIMITS.builder();
    builder.http1().header_read_timeout(IDLE);
    let serving = serve::connection(stream, &builder, service, watch);
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return,
        () = drain.started() => {}
        () = last.notified() => {}
    }
    ours.start();
    serving.await;
}

async fn call(
    request: Request<Incoming>,
    webhook: &Webhook,
    anchors: &watch::Receiver<TrustAnchors>,
) -> Answer {
    if request.uri().path() != "/mutate" {
        return Answer::text(StatusCode::NOT_FOUND, "404 page not found");
    }
    let (head, body) = request.into_parts();
    let body = match timeout(REQUEST, Limited::new(body, LARGEST).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Answer::text(StatusCode::PAYLOAD_TOO_LARGE, "request body too large");
        }
        // Unreadable bodies count as absent.
        Ok(Err(_)) => Bytes::new(),
        Err(_) => return Answer::text(StatusCode::REQUEST_TIMEOUT, "request body too slow"),
    };
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let anchors = anchors.borrow().clone();
    let rules = Rules {
        sidecar: &webhook.sidecar,
        requesters: &webhook.requesters,
        current: Current {
            anchors: anchors.pem(),
            mtls: webhook.mtls.is_on(),
        },
        instance: &webhook.instance,
        metrics: &webhook.metrics,
    };
    review::answer(&body, content_type.map(HeaderValue::as_bytes), &rules)
}

fn response(answer: Answer, version: Version) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static(answer.content_type);
    headers.insert(header::CONTENT_TYPE, content_type);
    // Said with the answer, or the client might use the connection once more
    // before it sees it closed.
    if answer.last && version != Version::HTTP_2 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests;
