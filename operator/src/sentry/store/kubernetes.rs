//! The authority in a cluster: Secret and ConfigMap `dapr-trust-bundle` in our
//! namespace. Several replicas may start at once: a write names the version it
//! read, so the first one wins and the others take what it stored.

mod keeper;
mod object;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::object::Object;
use super::Origin;
use crate::sentry::SCOPE;
use crate::sentry::bundle::{Files, GenerateError};
use crate::sentry::cluster::{CallError, Cluster, Kind, patiently};

pub(in crate::sentry) use self::keeper::Keeper;

/// Name of both objects.
const NAME: &str = "dapr-trust-bundle";
/// How long a running sentry has to restore a Secret that lost its content
/// before we make a new authority. Covers two rounds of its watch.
const RESTORE_PATIENCE: Duration = Duration::from_secs(8);
const RESTORE_PAUSE: Duration = Duration::from_millis(500);
const CONFLICT_PAUSE: Duration = Duration::from_millis(50);

/// Keys of the Secret; the ConfigMap has the anchors under theirs.
#[derive(Clone, Debug)]
pub(in crate::sentry) struct Keys {
    /// Trust anchors.
    pub(in crate::sentry) anchors: String,
    /// Issuer chain.
    pub(in crate::sentry) certificate: String,
    /// Issuer key.
    pub(in crate::sentry) key: String,
}

/// The two objects; cheap to clone.
#[derive(Clone)]
pub(in crate::sentry) struct TrustBundle {
    cluster: Cluster,
    namespace: String,
    keys: Keys,
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub(in crate::sentry) enum LoadError {
    #[error("failed to read or write secret and config map {NAME}: {0}")]
    Call(#[from] CallError),
    #[error(transparent)]
    Generate(#[from] GenerateError),
}

/// What the Secret has.
enum Content {
    Complete(Files),
    /// The object, and whether any of the keys is there.
    Incomplete(Object, bool),
    Missing,
}

// === impl TrustBundle ===

impl TrustBundle {
    pub(in crate::sentry) const fn new(cluster: Cluster, namespace: String, keys: Keys) -> Self {
        Self {
            cluster,
            namespace,
            keys,
        }
    }

    /// Reads the Secret, or fills it. Waits for an API server that is away.
    ///
    /// Differs from Dapr: a complete Secret is never replaced; what the
    /// ConfigMap says does not matter here, [`Self::publish`] repairs it.
    pub(in crate::sentry) async fn load_or_create(
        &self,
        generate: impl Fn() -> Result<Files, GenerateError>,
    ) -> Result<(Files, Origin), LoadError> {
        let mut lost_since = None;
        loop {
            let secret = match self.patient_content().await? {
                Content::Complete(files) => return Ok((files, Origin::Loaded)),
                Content::Incomplete(secret, partly) => {
                    if partly {
                        tracing::warn!(target: SCOPE, "secret {NAME} has only some of the three keys");
                    }
                    Some(secret)
                }
                Content::Missing => None,
            };
            if self.is_restorable(&mut lost_since).await? {
                sleep(RESTORE_PAUSE).await;
                continue;
            }
            let Some(secret) = secret else {
                patiently("create secret dapr-trust-bundle", async || {
                    self.create(Kind::Secret, &Object::default()).await
                })
                .await?;
                continue;
            };
            let files = generate()?;
            let stored = patiently("write secret dapr-trust-bundle", async || {
                self.store(secret.clone(), &files).await
            })
            .await;
            match stored {
                Ok(()) => return Ok((files, Origin::Created)),
                // Another replica was first, or our own write of which we got
                // no answer: use what is stored.
                Err(error) if error.is_conflict() || error.is_missing() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes the ConfigMap show the anchors of `files`; `false` when it did
    /// already. Waits for an API server that is away.
    pub(in crate::sentry) async fn publish(&self, files: &Files) -> Result<bool, LoadError> {
        loop {
            let shown = patiently("write config map dapr-trust-bundle", async || {
                self.show_anchors(files, &mut Object::default()).await
            })
            .await;
            match shown {
                Err(error) if error.is_conflict() => sleep(CONFLICT_PAUSE).await,
                other => return Ok(other?),
            }
        }
    }

    /// A ConfigMap with anchors beside a Secret without: the Secret got lost,
    /// and a sentry that still runs puts it back in a moment.
    async fn is_restorable(&self, since: &mut Option<Instant>) -> Result<bool, LoadError> {
        if since.is_some_and(|since| since.elapsed() >= RESTORE_PATIENCE) {
            return Ok(false);
        }
        let config_map = patiently("read config map dapr-trust-bundle", async || {
            self.read(Kind::ConfigMap).await
        })
        .await?;
        let shown = config_map.is_some_and(|object| object.text(&self.keys.anchors).is_some());
        if shown && since.is_none() {
            *since = Some(Instant::now());
            tracing::warn!(
                target: SCOPE,
                "secret {NAME} is empty although config map {NAME} has trust anchors: waiting {} seconds for another sentry to restore it",
                RESTORE_PATIENCE.as_secs()
            );
        }
        Ok(shown)
    }

    async fn patient_content(&self) -> Result<Content, CallError> {
        patiently("read secret dapr-trust-bundle", async || {
            self.content(&mut Object::default()).await
        })
        .await
    }

    /// What the Secret has; `marks` learns its labels.
    async fn content(&self, marks: &mut Object) -> Result<Content, CallError> {
        let Some(secret) = self.read(Kind::Secret).await? else {
            return Ok(Content::Missing);
        };
        *marks = secret.marks();
        let Keys {
            anchors,
            certificate,
            key,
        } = &self.keys;
        Ok(
            match (
                secret.bytes(anchors),
                secret.bytes(certificate),
                secret.bytes(key),
            ) {
                (Some(anchors), Some(certificate), Some(key)) => Content::Complete(Files {
                    anchors,
                    certificate,
                    key,
                }),
                (None, None, None) => Content::Incomplete(secret, false),
                _ => Content::Incomplete(secret, true),
            },
        )
    }

    async fn read(&self, kind: Kind) -> Result<Option<Object>, CallError> {
        match self.cluster.get(kind, &self.namespace, NAME).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes all three keys into the version of the Secret that was read.
    async fn store(&self, mut secret: Object, files: &Files) -> Result<(), CallError> {
        let Keys {
            anchors,
            certificate,
            key,
        } = &self.keys;
        secret.set_bytes(anchors, &files.anchors);
        secret.set_bytes(certificate, &files.certificate);
        secret.set_bytes(key, &files.key);
        self.cluster
            .replace(Kind::Secret, &self.namespace, NAME, &secret)
            .await
    }

    /// One try of [`Self::publish`]; `marks` are the labels of a ConfigMap that
    /// has to be made, and learn those of one that is there.
    async fn show_anchors(&self, files: &Files, marks: &mut Object) -> Result<bool, CallError> {
        let wanted = String::from_utf8_lossy(&files.anchors);
        let mut config_map = self.read(Kind::ConfigMap).await?;
        if config_map.is_none() {
            self.create(Kind::ConfigMap, marks).await?;
            config_map = self.read(Kind::ConfigMap).await?;
        }
        let Some(mut config_map) = config_map else {
            // Deleted again; the next round sees to it.
            return Ok(false);
        };
        *marks = config_map.marks();
        // Whoever writes PEM as YAML rarely gets the last line break right.
        let shows = |object: &Object| {
            let shown = object.text(&self.keys.anchors);
            shown.is_some_and(|shown| shown.trim() == wanted.trim())
        };
        if shows(&config_map) {
            return Ok(false);
        }
        config_map.set_text(&self.keys.anchors, &wanted);
        let written = self
            .cluster
            .replace(Kind::ConfigMap, &self.namespace, NAME, &config_map)
            .await;
        match written {
            Err(error) if error.is_conflict() => {
                // All replicas write the same; see whether somebody did.
                match self.read(Kind::ConfigMap).await? {
                    Some(now) if shows(&now) => Ok(false),
                    _ => Err(error),
                }
            }
            other => other.map(|()| true),
        }
    }

    /// An empty object, to be filled like one that was always there.
    async fn create(&self, kind: Kind, marks: &Object) -> Result<(), CallError> {
        let object = marks.empty(kind, &self.namespace, NAME);
        match self
            .cluster
            .apply(kind, &self.namespace, NAME, &object)
            .await
        {
            Err(error) if error.is_conflict() => Ok(()),
            other => other,
        }
    }
}
