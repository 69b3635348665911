//! `spec.mtls.tokenValidators`: the one validator that can be configured, and
//! its options. Mirrors Dapr 1.18 pkg/sentry/config/config.go.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use api::duration::GoDuration;
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::Uri;
use serde::Deserialize;
use serde_json::Value;

use super::mtls::MtlsError;
use crate::sentry::SCOPE;
use crate::sentry::validator::jwks::{KeySet, Remote, Roots, Source};

const MIN_REFRESH_INTERVAL: Duration = Duration::from_mins(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Characters of a value that an error repeats: it may be a whole key set.
const SHOWN: usize = 80;
const SOURCE_FORM: &str = "must be an http:// or https:// URL, an existing file, or a JSON Web Key Set as JSON or in base64";
const DURATION_FORM: &str = "must be a duration such as 10m, or a number of seconds, above zero";

/// One entry, as written.
#[derive(Debug, Deserialize)]
pub(super) struct TokenValidator {
    #[serde(default)]
    name: String,
    options: Option<BTreeMap<String, Value>>,
}

/// The options of one entry, and where they stand.
struct Options<'a> {
    /// Of the Configuration.
    name: &'a str,
    /// Position in the list.
    index: usize,
    entries: BTreeMap<String, Value>,
}

/// Where the keys of validator `jwks` come from; `None` when it is not in the
/// list.
pub(super) fn read(
    name: &str,
    validators: Vec<TokenValidator>,
) -> Result<Option<Source>, MtlsError> {
    let mut source = None;
    for (index, validator) in validators.into_iter().enumerate() {
        match validator.name.to_ascii_lowercase().as_str() {
            "jwks" => {}
            "kubernetes" | "insecure" => return Err(MtlsError::BuiltInValidator),
            _ => return Err(MtlsError::UnknownValidator(validator.name)),
        }
        let options = Options {
            name,
            index,
            entries: validator.options.unwrap_or_default(),
        };
        if source.is_some() {
            return Err(MtlsError::Field {
                name: name.to_owned(),
                field: format!("tokenValidators[{index}].name"),
                value: validator.name,
                reason: "must be in the list once".to_owned(),
            });
        }
        source = Some(options.source()?);
    }
    Ok(source)
}

// === impl Options ===

impl Options<'_> {
    fn source(mut self) -> Result<Source, MtlsError> {
        let source = self.take("source")?.unwrap_or_default();
        let ca_certificate = self.take("caCertificate")?;
        let min_refresh_interval = self.duration("minRefreshInterval", MIN_REFRESH_INTERVAL)?;
        let request_timeout = self.duration("requestTimeout", REQUEST_TIMEOUT)?;
        let roots = match ca_certificate {
            None => Roots::System,
            Some(text) => Roots::parse(&text).map_err(|reason| {
                let reason = format!("must be PEM or a file with it: {reason}");
                self.error("caCertificate", &text, reason)
            })?,
        };
        for unknown in self.entries.keys() {
            let Self { name, index, .. } = self;
            tracing::warn!(
                target: SCOPE,
                "configuration {name:?}: ignoring unknown option {unknown:?} of spec.mtls.tokenValidators[{index}]"
            );
        }
        if source.starts_with("http://") || source.starts_with("https://") {
            let address = self.address(&source)?;
            return Ok(Source::Remote(Remote {
                address,
                roots,
                min_refresh_interval,
                request_timeout,
            }));
        }
        let file = PathBuf::from(&source);
        if file.is_file() {
            return Ok(Source::File(file));
        }
        self.inline(&source).map(Source::Inline)
    }

    fn address(&self, text: &str) -> Result<Uri, MtlsError> {
        let form = || self.error("source", text, SOURCE_FORM.to_owned());
        let address: Uri = text.parse().map_err(|_| form())?;
        match address.authority() {
            Some(authority) if authority.as_str().contains('@') => {
                let shown = format!("…@{}", authority.host());
                let reason = "must not hold a user name or password".to_owned();
                Err(self.error("source", &shown, reason))
            }
            Some(_) => Ok(address),
            None => Err(form()),
        }
    }

    fn inline(&self, text: &str) -> Result<KeySet, MtlsError> {
        let error = |reason: String| self.error("source", text, reason);
        let json = if text.trim_start().starts_with('{') {
            text.as_bytes().to_vec()
        } else {
            decode(text).ok_or_else(|| error(SOURCE_FORM.to_owned()))?
        };
        let keys = KeySet::parse(&json).map_err(|reason| error(reason.to_string()))?;
        if keys.is_empty() {
            let skipped = keys.skipped().join(", ");
            return Err(error(format!("holds no usable key: {skipped}")));
        }
        Ok(keys)
    }

    fn duration(&mut self, field: &str, default: Duration) -> Result<Duration, MtlsError> {
        let Some(text) = self.take(field)? else {
            return Ok(default);
        };
        let parsed = match text.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => text.parse().ok().map(GoDuration::to_std),
        };
        parsed
            .filter(|duration| !duration.is_zero())
            .ok_or_else(|| self.error(field, &text, DURATION_FORM.to_owned()))
    }

    /// The value of an option as text; `None` when it is absent or empty.
    /// Names may be written in any case.
    fn take(&mut self, field: &str) -> Result<Option<String>, MtlsError> {
        let written = self
            .entries
            .keys()
            .find(|name| name.eq_ignore_ascii_case(field))
            .cloned();
        match written.and_then(|name| self.entries.remove(&name)) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(self.error(field, &other.to_string(), "must be text".to_owned())),
        }
    }

    fn error(&self, option: &str, value: &str, reason: String) -> MtlsError {
        let mut shown: String = value.chars().take(SHOWN).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        MtlsError::Field {
            name: self.name.to_owned(),
            field: format!("tokenValidators[{}].options.{option}", self.index),
            value: shown,
            reason,
        }
    }
}

/// Base64 of either alphabet, with or without padding and line ends.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(&text).ok())
        .filter(|json| json.trim_ascii_start().starts_with(b"{"))
}
