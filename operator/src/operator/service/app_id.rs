//! Which app ids can name a Service. Rule and wording mirror Dapr 1.18
//! pkg/validation.

/// Longest DNS label.
const LONGEST: usize = 63;
const TOO_LONG: &str = "must be no more than 63 characters";
const NOT_A_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/// The name of an app's Service.
pub(super) fn service_name(app_id: &str) -> String {
    format!("{app_id}-dapr")
}

/// Checks that the app's Service can have its name.
///
/// # Errors
/// Why it cannot, for the user.
pub(super) fn validate(app_id: &str) -> Result<(), String> {
    if app_id.is_empty() {
        return Err("value for the dapr.io/app-id annotation is empty".to_owned());
    }
    let service = service_name(app_id);
    let mut reasons = Vec::new();
    if service.len() > LONGEST {
        reasons.push(TOO_LONG);
    }
    if !is_label(&service) {
        reasons.push(NOT_A_LABEL);
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(format!(
        "invalid app id (input: '{app_id}', service: '{service}'): {}",
        reasons.join("\n")
    ))
}

fn is_label(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes
        .iter()
        .all(|byte| alphanumeric(*byte) || *byte == b'-')
        && bytes.first().is_some_and(|byte| alphanumeric(*byte))
        && bytes.last().is_some_and(|byte| alphanumeric(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

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
