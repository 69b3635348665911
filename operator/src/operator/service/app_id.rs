//! Which app ids can name a Service, in words for the user.

pub(super) use control_plane::app_id::service_name;

/// Checks that the app's Service can have its name.
///
/// # Errors
/// Why it cannot, for the user.
pub(super) fn validate(app_id: &str) -> Result<(), String> {
    if app_id.is_empty() {
        return Err("value for the dapr.io/app-id annotation is empty".to_owned());
    }
    let flaws = control_plane::app_id::flaws(app_id);
    if flaws.is_empty() {
        return Ok(());
    }
    Err(format!(
        "invalid app id (input: '{app_id}', service: '{}'): {}",
        service_name(app_id),
        flaws.join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOO_LONG: &str = "must be no more than 63 characters";
    const NOT_A_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

    #[test]
    fn ids_that_make_a_label_pass() {
        let longest = "a".repeat(58);
        for id in ["nodeapp", "1", "a-b", "0a", "a-", longest.as_str()] {
            assert_eq!(validate(id), Ok(()), "{id}");
        }
    }

    #[test]
    fn refusals_carry_the_words_users_know() {
        let label =
            format!("invalid app id (input: 'myapp@', service: 'myapp@-dapr'): {NOT_A_LABEL}");
        assert_eq!(validate("myapp@"), Err(label));
        let long = "a".repeat(59);
        assert_eq!(
            validate(&long),
            Err(format!(
                "invalid app id (input: '{long}', service: '{long}-dapr'): {TOO_LONG}"
            ))
        );
        let both = "A".repeat(59);
        assert!(
            validate(&both)
                .unwrap_err()
                .ends_with(&format!("{TOO_LONG}\n{NOT_A_LABEL}"))
        );
        assert_eq!(
            validate(""),
            Err("value for the dapr.io/app-id annotation is empty".to_owned())
        );
        for id in ["-a", "a.b", "Ä", "a b"] {
            assert!(validate(id).is_err(), "{id}");
        }
    }
}
