//! Machine or cluster, and the control plane that comes with each.

use std::{env, path::PathBuf, time::Duration};

use api::flags::Parsed;

use super::{ConfigError, value_error};

/// Where the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Standalone,
    Kubernetes,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Standalone => "standalone",
            Self::Kubernetes => "kubernetes",
        })
    }
}

/// What an identity needs to start with.
#[derive(Clone, Debug)]
pub(crate) struct IdentityConfig {
    pub(crate) sentry_address: String,
    pub(crate) trust_domain: String,
    pub(crate) namespace: String,
    pub(crate) anchors: String,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) jwt_audiences: Vec<String>,
    /// Overrides the app id in the request.
    pub(crate) local_identity: Option<String>,
}

/// Time between comparisons unless a flag says otherwise.
const RECONCILE_INTERVAL: Duration = Duration::from_mins(1);
const SKIP_UID_CHECK: &str = "DAPR_UNSAFE_SKIP_CONTAINER_UID_GID_CHECK";

pub(super) fn mode(flags: &Parsed) -> Result<Mode, ConfigError> {
    match flags.string("mode") {
        "standalone" => Ok(Mode::Standalone),
        "kubernetes" => {
            refuse_root()?;
            Ok(Mode::Kubernetes)
        }
        other => value_error(format!("invalid mode: {other}")),
    }
}

/// Containers of a cluster do not run as root.
fn refuse_root() -> Result<(), ConfigError> {
    let skipped = env::var(SKIP_UID_CHECK).is_ok_and(|value| value == "true");
    if nix::unistd::geteuid().is_root() && !skipped {
        return value_error(format!(
            "current user UID(0) is root. Dapr must be run as a non-root user in Kubernetes environments. To override this check, set the environment variable '{SKIP_UID_CHECK}=true'"
        ));
    }
    Ok(())
}

pub(super) fn operator_address(flags: &Parsed, mode: Mode) -> Result<Option<String>, ConfigError> {
    match (mode, flags.string("control-plane-address")) {
        (Mode::Standalone, _) => Ok(None),
        (Mode::Kubernetes, "") => value_error(
            "--control-plane-address is required in kubernetes mode: the address of the operator, as host:port",
        ),
        (Mode::Kubernetes, address) => Ok(Some(address.to_owned())),
    }
}

pub(super) fn reconcile_interval(flags: &Parsed) -> Duration {
    let interval = flags.duration("hot-reload-reconcile-interval");
    if interval.is_positive() {
        interval.to_std()
    } else {
        RECONCILE_INTERVAL
    }
}

pub(super) fn identity(flags: &Parsed, mode: Mode) -> Result<Option<IdentityConfig>, ConfigError> {
    if mode == Mode::Standalone && !flags.bool("enable-mtls") {
        return Ok(None);
    }
    let anchors = env::var("DAPR_TRUST_ANCHORS").unwrap_or_default();
    if anchors.trim().is_empty() {
        return value_error("trust anchors are required");
    }
    let trust_domain = flags.string("control-plane-trust-domain");
    if trust_domain.is_empty() {
        return value_error("control plane trust domain is required");
    }
    Ok(Some(IdentityConfig {
        sentry_address: flags.string("sentry-address").to_owned(),
        trust_domain: trust_domain.to_owned(),
        namespace: flags.string("control-plane-namespace").to_owned(),
        anchors,
        token_file: env::var_os("DAPR_SENTRY_TOKEN_FILE").map(PathBuf::from),
        jwt_audiences: flags.strings("sentry-request-jwt-audiences").to_vec(),
        local_identity: env::var("SENTRY_LOCAL_IDENTITY")
            .ok()
            .filter(|id| !id.is_empty()),
    }))
}
