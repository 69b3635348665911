//! The free-form `configuration` of a component, read as Dapr's components
//! read it: keys without case, values as text or in their own type.

use std::time::Duration;

use api::duration::GoDuration;
use serde_json::Value;

/// A setting with an unusable value.
#[derive(Debug, thiserror::Error)]
#[error("invalid value for '{key}': {reason}")]
pub(super) struct SettingError {
    key: &'static str,
    reason: String,
}

/// Look-up by any of several spellings of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings<'a> {
    members: Option<&'a serde_json::Map<String, Value>>,
}

impl<'a> Settings<'a> {
    pub(super) fn new(configuration: &'a Value) -> Self {
        Self {
            members: configuration.as_object(),
        }
    }

    fn find(self, keys: &[&str]) -> Option<&'a Value> {
        let members = self.members?;
        keys.iter().find_map(|key| {
            let mut matching = members
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case(key));
            matching.next().map(|(_, value)| value)
        })
    }

    /// A text, or a number as written; `None` when absent or null.
    pub(super) fn text(self, keys: &[&str]) -> Option<String> {
        match self.find(keys)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    /// A duration in Go's form; a bare number counts seconds.
    pub(super) fn duration(
        self,
        keys: &[&'static str],
        default: Duration,
    ) -> Result<Duration, SettingError> {
        let Some(text) = self.text(keys).filter(|text| !text.is_empty()) else {
            return Ok(default);
        };
        let key = keys.first().copied().unwrap_or_default();
        if let Ok(seconds) = text.parse() {
            return Ok(Duration::from_secs(seconds));
        }
        text.parse::<GoDuration>()
            .map(GoDuration::to_std)
            .map_err(|error| SettingError {
                key,
                reason: error.to_string(),
            })
    }

    /// A switch; the words Dapr takes for "on", anything else is off.
    pub(super) fn is_on(self, keys: &[&str]) -> bool {
        let on = ["y", "yes", "true", "t", "on", "1"];
        self.text(keys)
            .is_some_and(|text| on.contains(&text.to_ascii_lowercase().as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ignore_case_and_values_their_type() {
        let value = serde_json::json!({
            "ConnectionString": "a.db", "updateinterval": "1m", "timeout": 2,
            "bad": "soon", "disableWAL": true, "off": "no", "none": null,
        });
        let settings = Settings::new(&value);
        assert_eq!(
            settings.text(&["url", "connectionString"]).as_deref(),
            Some("a.db")
        );
        assert_eq!(settings.text(&["none"]), None);
        let duration = |key| settings.duration(&[key], Duration::from_secs(9)).ok();
        assert_eq!(duration("updateInterval"), Some(Duration::from_mins(1)));
        assert_eq!(duration("timeout"), Some(Duration::from_secs(2)));
        assert_eq!(duration("missing"), Some(Duration::from_secs(9)));
        let error = settings.duration(&["bad"], Duration::ZERO).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"invalid value for 'bad': time: invalid duration "soon""#
        );
        assert!(settings.is_on(&["disablewal"]) && !settings.is_on(&["off"]));
        assert_eq!(Settings::new(&Value::Null).text(&["url"]), None);
    }
}
