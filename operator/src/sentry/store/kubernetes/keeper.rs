//! Keeps memory and cluster in step while sentry runs: a new bundle in the
//! Secret is put in use, a Secret or ConfigMap that was deleted or emptied is
//! restored, a ConfigMap that shows something else is repaired.

use std::time::Duration;

use tokio::time::sleep;

use super::object::Object;
use super::{Content, TrustBundle};
use crate::sentry::SCOPE;
use crate::sentry::bundle::Files;
use crate::sentry::cluster::{CallError, Kind};
use crate::sentry::current::Current;

/// Two small GET requests per round: lighter than two watches, and needs no
/// other grant than reading these objects.
const INTERVAL: Duration = Duration::from_secs(3);

/// Runs beside the server.
pub(in crate::sentry) struct Keeper {
    bundle: TrustBundle,
    current: Current,
    /// In use.
    files: Files,
    /// A bundle that cannot be used, so that it is reported once.
    rejected: Option<Files>,
    /// Of the Secret and of the ConfigMap, when they were last there.
    marks: (Object, Object),
    /// The failure of the last round, so that it is reported once.
    told: String,
}

impl Keeper {
    pub(in crate::sentry) fn new(bundle: TrustBundle, current: Current, files: Files) -> Self {
        Self {
            bundle,
            current,
            files,
            rejected: None,
            marks: Default::default(),
            told: String::new(),
        }
    }

    /// Runs for ever.
    pub(in crate::sentry) async fn run(mut self) {
        loop {
            self.current.check_expiry();
            match self.round().await {
                Ok(()) if self.told.is_empty() => {}
                Ok(()) => {
                    self.told.clear();
                    tracing::info!(target: SCOPE, "trust bundle is in step with the cluster again");
                }
                // Another replica was faster; the next round sees what it did.
                Err(error) if error.is_conflict() => {}
                Err(error) => self.tell(error.to_string()),
            }
            sleep(INTERVAL).await;
        }
    }

    async fn round(&mut self) -> Result<(), CallError> {
        let content = self.bundle.content(&mut self.marks.0).await?;
        let gone = matches!(content, Content::Missing);
        let content = if gone {
            self.bundle.create(Kind::Secret, &self.marks.0).await?;
            self.bundle.content(&mut self.marks.0).await?
        } else {
            content
        };
        match content {
            Content::Complete(files) => self.compare(files),
            // Filled as one that was found empty: only if it still is.
            Content::Incomplete(secret, _) => {
                self.bundle.store(secret, &self.files).await?;
                let what = if gone {
                    "was gone"
                } else {
                    "had lost its content"
                };
                tracing::warn!(target: SCOPE, "secret dapr-trust-bundle {what} and is restored");
            }
            // Deleted again; the next round sees to it.
            Content::Missing => {}
        }
        if self
            .bundle
            .show_anchors(&self.files, &mut self.marks.1)
            .await?
        {
            tracing::info!(target: SCOPE, "config map dapr-trust-bundle repaired");
        }
        Ok(())
    }

    /// Puts a changed bundle in use.
    fn compare(&mut self, files: Files) {
        if files == self.files {
            self.rejected = None;
            return;
        }
        if self.rejected.as_ref() == Some(&files) {
            return;
        }
        match self.current.adopt(&files) {
            Ok(()) => {
                tracing::info!(target: SCOPE, "trust bundle changed, new certificate authority in use");
                self.files = files;
                self.rejected = None;
            }
            Err(error) => {
                tracing::error!(
                    target: SCOPE,
                    "trust bundle changed but cannot be used, keeping the old one: {error}"
                );
                self.rejected = Some(files);
            }
        }
    }

    fn tell(&mut self, error: String) {
        if self.told != error {
            tracing::warn!(target: SCOPE, "cannot keep the trust bundle in step with the cluster, trying again: {error}");
            self.told = error;
        }
    }
}
