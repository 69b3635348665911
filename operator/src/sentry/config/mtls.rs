//! `spec.mtls` of our Configuration: how long certificates live. The same
//! resource is a file on a laptop and an object in a cluster.

use std::path::Path;
use std::time::Duration;

use api::duration::{DurationError, GoDuration};
use serde::Deserialize;

/// Validity of workload certificates unless configured otherwise.
const WORKLOAD_TTL: Duration = Duration::from_hours(24);
/// How far certificates are back-dated unless configured otherwise.
const CLOCK_SKEW: Duration = Duration::from_mins(15);
/// Not a file name but the name of an object in a cluster; in standalone mode
/// a file of this name is optional.
const DEFAULT_NAME: &str = "daprsystem";

/// Validity of certificates relative to now.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// From now to NotAfter.
    pub ttl: Duration,
    /// From NotBefore to now.
    pub skew: Duration,
}

/// A Configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MtlsError {
    /// It is not there, or unreadable.
    #[error("loading default config. couldn't find config name {name:?}: {reason}")]
    Missing {
        /// File or object.
        name: String,
        /// Why.
        reason: String,
    },
    /// Not YAML, or not a Configuration.
    #[error("failed to parse configuration {name:?}: {reason}")]
    Malformed {
        /// File or object.
        name: String,
        /// What the parser said, on one line.
        reason: String,
    },
    /// One field.
    #[error("configuration {name:?}: invalid spec.mtls.{field}: {value:?}: {reason}")]
    Field {
        /// File or object.
        name: String,
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
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Configuration {
    spec: Option<Spec>,
}

#[derive(Debug, Default, Deserialize)]
struct Spec {
    mtls: Option<Mtls>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mtls {
    #[serde(rename = "workloadCertTTL")]
    workload_cert_ttl: Option<String>,
    allowed_clock_skew: Option<String>,
    token_validators: Option<Vec<TokenValidator>>,
}

#[derive(Debug, Deserialize)]
struct TokenValidator {
    name: String,
}

// === impl Lifetime ===

impl Lifetime {
    /// Differs from Dapr: without `--config` the file is optional, as Dapr's
    /// documentation promises.
    pub(super) fn from_file(path: &Path) -> Result<Self, MtlsError> {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if name == DEFAULT_NAME && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                let reason = error.to_string();
                return Err(MtlsError::Missing { name, reason });
            }
        };
        let configuration: Option<Configuration> =
            serde_saphyr::from_str(&text).map_err(|error| {
                let reason = error.to_string();
                MtlsError::Malformed {
                    name: name.clone(),
                    reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
                }
            })?;
        configuration.unwrap_or_default().lifetime(&name)
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

// === impl Configuration ===

impl Configuration {
    /// What it says; `name` is for errors.
    pub(crate) fn lifetime(self, name: &str) -> Result<Lifetime, MtlsError> {
        let mtls = self.spec.unwrap_or_default().mtls.unwrap_or_default();
        if let Some(validator) = mtls.token_validators.into_iter().flatten().next() {
            return Err(match validator.name.to_ascii_lowercase().as_str() {
                "jwks" => MtlsError::JwksValidator,
                "kubernetes" | "insecure" => MtlsError::BuiltInValidator,
                _ => MtlsError::UnknownValidator(validator.name),
            });
        }
        let duration = |field, value: Option<String>, default| {
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                return Ok(default);
            };
            parse(&value).map_err(|reason| MtlsError::Field {
                name: name.to_owned(),
                field,
                value,
                reason,
            })
        };
        Ok(Lifetime {
            ttl: duration("workloadCertTTL", mtls.workload_cert_ttl, WORKLOAD_TTL)?,
            skew: duration("allowedClockSkew", mtls.allowed_clock_skew, CLOCK_SKEW)?,
        })
    }
}

fn parse(text: &str) -> Result<Duration, String> {
    let parsed: GoDuration = text
        .parse()
        .map_err(|error: DurationError| error.to_string())?;
    if parsed.as_nanos() < 0 {
        return Err("must not be negative".to_owned());
    }
    Ok(parsed.to_std())
}
