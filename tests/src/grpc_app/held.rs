//! A call the test plays itself, step by step, from its own thread.

use std::pin::Pin;

use h2::Reason;
use tokio::sync::{mpsc, oneshot, watch};

use super::wire::{GrpcMessage, GrpcStatus};
use super::{GrpcCall, GrpcSeen};
use crate::peer::bounded;

/// A call that does what the test says next; given up when dropped.
#[derive(Debug)]
pub struct HeldCall {
    steps: mpsc::UnboundedSender<Step>,
    seen: watch::Receiver<GrpcSeen>,
}

type Work<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
type Step = Box<dyn for<'a> FnOnce(&'a mut GrpcCall) -> Work<'a> + Send>;

// === impl HeldCall ===

impl HeldCall {
    /// The handle for the test, and what plays the call.
    pub(super) fn new(mut call: GrpcCall) -> (Self, impl Future<Output = ()> + Send) {
        let (steps, mut next) = mpsc::unbounded_channel::<Step>();
        let seen = call.record.subscribe();
        let playing = async move {
            while let Some(step) = next.recv().await {
                step(&mut call).await;
            }
        };
        (Self { steps, seen }, playing)
    }

    /// What has come so far.
    pub fn seen(&self) -> GrpcSeen {
        self.seen.borrow().clone()
    }

    /// Waits until what has come fulfils a condition.
    #[track_caller]
    pub fn wait_until(&self, what: &str, condition: impl Fn(&GrpcSeen) -> bool) -> GrpcSeen {
        let mut seen = self.seen.clone();
        bounded(async move {
            let seen = seen.wait_for(condition).await.map_err(|e| e.to_string())?;
            Ok(seen.clone())
        })
        .unwrap_or_else(|error| panic!("{what}: {error}, seen {:?}", self.seen()))
    }

    /// Waits until the other side has given the call up.
    #[track_caller]
    pub fn wait_until_reset(&self) -> Reason {
        let seen = self.wait_until("the call is reset", |seen| seen.reset.is_some());
        seen.reset.expect("just seen")
    }

    /// The next message; `None` when no more will come.
    #[track_caller]
    pub fn receive(&self) -> Option<GrpcMessage> {
        self.step(|call, done| {
            Box::pin(async move {
                let _ = done.send(call.receive().await);
            })
        })
    }

    /// Sends the initial metadata.
    #[track_caller]
    pub fn head(&self, headers: &[(&'static str, &'static str)]) {
        let headers = headers.to_vec();
        self.step(|call, done| {
            Box::pin(async move {
                call.head(&headers);
                let _ = done.send(());
            })
        });
    }

    /// Sends one message; false when the stream is broken.
    #[track_caller]
    pub fn send(&self, data: impl AsRef<[u8]>) -> bool {
        let data = data.as_ref().to_vec();
        self.step(|call, done| {
            Box::pin(async move {
                let _ = done.send(call.send(data).await);
            })
        })
    }

    /// Ends with a status.
    #[track_caller]
    pub fn end(&self, status: GrpcStatus) {
        self.step(|call, done| {
            Box::pin(async move {
                call.end(&status);
                let _ = done.send(());
            })
        });
    }

    /// Ends with RST_STREAM.
    #[track_caller]
    pub fn reset(&self, reason: Reason) {
        self.step(move |call, done| {
            Box::pin(async move {
                call.reset(reason);
                let _ = done.send(());
            })
        });
    }

    #[track_caller]
    fn step<T: Send + 'static>(
        &self,
        step: impl for<'a> FnOnce(&'a mut GrpcCall, oneshot::Sender<T>) -> Work<'a> + Send + 'static,
    ) -> T {
        let (done, result) = oneshot::channel();
        let _ = self.steps.send(Box::new(move |call| step(call, done)));
        bounded(async move { result.await.map_err(|_| "the app is gone".to_owned()) })
            .unwrap_or_else(|error| panic!("{error}, seen {:?}", self.seen()))
    }
}
