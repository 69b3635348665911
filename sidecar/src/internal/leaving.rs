//! Whether the pod is being ended.

use std::time::Duration;

use lifecycle::drain::Watch;

/// How much later than the app the sidecar hears of the end: the app gets a
/// signal, the sidecar a hook that has to be started.
const NOTICE: Duration = Duration::from_secs(2);

/// The pod's end, as far as the sidecar has been told.
#[derive(Clone, Debug)]
pub(crate) struct Leaving {
    notice: Watch,
    is_told: bool,
}

impl Leaving {
    /// Starts with `notice`, which somebody gives where `is_told`.
    pub(crate) fn new(notice: Watch, is_told: bool) -> Self {
        Self { notice, is_told }
    }

    /// True once the end has been announced.
    pub(crate) fn is_started(&self) -> bool {
        self.notice.is_started()
    }

    /// Completes when the end is announced.
    pub(crate) async fn started(&mut self) {
        self.notice.started().await;
    }

    /// True when the end has been announced, or is within two seconds: for
    /// calls that have just seen the app go.
    pub(crate) async fn is_imminent(&self) -> bool {
        if !self.is_told {
            return self.is_started();
        }
        let mut notice = self.notice.clone();
        tokio::time::timeout(NOTICE, notice.started()).await.is_ok()
    }
}
