//! Where the authority comes from: files on a laptop, two objects of the API
//! server in a cluster.

use std::sync::Arc;
use std::time::Duration;

use lifecycle::health::{Health, Target};
use lifecycle::task::AbortOnDrop;
use security::{SpiffeId, TrustDomain};
use tokio::time::{Instant, sleep};

use super::RunError;
use crate::sentry::SCOPE;
use crate::sentry::bundle::{self, Files};
use crate::sentry::cluster::{CallError, Cluster, Kind, patiently};
use crate::sentry::config::{Configuration, Lifetime, MtlsError, Settings};
use crate::sentry::current::Current;
use crate::sentry::metrics::Metrics;
use crate::sentry::reload::Reload;
use crate::sentry::store::{self, Keeper, Keys, Origin, Paths, TrustBundle};
use crate::sentry::validator::jwks::{self, Jwks};
use crate::sentry::validator::{Kubernetes, Validators};

/// Helm creates our Configuration after the Deployment.
const CONFIGURATION_PATIENCE: Duration = Duration::from_secs(10);
const CONFIGURATION_PAUSE: Duration = Duration::from_millis(250);
/// Health of the keys of token validator jwks.
const JWKS: &str = "sentry-jwks-validator";

/// What a new authority is made of.
pub(super) struct Loader {
    pub(super) trust_domain: TrustDomain,
    pub(super) namespace: String,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Health,
}

/// An authority that is kept up to date, and who it believes.
pub(super) struct Source {
    pub(super) current: Current,
    pub(super) validators: Validators,
    pub(super) watch: AbortOnDrop,
}

impl Loader {
    pub(super) fn over_files(self, paths: Paths, settings: Settings) -> Result<Source, RunError> {
        let Settings { lifetime, jwks } = settings;
        let (files, origin) = store::load_or_create(&paths, || {
            bundle::generate(&self.trust_domain, &self.namespace, lifetime.skew)
        })?;
        let current = self.current(&files, origin, lifetime)?;
        let reload = Reload {
            paths,
            current: current.clone(),
        };
        let watch = lifecycle::spawn("reload", reload.watch(files)).abort_on_drop();
        let loaded = || self.health.target(JWKS);
        let jwks = jwks.map(|source| self.jwks(source, loaded())).transpose()?;
        Ok(Source {
            current,
            validators: Validators::standalone(jwks),
            watch,
        })
    }

    /// Waits for an API server that is away.
    pub(super) async fn over_cluster(
        self,
        client: kube::Client,
        keys: Keys,
        configuration: &str,
    ) -> Result<Source, RunError> {
        let cluster = Cluster::new(client);
        let Settings { lifetime, jwks } = self.settings(&cluster, configuration).await?;
        let store = TrustBundle::new(cluster.clone(), self.namespace.clone(), keys);
        let (files, origin) = store
            .load_or_create(|| bundle::generate(&self.trust_domain, &self.namespace, lifetime.skew))
            .await?;
        let current = self.current(&files, origin, lifetime)?;
        if store.publish(&files).await? {
            tracing::info!(target: SCOPE, "trust anchors written to config map dapr-trust-bundle");
        }
        let keeper = Keeper::new(store, current.clone(), files);
        let watch = lifecycle::spawn("trust bundle", keeper.run()).abort_on_drop();
        // Pods do not need these keys: while their source is away, sentry is
        // ready all the same. That target is of nobody's health.
        let loaded = || Health::default().target(JWKS);
        let jwks = jwks.map(|source| self.jwks(source, loaded())).transpose()?;
        let Self {
            trust_domain,
            namespace,
            ..
        } = self;
        let kubernetes = Kubernetes::new(cluster, namespace, trust_domain);
        Ok(Source {
            current,
            validators: Validators::kubernetes(kubernetes, jwks),
            watch,
        })
    }

    async fn settings(&self, cluster: &Cluster, name: &str) -> Result<Settings, RunError> {
        let mut missing_since = None;
        loop {
            let found: Result<Configuration, _> = patiently("read our configuration", async || {
                cluster
                    .get(Kind::Configuration, &self.namespace, name)
                    .await
            })
            .await;
            let error = match found {
                Ok(configuration) => return Ok(configuration.settings(name)?),
                Err(error) => error,
            };
            let reason = error.to_string();
            let name = name.to_owned();
            match error {
                error if error.is_missing() => {}
                CallError::Parse(_) => return Err(MtlsError::Malformed { name, reason }.into()),
                error => return Err(RunError::Configuration(error)),
            }
            let since = *missing_since.get_or_insert_with(|| {
                tracing::warn!(target: SCOPE, "waiting for configuration {name}: {reason}");
                Instant::now()
            });
            if since.elapsed() >= CONFIGURATION_PATIENCE {
                return Err(MtlsError::Missing { name, reason }.into());
            }
            sleep(CONFIGURATION_PAUSE).await;
        }
    }

    fn current(
        &self,
        files: &Files,
        origin: Origin,
        lifetime: Lifetime,
    ) -> Result<Current, RunError> {
        let (metrics, issuer) = (Arc::clone(&self.metrics), self.health.target("issuer"));
        let current = Current::new(files, self.id()?, lifetime, metrics, issuer)?;
        let line = match origin {
            Origin::Created => "root and issuer certs not found: self-signed CA created",
            Origin::Loaded => "root and issuer certs found: using existing certs",
        };
        tracing::info!(target: SCOPE, "{line}");
        Ok(current)
    }

    fn jwks(&self, source: jwks::Source, loaded: Target) -> Result<Jwks, RunError> {
        tracing::info!(target: SCOPE, "token validator jwks is enabled");
        Ok(Jwks::start(source, self.id()?, loaded))
    }

    /// Our own.
    fn id(&self) -> Result<SpiffeId, RunError> {
        SpiffeId::workload(&self.trust_domain, &self.namespace, "dapr-sentry").map_err(|source| {
            RunError::Namespace {
                namespace: self.namespace.clone(),
                source,
            }
        })
    }
}
