//! An AdmissionReview of `admission.k8s.io/v1` or `v1beta1`, as far as it is
//! read. `null` means absent.

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;

/// What arrives.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Review {
    api_version: Option<String>,
    kind: Option<String>,
    pub(crate) request: Option<Request>,
}

/// What it is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Request {
    uid: Option<String>,
    kind: Option<Kind>,
    namespace: Option<String>,
    dry_run: Option<bool>,
    user_info: Option<UserInfo>,
    pub(crate) object: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kind {
    kind: Option<String>,
}

/// Who asks.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UserInfo {
    username: Option<String>,
    uid: Option<String>,
    groups: Option<Vec<String>>,
}

impl Review {
    pub(super) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        // By way of a value, in which the last of two equal names wins, as in
        // Go; a type would refuse the second.
        let value: Value = serde_json::from_slice(body)?;
        // Types would take a list of their fields for an object.
        for path in ["", "/request", "/request/kind", "/request/userInfo"] {
            let part = value.pointer(path);
            if part.is_some_and(Value::is_array) {
                let expected = format!("AdmissionReview{path} must be an object, not a list");
                return Err(serde_json::Error::custom(expected));
            }
        }
        Self::deserialize(value)
    }

    /// Answers carry the version and kind of their question.
    pub(super) fn api_version(&self) -> &str {
        self.api_version.as_deref().unwrap_or("admission.k8s.io/v1")
    }

    pub(super) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("AdmissionReview")
    }

    pub(super) fn uid(&self) -> &str {
        text(
            self.request
                .as_ref()
                .and_then(|request| request.uid.as_ref()),
        )
    }
}

impl Request {
    pub(crate) fn kind(&self) -> &str {
        text(self.kind.as_ref().and_then(|kind| kind.kind.as_ref()))
    }

    pub(crate) fn namespace(&self) -> &str {
        text(self.namespace.as_ref())
    }

    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run == Some(true)
    }

    pub(super) fn username(&self) -> &str {
        text(
            self.user_info
                .as_ref()
                .and_then(|user| user.username.as_ref()),
        )
    }

    pub(super) fn user_uid(&self) -> &str {
        text(self.user_info.as_ref().and_then(|user| user.uid.as_ref()))
    }

    pub(super) fn groups(&self) -> &[String] {
        self.user_info
            .as_ref()
            .and_then(|user| user.groups.as_deref())
            .unwrap_or_default()
    }
}

fn text(text: Option<&String>) -> &str {
    text.map(String::as_str).unwrap_or_default()
}
