//! Keeps the webhook configuration such that the API server really calls us:
//! our roots in every `caBundle`, and proof by a question of our own.
//!
//! A new certificate is shown only after its root has been in `caBundle` for a
//! moment, and an old root stays in it for a while after the last certificate
//! of it could be in use: no order of events lets a pod through unseen.

mod bundle;
mod configuration;
mod question;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use lifecycle::health::Target;
use security::{Identity, Svid, TrustAnchors};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use self::bundle::Foreign;
use self::configuration::{Entry, NAME, PATH};
use self::question::Asked;
use crate::SCOPE;
use crate::cluster::{self, Body, CallError};
use crate::self_test;
use crate::serving::Serving;

/// How long every API server gets to notice a new `caBundle`. They watch it,
/// so this is many times what they need.
const SETTLING: Duration = Duration::from_secs(2);
/// How often everything is looked at without any reason.
const RECHECK: Duration = Duration::from_secs(30);
/// How often a renewed certificate is looked for.
const TICK: Duration = Duration::from_secs(1);
/// Pauses after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long our own question may be refused before we do without: rights take
/// a moment to arrive.
const REFUSALS: Duration = Duration::from_secs(5);

/// Why the API server may not call us.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("failed to read the webhook configuration {NAME}: {0}")]
    Read(CallError),
    #[error("failed to patch the webhook configuration {NAME}: {0}")]
    Patch(CallError),
    #[error("the webhook configuration {NAME} has no entries")]
    Empty,
    #[error("the API server does not call this webhook yet")]
    NotCalled,
}

/// Everything it takes.
pub(crate) struct Keeper {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) instance: String,
    pub(crate) identity: Identity,
    pub(crate) anchors: watch::Receiver<TrustAnchors>,
    pub(crate) serving: Serving,
    pub(crate) health: Target,
}

/// What is known about the configuration.
struct State {
    foreign: Foreign,
    /// What `caBundle` holds, and since when.
    published: Option<(TrustAnchors, Instant)>,
    /// The API server called us with what is published.
    called: bool,
    refused_since: Option<Instant>,
}

impl Keeper {
    /// Keeps it.
    pub(crate) async fn run(self) -> Infallible {
        let changed = Notify::new();
        let following = cluster::follow(self.client.clone(), PATH.to_owned(), NAME, &changed);
        tokio::select! {
            never = self.keep(&changed) => never,
            never = following => never,
        }
    }

    async fn keep(&self, changed: &Notify) -> Infallible {
        let mut announced = self.anchors.clone();
        let mut state = State {
            foreign: Foreign::default(),
            published: None,
            called: false,
            refused_since: None,
        };
        let mut pause = RETRY.0;
        let mut told = String::new();
        loop {
            let svid = self.identity.svid();
            let anchors = announced.borrow_and_update().clone();
            let wait = match self.round(&mut state, &svid, &anchors).await {
                Ok(wait) => {
                    self.health.ready();
                    pause = RETRY.0;
                    told.clear();
                    wait
                }
                Err(error) => {
                    self.failed(&error, &mut told);
                    pause = (pause * 2).min(RETRY.1);
                    pause
                }
            };
            tokio::select! {
                () = changed.notified() => {}
                Ok(()) = announced.changed() => {}
                () = self.renewed(&svid) => {}
                () = sleep(wait) => {}
            }
        }
    }

    async fn renewed(&self, svid: &Arc<Svid>) {
        while Arc::ptr_eq(&self.identity.svid(), svid) {
            sleep(TICK).await;
        }
    }

    /// An API server that is away does not call anybody: only what it says
    /// makes us unready.
    fn failed(&self, error: &KeepError, told: &mut String) {
        let text = error.to_string();
        if *told != text {
            tracing::error!(target: SCOPE, "{text}");
            *told = text;
        }
        match error {
            KeepError::Read(CallError::Unreachable(_))
            | KeepError::Patch(CallError::Unreachable(_)) => {}
            KeepError::Read(_) | KeepError::Patch(_) | KeepError::Empty | KeepError::NotCalled => {
                self.health.not_ready();
            }
        }
    }

    /// Makes everything right once; answers how long it stays so.
    async fn round(
        &self,
        state: &mut State,
        svid: &Arc<Svid>,
        anchors: &TrustAnchors,
    ) -> Result<Duration, KeepError> {
        let object = self.read().await?;
        let entries = configuration::entries(&object);
        if entries.is_empty() {
            return Err(KeepError::Empty);
        }
        let ours = anchors.union(svid.trust_anchors());
        let wanted = state.foreign.beside(&ours, &entries, Instant::now());
        self.publish(state, &entries, wanted).await?;
        let settled = self.settled(state, svid);
        if !state.called {
            self.prove(state, &entries).await?;
        }
        Ok(settled)
    }

    async fn read(&self) -> Result<Value, KeepError> {
        let path = format!("{PATH}/{NAME}");
        match cluster::get(&self.client, &path).await {
            // Charts of Dapr allow to patch only; a patch answers with the
            // object, too.
            Err(CallError::Refused { code: 403, .. }) => {
                let nothing = Value::Array(Vec::new());
                cluster::write(&self.client, &path, Body::Patch(&nothing)).await
            }
            read => read,
        }
        .map_err(KeepError::Read)
    }

    /// Puts `wanted` into every entry that holds something else.
    async fn publish(
        &self,
        state: &mut State,
        entries: &[Entry],
        wanted: TrustAnchors,
    ) -> Result<(), KeepError> {
        if let Some(patch) = configuration::patch(entries, &wanted) {
            let path = format!("{PATH}/{NAME}");
            cluster::write(&self.client, &path, Body::Patch(&patch))
                .await
                .map_err(KeepError::Patch)?;
            tracing::info!(
                target: SCOPE,
                roots = wanted.certificates().len(), "patched caBundle of the webhook configuration {NAME}"
            );
            state.called = false;
            state.published = None;
        }
        let known = state.published.as_ref();
        if known.is_none_or(|(published, _)| !bundle::same(published, &wanted)) {
            state.published = Some((wanted, Instant::now()));
        }
        Ok(())
    }

    /// Shows the newest certificate once it may be; answers when to look
    /// again.
    fn settled(&self, state: &State, svid: &Arc<Svid>) -> Duration {
        let Some((_, since)) = &state.published else {
            return RECHECK;
        };
        if self.serving.approves(svid) {
            return RECHECK;
        }
        let left = SETTLING.saturating_sub(since.elapsed());
        if left.is_zero() {
            self.serving.approve(Arc::clone(svid));
            tracing::info!(target: SCOPE, "serving with a renewed certificate");
            return RECHECK;
        }
        left
    }

    /// Asks until we answer ourselves.
    async fn prove(&self, state: &mut State, entries: &[Entry]) -> Result<(), KeepError> {
        if !entries.iter().any(|entry| entry.name == self_test::ENTRY) {
            tracing::warn!(
                target: SCOPE,
                "the webhook configuration {NAME} has no entry {}: cannot tell whether the API server calls this webhook",
                self_test::ENTRY
            );
            state.called = true;
            return Ok(());
        }
        match question::ask(&self.client, &self.namespace, &self.instance).await {
            Asked::Us => {
                tracing::info!(target: SCOPE, "the API server calls this webhook");
                state.called = true;
                Ok(())
            }
            // The others share everything with us but the way to us.
            Asked::Others | Asked::Nobody => Err(KeepError::NotCalled),
            Asked::Refused(reason) => {
                let since = state.refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() < REFUSALS {
                    return Err(KeepError::NotCalled);
                }
                tracing::warn!(target: SCOPE, "cannot tell whether the API server calls this webhook: {reason}");
                state.called = true;
                Ok(())
            }
            Asked::Unreachable(error) => Err(KeepError::Read(error)),
        }
    }
}

#[cfg(test)]
mod tests;
