//! `spec.mtls` of our Configuration: how long certificates live, and who vouches
//! for callers. The same resource is a file on a laptop and an object in a
//! cluster.

use std::path::Path;
use std::time::Duration;

use api::duration::{DurationError, GoDuration};
use serde::Deserialize;

use super::validators::{self, TokenValidator};
use crate::sentry::validator::jwks;

/// Validity of workload certificates unless configured otherwise.
const WORKLOAD_TTL: Duration = Duration::from_hours(24);
/// How far certificates are back-dated unless configured otherwise.
const CLOCK_SKEW: Duration = Duration::from_mins(15);
/// Not a file name but the name of an object in a cluster; in standalone mode
/// a file of this name is optional.
const DEFAULT_NAME: &str = "daprsystem";

/// What sentry reads from its Configuration.
#[derive(Debug, Default)]
pub(in crate::sentry) struct Settings {
    /// Life of what is signed.
    pub(in crate::sentry) lifetime: Lifetime,
    /// Where the keys of token validator `jwks` are, if it is wanted.
    pub(in crate::sentry) jwks: Option<jwks::Source>,
}

/// Validity of certificates relative to now.
#[derive(Clone, Copy, Debug)]
pub(in crate::sentry) struct Lifetime {
    /// From now to NotAfter.
    pub(in crate::sentry) ttl: Duration,
    /// From NotBefore to now.
    pub(in crate::sentry) skew: Duration,
}

/// A Configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::sentry) enum MtlsError {
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
        field: String,
        /// As written; of a long text the beginning.
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
}

/// The parts of a Configuration resource that we read.
#[derive(Debug, Default, Deserialize)]
pub(in crate::sentry) struct Configuration {
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

// === impl Settings ===

impl Settings {
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
        configuration.unwrap_or_default().settings(&name)
    }
}

// === impl Lifetime ===

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
    pub(in crate::sentry) fn settings(self, name: &str) -> Result<Settings, MtlsError> {
        let Mtls {
            workload_cert_ttl,
            allowed_clock_skew,
            token_validators,
        } = self.spec.unwrap_or_default().mtls.unwrap_or_default();
        let duration = |field: &str, value: Option<String>, default| {
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                return Ok(default);
            };
            parse(&value).map_err(|reason| MtlsError::Field {
                name: name.to_owned(),
                field: field.to_owned(),
                value,
                reason,
            })
        };
        Ok(Settings {
            lifetime: Lifetime {
                ttl: duration("workloadCertTTL", workload_cert_ttl, WORKLOAD_TTL)?,
                skew: duration("allowedClockSkew", allowed_clock_skew, CLOCK_SKEW)?,
            },
            jwks: validators::read(name, token_validators.unwrap_or_default())?,
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
