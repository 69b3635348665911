//! Telling everything that serves to finish, and knowing when it has.

use std::convert::Infallible;

use tokio::sync::{mpsc, watch};

/// The side that starts a drain.
#[derive(Debug)]
pub struct Drain {
    signal: watch::Sender<bool>,
    alive: mpsc::Receiver<Infallible>,
    watch: Watch,
}

/// The side that is drained: held by each listener, connection or stream
/// until it is done.
#[derive(Clone, Debug)]
pub struct Watch {
    signal: watch::Receiver<bool>,
    _alive: mpsc::Sender<Infallible>,
}

impl Default for Drain {
    fn default() -> Self {
        let (signal, receiver) = watch::channel(false);
        let (alive_sender, alive) = mpsc::channel(1);
        Self {
            signal,
            alive,
            watch: Watch {
                signal: receiver,
                _alive: alive_sender,
            },
        }
    }
}

impl Drain {
    /// A handle for something that must be drained.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Tells every watcher to finish.
    pub fn start(&self) {
        self.signal.send_replace(true);
    }

    /// Tells every watcher to finish and waits until all handles are gone.
    pub async fn finish(self) {
        self.start();
        let Self {
            watch,
            mut alive,
            signal: _signal,
        } = self;
        drop(watch);
        // No value can be sent: this ends when the last handle is dropped.
        let _ = alive.recv().await;
    }
}

impl Watch {
    /// Completes when the drain starts.
    pub async fn started(&mut self) {
        if self.signal.wait_for(|started| *started).await.is_err() {
            // The process is going down without a drain.
            std::future::pending::<()>().await;
        }
    }

    /// True once the drain has started.
    pub fn is_started(&self) -> bool {
        *self.signal.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn finishes_only_after_the_last_handle_is_dropped() {
        let drain = Drain::default();
        let mut watch = drain.watch();
        assert!(!watch.is_started());
        let (done, finished) = tokio::sync::oneshot::channel();
        crate::spawn("drain", async move {
            drain.finish().await;
            let _ = done.send(());
        })
        .detach();
        watch.started().await;
        let mut finished = finished;
        tokio::task::yield_now().await;
        assert!(finished.try_recv().is_err());
        drop(watch);
        finished.await.unwrap();
    }
}
