//! From flags, environment and the Configuration file to what the program
//! runs with. The only file that sees both raw and validated values.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::duration::GoDuration;
use security::TrustDomain;
use serde::Deserialize;

use super::flags::Flags;
use super::store::Paths;

/// Validity of workload certificates unless configured otherwise.
const WORKLOAD_TTL: Duration = Duration::from_hours(24);
/// How far certificates are back-dated unless configured otherwise.
const CLOCK_SKEW: Duration = Duration::from_mins(15);
/// Not a file name but the name of an object in a cluster; in standalone mode
/// a file of this name is optional.
const DEFAULT_NAME: &str = "daprsystem";

/// Everything `run` needs.
#[derive(Debug)]
pub struct Config {
    /// Files of the authority.
    pub paths: Paths,
    /// Trust domain of the control plane, and of our own identity.
    pub trust_domain: TrustDomain,
    /// Namespace of our own identity.
    pub namespace: String,
    /// Where the authority listens.
    pub authority: Listen,
    /// Where the health server listens.
    pub health: Listen,
    /// Where the metrics server listens; `None` when switched off.
    pub metrics: Option<Listen>,
    /// Life of what is signed.
    pub lifetime: Lifetime,
}

/// A listening address.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Empty for every address.
    pub host: String,
    /// Zero for any free one.
    pub port: u16,
}

/// Validity of certificates relative to now.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// From now to NotAfter.
    pub ttl: Duration,
    /// From NotBefore to now.
    pub skew: Duration,
}

/// A value that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Kubernetes mode is not part of this program yet.
    #[error("--mode kubernetes is not supported by this version of sentry, use standalone")]
    Kubernetes,
    /// Neither of the two modes.
    #[error("invalid value for --mode: {0:?}: must be standalone or kubernetes")]
    Mode(String),
    /// A flag with a value of the wrong form.
    #[error("invalid value for --{name}: {value:?}: {reason}")]
    Flag {
        /// Without dashes.
        name: &'static str,
        /// As typed.
        value: String,
        /// What is expected.
        reason: String,
    },
    /// A feature that was asked for and is missing.
    #[error("--{0} is not supported by this version of sentry")]
    Unsupported(&'static str),
    /// JWT details without JWTs.
    #[error("--jwt-issuer requires --jwt-enabled")]
    JwtIssuer,
    /// The Configuration file cannot be read.
    #[error("loading default config. couldn't find config name {path:?}: {source}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The Configuration file is not YAML, or not a Configuration.
    #[error("failed to parse configuration {path:?}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser said, on one line.
        reason: String,
    },
    /// A field of the Configuration file.
    #[error("configuration {path:?}: invalid spec.mtls.{field}: {value:?}: {reason}")]
    Field {
        /// The file.
        path: PathBuf,
        /// Below `spec.mtls`.
        field: &'static str,
        /// As written.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `kubernetes` or `insecure` in `tokenValidators`.
    #[error(
        "invalid token validator: the built-in 'kubernetes' and 'insecure' validators cannot be configured manually"
    )]
    BuiltInValidator,
    /// Any other unknown name in `tokenValidators`.
    #[error("invalid token validator name: '{0}'; supported values: 'jwks'")]
    UnknownValidator(String),
    /// A configured validator must never be replaced by a weaker one.
    #[error("token validator 'jwks' is not supported by this version of sentry")]
    JwksValidator,
}

/// The parts of a Configuration resource that we read.
#[derive(Default, Deserialize)]
struct Configuration {
    spec: Option<Spec>,
}

#[derive(Default, Deserialize)]
struct Spec {
    mtls: Option<Mtls>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mtls {
    #[serde(rename = "workloadCertTTL")]
    workload_cert_ttl: Option<String>,
    allowed_clock_skew: Option<String>,
    token_validators: Option<Vec<TokenValidator>>,
}

#[derive(Deserialize)]
struct TokenValidator {
    name: String,
}

// === impl Config ===

impl Config {
    pub(crate) fn new(
        flags: &Flags,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        check_mode(flags)?;
        let trust_domain = flags.text("trust-domain");
        let credentials = Path::new(flags.text("issuer-credentials"));
        Ok(Self {
            // An absolute file name replaces the directory.
            paths: Paths {
                anchors: credentials.join(flags.text("issuer-ca-filename")),
                certificate: credentials.join(flags.text("issuer-certificate-filename")),
                key: credentials.join(flags.text("issuer-key-filename")),
            },
            trust_domain: trust_domain
                .parse()
                .map_err(|error| invalid("trust-domain", trust_domain, &error))?,
            namespace: env("NAMESPACE")
                .filter(|namespace| !namespace.is_empty())
                .unwrap_or_else(|| "default".to_owned()),
            authority: listen(flags, "listen-address", "port")?,
            health: listen(flags, "healthz-listen-address", "healthz-port")?,
            metrics: flags
                .on("enable-metrics")
                .then(|| listen(flags, "metrics-listen-address", "metrics-port"))
                .transpose()?,
            lifetime: Lifetime::from_file(Path::new(flags.text("config")))?,
        })
    }
}

impl Lifetime {
    fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let mtls = read(path)?;
        if let Some(validator) = mtls.token_validators.into_iter().flatten().next() {
            return Err(match validator.name.to_ascii_lowercase().as_str() {
                "jwks" => ConfigError::JwksValidator,
                "kubernetes" | "insecure" => ConfigError::BuiltInValidator,
                _ => ConfigError::UnknownValidator(validator.name),
            });
        }
        let duration = |field, value: Option<String>, default| {
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                return Ok(default);
            };
            let wrong = |reason| ConfigError::Field {
                path: path.to_owned(),
                field,
                value: value.clone(),
                reason,
            };
            let parsed: GoDuration = value
                .parse()
                .map_err(|error: api::duration::DurationError| wrong(error.to_string()))?;
            if parsed.as_nanos() < 0 {
                return Err(wrong("must not be negative".to_owned()));
            }
            Ok(parsed.to_std())
        };
        Ok(Self {
            ttl: duration("workloadCertTTL", mtls.workload_cert_ttl, WORKLOAD_TTL)?,
            skew: duration("allowedClockSkew", mtls.allowed_clock_skew, CLOCK_SKEW)?,
        })
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Self {
            ttl: WORKLOAD_TTL,
            skew: CLOCK_SKEW,
        }
    }
}

fn check_mode(flags: &Flags) -> Result<(), ConfigError> {
    match flags.text("mode") {
        "standalone" => {}
        "kubernetes" => return Err(ConfigError::Kubernetes),
        other => return Err(ConfigError::Mode(other.to_owned())),
    }
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

fn listen(flags: &Flags, host: &'static str, port: &'static str) -> Result<Listen, ConfigError> {
    let text = flags.text(port);
    Ok(Listen {
        host: flags.text(host).to_owned(),
        port: text
            .parse()
            .map_err(|_| invalid(port, text, &"must be a number from 0 to 65535"))?,
    })
}

fn invalid(name: &'static str, value: &str, reason: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::Flag {
        name,
        value: value.to_owned(),
        reason: reason.to_string(),
    }
}

/// `spec.mtls` of the file. Differs from Dapr: without `--config` the file is
/// optional, as Dapr's documentation promises.
fn read(path: &Path) -> Result<Mtls, ConfigError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error)
            if path == Path::new(DEFAULT_NAME) && error.kind() == std::io::ErrorKind::NotFound =>
        {
            return Ok(Mtls::default());
        }
        Err(source) => {
            return Err(ConfigError::Missing {
                path: path.to_owned(),
                source,
            });
        }
    };
    let malformed = |reason: String| ConfigError::Malformed {
        path: path.to_owned(),
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    let configuration: Option<Configuration> =
        serde_saphyr::from_str(&text).map_err(|error| malformed(error.to_string()))?;
    let spec = configuration.unwrap_or_default().spec.unwrap_or_default();
    Ok(spec.mtls.unwrap_or_default())
}

#[cfg(test)]
mod tests;
