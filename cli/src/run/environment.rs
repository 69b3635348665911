//! The variables an app is given on top of the inherited ones.

use std::process::Command;

use super::app::Plan;

/// Makes Python pass on each line when it is printed.
const PYTHON: &str = "PYTHONUNBUFFERED";

/// Names and values; later ones win over earlier ones of the same name.
pub(super) fn variables(plan: &Plan) -> Vec<(String, String)> {
    let app = &plan.app;
    let mut all = vec![
        ("APP_ID".to_owned(), app.id.clone()),
        (
            "APP_CHANNEL_ADDRESS".to_owned(),
            app.channel_address.clone(),
        ),
    ];
    if app.port > 0 {
        all.push(("APP_PORT".to_owned(), app.port.to_string()));
    }
    if let Some(protocol) = protocol(&app.protocol, app.ssl) {
        all.push(("APP_PROTOCOL".to_owned(), protocol.to_owned()));
    }
    for (name, port) in [
        ("DAPR_HTTP_PORT", plan.ports.http),
        ("DAPR_GRPC_PORT", plan.ports.grpc),
        ("DAPR_METRICS_PORT", plan.ports.metrics),
    ] {
        all.push((name.to_owned(), port.to_string()));
    }
    all.extend(app.env.clone());
    all
}

/// For an app whose output is read through a pipe. Python would keep it until
/// the app ends, and lose it when the app is killed.
///
/// Differs from Dapr: its run files show such output late or never.
pub(super) fn unbuffer(command: &mut Command) {
    let chosen = command.get_envs().any(|(name, _)| name == PYTHON);
    if !chosen && std::env::var_os(PYTHON).is_none() {
        command.env(PYTHON, "1");
    }
}

/// What the app speaks, in lower case; `None` for a word nobody knows.
fn protocol(typed: &str, ssl: bool) -> Option<&'static str> {
    match (typed.to_lowercase().as_str(), ssl) {
        ("http", true) | ("https", _) => Some("https"),
        ("grpc", true) | ("grpcs", _) => Some("grpcs"),
        ("http" | "", _) => Some("http"),
        ("grpc", _) => Some("grpc"),
        ("h2c", _) => Some("h2c"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::tests::plan;
    use super::*;

    #[test]
    fn the_app_learns_its_id_and_ports() {
        let all = variables(&plan(&["-a", "cart", "-p", "5000", "-P", "GRPC"]));
        let expected = [
            ("APP_ID", "cart"),
            ("APP_CHANNEL_ADDRESS", "127.0.0.1"),
            ("APP_PORT", "5000"),
            ("APP_PROTOCOL", "grpc"),
            ("DAPR_HTTP_PORT", "1"),
            ("DAPR_GRPC_PORT", "2"),
            ("DAPR_METRICS_PORT", "3"),
        ];
        let all: Vec<_> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn an_unknown_protocol_or_port_is_not_told() {
        let mut plan = plan(&["-a", "a", "-P", "ftp"]);
        plan.app.env.insert("APP_ID".into(), "mine".into());
        let all = variables(&plan);
        assert!(
            !all.iter()
                .any(|(n, _)| n == "APP_PROTOCOL" || n == "APP_PORT")
        );
        assert_eq!(all.last().unwrap().1, "mine");
        assert_eq!(protocol("http", true), Some("https"));
        assert_eq!(protocol("", true), Some("http"));
    }
}
