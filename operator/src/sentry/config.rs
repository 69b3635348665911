//! From flags and environment to what the program runs with. The only file
//! that sees both raw and validated values.

mod mtls;
mod validators;

use std::path::{Path, PathBuf};

use control_plane::{FlagError, Flags, Listen, SettingError};
use security::TrustDomain;

use super::store::{Keys, Paths};

pub(super) use mtls::Configuration;
pub(super) use mtls::{Lifetime, MtlsError, Settings};

/// Everything `run` needs beside health and metrics addresses.
#[derive(Debug)]
pub(super) struct Config {
    /// Where the authority comes from.
    pub(super) mode: Mode,
    /// Trust domain of the control plane, and of our own identity.
    pub(super) trust_domain: TrustDomain,
    /// Namespace of our own identity.
    pub(super) namespace: String,
    /// Where the authority listens.
    pub(super) authority: Listen,
}

/// What differs between a laptop and a cluster.
#[derive(Debug)]
pub(super) enum Mode {
    /// Everything comes from files.
    Standalone {
        /// Files of the authority.
        paths: Paths,
        /// From the Configuration.
        settings: Settings,
    },
    /// Everything comes from the API server.
    Kubernetes {
        /// Keys in Secret and ConfigMap.
        keys: Keys,
        /// Name of our Configuration.
        configuration: String,
        /// File that leads to the cluster when we are not in it.
        kubeconfig: String,
    },
}

/// A value that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    /// Neither of the two modes.
    #[error("invalid value for --mode: {0:?}: must be standalone or kubernetes")]
    Mode(String),
    /// A flag with a value of the wrong form.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// Something about the pod.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A file name flag that names no file.
    #[error("invalid value for --{name}: {value:?}: must be a file name")]
    FileName {
        /// Without dashes.
        name: &'static str,
        /// As typed.
        value: String,
    },
    /// A feature that was asked for and is missing.
    #[error("--{0} is not supported by this version of sentry")]
    Unsupported(&'static str),
    /// JWT details without JWTs.
    #[error("--jwt-issuer requires --jwt-enabled")]
    JwtIssuer,
    /// Our Configuration.
    #[error(transparent)]
    Mtls(#[from] MtlsError),
}

// === impl Config ===

impl Config {
    pub(super) fn new(
        flags: &Flags,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        refuse_unsupported(flags)?;
        // Used where the servers start; a mistake is told before anything is made.
        flags.listen("healthz-listen-address", "healthz-port")?;
        flags.listen("metrics-listen-address", "metrics-port")?;
        let trust_domain = flags.parsed("trust-domain")?;
        let authority = flags.listen("listen-address", "port")?;
        let namespace = env("NAMESPACE").filter(|namespace| !namespace.is_empty());
        let (mode, namespace) = match flags.text("mode") {
            "standalone" => {
                let mode = Mode::Standalone {
                    paths: paths(flags),
                    settings: Settings::from_file(Path::new(flags.text("config")))?,
                };
                (mode, namespace.unwrap_or_else(|| "default".to_owned()))
            }
            "kubernetes" => {
                let mode = Mode::Kubernetes {
                    keys: Keys {
                        anchors: key(flags, "issuer-ca-filename")?,
                        certificate: key(flags, "issuer-certificate-filename")?,
                        key: key(flags, "issuer-key-filename")?,
                    },
                    configuration: flags.text("config").to_owned(),
                    kubeconfig: flags.text("kubeconfig").to_owned(),
                };
                (mode, namespace.ok_or(SettingError::Namespace)?)
            }
            other => return Err(ConfigError::Mode(other.to_owned())),
        };
        Ok(Self {
            mode,
            trust_domain,
            namespace,
            authority,
        })
    }
}

fn refuse_unsupported(flags: &Flags) -> Result<(), ConfigError> {
    for feature in ["jwt-enabled", "oidc-enabled"] {
        if flags.on(feature) {
            return Err(ConfigError::Unsupported(feature));
        }
    }
    if !flags.text("jwt-issuer").is_empty() {
        return Err(ConfigError::JwtIssuer);
    }
    Ok(())
}

fn paths(flags: &Flags) -> Paths {
    let credentials = Path::new(flags.text("issuer-credentials"));
    // An absolute file name replaces the directory.
    let path = |name: &str| -> PathBuf { credentials.join(flags.text(name)) };
    Paths {
        anchors: path("issuer-ca-filename"),
        certificate: path("issuer-certificate-filename"),
        key: path("issuer-key-filename"),
    }
}

/// In a cluster the last part of a file name is a key of Secret and ConfigMap.
fn key(flags: &Flags, name: &'static str) -> Result<String, ConfigError> {
    let text = flags.text(name);
    Path::new(text)
        .file_name()
        .and_then(|name| name.to_str())
        .map(ToOwned::to_owned)
        .ok_or_else(|| ConfigError::FileName {
            name,
            value: text.to_owned(),
        })
}

#[cfg(test)]
mod tests;
