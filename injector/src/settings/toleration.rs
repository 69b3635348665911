//! Tolerations that mark pods of virtual nodes, which ignore the entry point
//! of an image.

use serde::Deserialize;
use serde_json::Value;

/// Equal only when every field is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Toleration {
    key: String,
    operator: String,
    value: String,
    effect: String,
    #[serde(rename = "tolerationSeconds")]
    seconds: Option<i64>,
}

impl Toleration {
    /// Whether a pod's toleration is this one.
    pub(crate) fn equals(&self, given: &Value) -> bool {
        Self::deserialize(given).is_ok_and(|given| given == *self)
    }
}
