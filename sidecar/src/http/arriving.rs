//! The body of a request, and what becomes of it when the request is answered
//! before all of it was read.
//!
//! On HTTP/1 the next request stands behind it. A short rest is read, so that
//! clients find their connection as they expect it; a long or slow one ends
//! the connection, which the answer says.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use parking_lot::Mutex;

/// Bytes read for nobody, as many as Go's HTTP server does.
const SHORT: usize = 256 * 1024;
/// Time for them.
const PATIENCE: Duration = Duration::from_millis(500);

/// A body on its way in; `None` when there is none, or none any more.
#[derive(Debug)]
pub(super) struct Arriving(Option<(Incoming, Rest)>);

/// What is left of a body when its request is answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Rest(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    /// Somebody reads it.
    #[default]
    InUse,
    /// Nobody reads it any more.
    Left(Incoming),
    /// There is nothing left.
    Read,
}

impl Arriving {
    /// The request with its body, and what is left of that later; `None` when
    /// there is no body.
    pub(super) fn of(request: Request<Incoming>) -> (Request<Self>, Option<Rest>) {
        let (parts, body) = request.into_parts();
        if body.is_end_stream() {
            return (Request::from_parts(parts, Self(None)), None);
        }
        let rest = Rest::default();
        let arriving = Self(Some((body, rest.clone())));
        (Request::from_parts(parts, arriving), Some(rest))
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some((body, rest)) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(&mut *body).poll_frame(context));
        if frame.is_none() || body.is_end_stream() {
            *rest.0.lock() = State::Read;
            self.0 = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Some((body, _)) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some((body, rest)) = self.0.take() {
            *rest.0.lock() = State::Left(body);
        }
    }
}

impl Rest {
    /// Whether the body is behind us, a short rest being read now. One the
    /// client waits to be asked for is left alone.
    pub(super) async fn is_read(&self, is_asked_for: bool) -> bool {
        let state = std::mem::take(&mut *self.0.lock());
        match state {
            State::Read => true,
            State::InUse => false,
            State::Left(body) => {
                !is_asked_for
                    && tokio::time::timeout(PATIENCE, read(body))
                        .await
                        .unwrap_or(false)
            }
        }
    }
}

/// Whether the body ends before it gets long.
async fn read(mut body: Incoming) -> bool {
    let mut left = SHORT;
    while let Some(frame) = body.frame().await {
        let length = match &frame {
            Ok(frame) => frame.data_ref().map_or(0, Bytes::len),
            Err(_) => return false,
        };
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return false,
        }
    }
    true
}
