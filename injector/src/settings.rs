//! What the environment of the injector says: which sidecar to add, for whom,
//! and where the own identity comes from. Read once, at start.
//!
//! Mirrors Dapr 1.18 pkg/injector/service/config.go and cmd/injector/options.

mod cluster_domain;
mod toleration;

use std::path::{Path, PathBuf};

use api::flags::truthy;
use control_plane::IdentitySettings;
use security::{KeyKind, POD_TOKENS, SpiffeIdError};

pub use self::toleration::Toleration;
use crate::SCOPE;
use crate::requesters::{PatternError, Requesters};

/// How the sidecars look that are added to pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidecar {
    /// Image, unless the pod names another.
    pub image: String,
    /// `Always`, `Never` or `IfNotPresent`.
    pub pull_policy: &'static str,
    /// Namespace of the control plane.
    pub namespace: String,
    /// Trust domain of the control plane.
    pub trust_domain: String,
    /// Last part of the names of Services.
    pub cluster_domain: String,
    /// Address of the placement service, for images that know actors.
    pub placement: Option<String>,
    /// `name:address` of another actors service.
    pub actors_service: Option<String>,
    /// `name:address` of a reminders service.
    pub reminders_service: Option<String>,
    /// Address of the scheduler, for images that know jobs.
    pub scheduler: Option<String>,
    /// Pods with one of these get a command instead of a first argument.
    pub ignore_entrypoint: Vec<Toleration>,
    /// Refuses to run as root.
    pub run_as_non_root: bool,
    /// User, else that of the image.
    pub run_as_user: Option<i64>,
    /// Group, else that of the image.
    pub run_as_group: Option<i64>,
    /// Mounts the image read-only.
    pub read_only_root: bool,
    /// Drops every capability.
    pub drop_all: bool,
    /// Tells the sidecar the pod's address.
    pub downward_api: bool,
    /// Adds an init container that stays instead of a container.
    pub native: bool,
    /// Projects a token for sentry into the pod.
    pub token_volume: bool,
}

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is added.
    pub sidecar: Sidecar,
    /// Who may have it added.
    pub requesters: Requesters,
    /// Who we are.
    pub identity: IdentitySettings,
}

/// A variable that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It has to be set.
    #[error("required key {0} missing value")]
    Missing(&'static str),
    /// Neither empty nor a number.
    #[error("invalid value for {name}: {value:?} is not a whole number")]
    Number {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// Not `name:port`.
    #[error("invalid value for {name}: {value:?} must be 'name:port'")]
    Service {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// Not a trust domain.
    #[error("invalid value for DAPR_CONTROL_PLANE_TRUST_DOMAIN: {value:?}: {source}")]
    TrustDomain {
        /// Its value.
        value: String,
        /// What is wrong with it.
        source: SpiffeIdError,
    },
    /// A pattern of requesters.
    #[error("failed to parse allowed service accounts: {0}")]
    Pattern(#[from] PatternError),
}

impl Settings {
    /// Reads the environment of the process. `namespace` is that of the
    /// control plane.
    ///
    /// # Errors
    /// A variable that is required or malformed.
    pub fn from_env(namespace: String, scheduler: bool) -> Result<Self, SettingsError> {
        // A cluster that has tokens for us has them for sidecars.
        let token = POD_TOKENS.iter().any(|path| Path::new(path).exists());
        let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let lookup = |name: &str| std::env::var(name).ok();
        Self::from_lookup(lookup, namespace, scheduler, token, &resolver)
    }

    /// As [`Self::from_env`], from any source of variables.
    ///
    /// # Errors
    /// A variable that is required or malformed.
    pub fn from_lookup(
        lookup: impl Fn(&str) -> Option<String>,
        namespace: String,
        scheduler: bool,
        token_volume: bool,
        resolv_conf: &str,
    ) -> Result<Self, SettingsError> {
        let env = Environment { lookup };
        let trust_domain = env.non_empty("DAPR_CONTROL_PLANE_TRUST_DOMAIN");
        let trust_domain = trust_domain.unwrap_or_else(|| "cluster.local".to_owned());
        let cluster_domain = env
            .non_empty("KUBE_CLUSTER_DOMAIN")
            .unwrap_or_else(|| cluster_domain::from_resolv_conf(resolv_conf));
        let of = Cluster {
            namespace: &namespace,
            domain: &cluster_domain,
        };
        let (placement, actors_service) = env.actors(&of)?;
        let sidecar = Sidecar {
            image: env.required("SIDECAR_IMAGE")?,
            pull_policy: pull_policy((env.lookup)("SIDECAR_IMAGE_PULL_POLICY").as_deref()),
            placement,
            actors_service,
            reminders_service: env.named_service(
                "REMINDERS_SERVICE_NAME",
                "REMINDERS_SERVICE_ADDRESS",
                &of,
            )?,
            scheduler: scheduler.then(|| of.address("dapr-scheduler-server-a", 443)),
            ignore_entrypoint: env.tolerations(),
            run_as_non_root: env.on("SIDECAR_RUN_AS_NON_ROOT", true),
            run_as_user: env.number("SIDECAR_RUN_AS_USER")?,
            run_as_group: env.number("SIDECAR_RUN_AS_GROUP")?,
            read_only_root: env.on("SIDECAR_READ_ONLY_ROOT_FILESYSTEM", true),
            // Differs from Dapr, as does `native`: off there unless asked for.
            drop_all: env.on("SIDECAR_DROP_ALL_CAPABILITIES", true),
            downward_api: env.on("ENABLE_K8S_DOWNWARD_APIS", false),
            native: env.on("NATIVE_SIDECAR_ENABLED", true),
            token_volume,
            trust_domain: trust_domain.clone(),
            cluster_domain: cluster_domain.clone(),
            namespace: namespace.clone(),
        };
        let anchors = env.non_empty("DAPR_TRUST_ANCHORS_FILE");
        let identity = IdentitySettings {
            service: "dapr-injector",
            trust_domain: trust_domain
                .parse()
                .map_err(|source| SettingsError::TrustDomain {
                    value: trust_domain,
                    source,
                })?,
            sentry_address: env
                .non_empty("DAPR_SENTRY_ADDRESS")
                .unwrap_or_else(|| of.address("dapr-sentry", 443)),
            anchors_file: PathBuf::from(
                anchors.as_deref().unwrap_or("/var/run/dapr.io/tls/ca.crt"),
            ),
            key: KeyKind::EcdsaP256,
            namespace,
        };
        Ok(Self {
            sidecar,
            requesters: env.requesters()?,
            identity,
        })
    }
}

/// `service.namespace.svc.domain:port`
pub(crate) fn address(service: &str, namespace: &str, domain: &str, port: u16) -> String {
    format!("{service}.{namespace}.svc.{domain}:{port}")
}

struct Cluster<'a> {
    namespace: &'a str,
    domain: &'a str,
}

impl Cluster<'_> {
    fn address(&self, service: &str, port: u16) -> String {
        address(service, self.namespace, self.domain, port)
    }
}

struct Environment<L> {
    lookup: L,
}

impl<L: Fn(&str) -> Option<String>> Environment<L> {
    fn non_empty(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<String, SettingsError> {
        self.non_empty(name).ok_or(SettingsError::Missing(name))
    }

    fn on(&self, name: &str, default: bool) -> bool {
        self.non_empty(name).map_or(default, |value| truthy(&value))
    }

    fn number(&self, name: &'static str) -> Result<Option<i64>, SettingsError> {
        let Some(value) = self.non_empty(name) else {
            return Ok(None);
        };
        match value.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(SettingsError::Number { name, value }),
        }
    }

    /// Address of placement, or another actors service.
    fn actors(&self, of: &Cluster<'_>) -> Result<(Option<String>, Option<String>), SettingsError> {
        let service = self.named_service("ACTORS_SERVICE_NAME", "ACTORS_SERVICE_ADDRESS", of)?;
        if !self.on("ACTORS_ENABLED", true) {
            return Ok((None, None));
        }
        Ok(match service {
            None => (Some(of.address("dapr-placement-server", 50005)), None),
            // The name of placement, with an address of its own.
            Some(service) => match service.strip_prefix("placement:") {
                Some(address) => (Some(address.to_owned()), None),
                None => (None, Some(service)),
            },
        })
    }

    /// `name:address`, from a name and `service:port`.
    fn named_service(
        &self,
        name: &'static str,
        service: &'static str,
        of: &Cluster<'_>,
    ) -> Result<Option<String>, SettingsError> {
        let Some(called) = self.non_empty(name) else {
            return Ok(None);
        };
        let value = self.non_empty(service).unwrap_or_default();
        let parsed = value.split_once(':').and_then(|(host, port)| {
            let port = port.parse().ok().filter(|port| *port > 0)?;
            (!host.is_empty()).then(|| of.address(host, port))
        });
        match parsed {
            Some(address) => Ok(Some(format!("{called}:{address}"))),
            None => Err(SettingsError::Service {
                name: service,
                value,
            }),
        }
    }

    fn tolerations(&self) -> Vec<Toleration> {
        let Some(text) = self.non_empty("IGNORE_ENTRYPOINT_TOLERATIONS") else {
            return Vec::new();
        };
        serde_json::from_str(&text).unwrap_or_else(|error| {
            tracing::warn!(target: SCOPE, "couldn't parse IGNORE_ENTRYPOINT_TOLERATIONS ({text}): {error}");
            Vec::new()
        })
    }

    fn requesters(&self) -> Result<Requesters, PatternError> {
        let allowed = self
            .non_empty("ALLOWED_SERVICE_ACCOUNTS")
            .unwrap_or_default();
        let prefixes = self.non_empty("ALLOWED_SERVICE_ACCOUNTS_PREFIX_NAMES");
        if prefixes.is_some() {
            tracing::warn!(target: SCOPE, "ALLOWED_SERVICE_ACCOUNTS_PREFIX_NAMES is deprecated, use ALLOWED_SERVICE_ACCOUNTS");
        }
        Requesters::new(&[&allowed, prefixes.as_deref().unwrap_or_default()])
    }
}

fn pull_policy(value: Option<&str>) -> &'static str {
    match value {
        None | Some("Always") => "Always",
        Some("Never") => "Never",
        Some(_) => "IfNotPresent",
    }
}

#[cfg(test)]
mod tests;
