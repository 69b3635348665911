//! Which app ids a pod may have: `<app id>-dapr` names its Service, and the
//! app id itself becomes a label.

use control_plane::app_id::{NOT_A_LABEL, flaws};

const TRAILING_DASH: &str = "must end with an alphanumeric character, because it becomes the value of the label dapr.io/app-id";

/// Why an app id is refused. The texts are Dapr's, because users search for
/// them; the one about a trailing dash is ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppIdError {
    /// Neither annotation nor name.
    #[error("value for the dapr.io/app-id annotation is empty")]
    Empty,
    /// Not usable as a name.
    #[error("invalid app id (input: '{app_id}', service: '{app_id}-dapr'): {reason}")]
    Invalid {
        /// The app id.
        app_id: String,
        /// What is wrong with it, one reason a line.
        reason: String,
    },
}

/// Accepts an app id or says why not.
///
/// Differs from Dapr: an app id that ends with a dash is refused here instead
/// of by the API server, which would only speak of a label.
pub fn check(app_id: &str) -> Result<(), AppIdError> {
    if app_id.is_empty() {
        return Err(AppIdError::Empty);
    }
    let mut reasons = flaws(app_id);
    if app_id.ends_with('-') && !reasons.contains(&NOT_A_LABEL) {
        reasons.push(TRAILING_DASH);
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(AppIdError::Invalid {
        app_id: app_id.to_owned(),
        reason: reasons.join("\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted() {
        for app_id in ["a", "cart", "0", "my-app-2", "a--b", &"x".repeat(58)] {
            assert_eq!(check(app_id), Ok(()), "{app_id}");
        }
    }

    #[test]
    fn refused_with_the_words_users_know() {
        let long = "x".repeat(59);
        for (app_id, text) in [
            (
                "",
                "value for the dapr.io/app-id annotation is empty".to_owned(),
            ),
            (
                "My_App",
                "invalid app id (input: 'My_App', service: 'My_App-dapr'): a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')".to_owned(),
            ),
            (
                &long,
                format!("invalid app id (input: '{long}', service: '{long}-dapr'): must be no more than 63 characters"),
            ),
            (
                "a-",
                "invalid app id (input: 'a-', service: 'a--dapr'): must end with an alphanumeric character, because it becomes the value of the label dapr.io/app-id".to_owned(),
            ),
        ] {
            assert_eq!(check(app_id).unwrap_err().to_string(), text);
        }
        let both = check(&"A".repeat(59)).unwrap_err().to_string();
        assert!(
            both.contains("63 characters\na lowercase RFC 1123"),
            "{both}"
        );
        for app_id in ["-a", "a.b", "ä", "a b", "myapp@"] {
            check(app_id).unwrap_err();
        }
    }
}
