//! Which app ids can name a Service: injector and operator have to agree, or
//! a pod gets a sidecar that nobody can call. Rule and wording mirror Dapr 1.18
//! pkg/validation.

/// Longest DNS label.
const LONGEST: usize = 63;
const TOO_LONG: &str = "must be no more than 63 characters";
/// What every text but a DNS label is told.
pub const NOT_A_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/// The name of an app's Service.
pub fn service_name(app_id: &str) -> String {
    format!("{app_id}-dapr")
}

/// Why the app's Service cannot have its name; empty when it can.
pub fn flaws(app_id: &str) -> Vec<&'static str> {
    let service = service_name(app_id);
    let mut flaws = Vec::new();
    if service.len() > LONGEST {
        flaws.push(TOO_LONG);
    }
    if !is_label(&service) {
        flaws.push(NOT_A_LABEL);
    }
    flaws
}

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`
fn is_label(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.chars().all(|c| c == '-' || alphanumeric(c))
}
