//! Addresses made from a pattern: `{appid}` is replaced by the app id.

use super::settings::Settings;

/// The pattern cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("configuration.format must contain {{appid}}")]
pub(super) struct FormatError;

/// A checked pattern.
#[derive(Debug)]
pub(super) struct NameFormat {
    format: String,
}

const PLACE: &str = "{appid}";

impl NameFormat {
    pub(super) fn new(settings: Settings<'_>) -> Result<Self, FormatError> {
        settings
            .text(&["format"])
            .filter(|format| format.contains(PLACE))
            .map(|format| Self { format })
            .ok_or(FormatError)
    }

    pub(super) fn address(&self, app_id: &str) -> String {
        self.format.replace(PLACE, app_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_id_takes_its_place() {
        let new = |value| NameFormat::new(Settings::new(&value)).ok();
        let format = new(serde_json::json!({"format": "{appid}.svc:{appid}"})).unwrap();
        assert_eq!(format.address("cart"), "cart.svc:cart");
        assert!(new(serde_json::json!({"format": "{AppID}"})).is_none());
        assert!(new(serde_json::Value::Null).is_none());
    }
}
