//! The command line of daprd.

use std::ffi::OsString;

use super::app::{Mtls, Plan};
use super::authority::{self, Authority};

/// Where a user's own authority listens.
const USERS_AUTHORITY: &str = "localhost:50001";

/// The arguments behind the program's name. Every option is two words,
/// booleans are one, and the order is upstream's: `dapr list` of any version
/// reads them back.
pub(super) fn arguments(plan: &Plan, authority: Option<&Authority>, json: bool) -> Vec<OsString> {
    let app = &plan.app;
    let mut line = Line::default();
    if let Some(config) = &plan.config {
        line.option("config", config);
    }
    line.text("app-protocol", &app.protocol);
    line.text("dapr-listen-addresses", &app.listen_addresses);
    line.switch("enable-profiling", app.enable_profiling);
    line.text("log-level", &app.log_level);
    let limit = if app.max_concurrency < 1 {
        -1
    } else {
        app.max_concurrency
    };
    line.number("app-max-concurrency", limit);
    line.text(
        "placement-host-address",
        &address(app.placement.as_deref(), 50005),
    );
    for path in &plan.resources {
        line.option("resources-path", path);
    }
    line.switch("app-ssl", app.ssl);
    line.text("max-body-size", &plan.max_body_size);
    line.text("read-buffer-size", &plan.read_buffer_size);
    line.switch("enable-app-health-check", app.health_check);
    line.text("app-health-check-path", &app.health_path);
    line.number_unless_zero("app-health-probe-interval", app.health_interval);
    line.number_unless_zero("app-health-probe-timeout", app.health_timeout);
    line.number_unless_zero("app-health-threshold", app.health_threshold);
    line.switch("enable-api-logging", app.api_logging);
    line.text(
        "scheduler-host-address",
        &address(app.scheduler.as_deref(), 50006),
    );
    line.text("app-id", &app.id);
    if app.channel_address != "127.0.0.1" {
        line.text("app-channel-address", &app.channel_address);
    }
    line.number("app-port", app.port.max(0));
    line.number("dapr-http-port", plan.ports.http.into());
    line.number("dapr-grpc-port", plan.ports.grpc.into());
    line.number("profile-port", plan.ports.profile.map_or(-1, i64::from));
    line.number("metrics-port", plan.ports.metrics.into());
    line.text("unix-domain-socket", &app.socket_directory);
    line.number("dapr-internal-grpc-port", plan.ports.internal_grpc.into());
    match (plan.mtls, authority) {
        (Mtls::Own, Some(authority)) => {
            line.switch("enable-mtls", true);
            line.text("sentry-address", authority.address());
            line.text("control-plane-trust-domain", authority::TRUST_DOMAIN);
            line.text("control-plane-namespace", authority::NAMESPACE);
        }
        (Mtls::Users, _) => {
            line.switch("enable-mtls", true);
            line.text("sentry-address", USERS_AUTHORITY);
        }
        _ => {}
    }
    line.switch("log-as-json", json);
    line.words
}

/// Words in the making; empty texts are left out.
#[derive(Default)]
struct Line {
    words: Vec<OsString>,
}

impl Line {
    fn option(&mut self, name: &str, value: impl Into<OsString>) {
        self.words.push(format!("--{name}").into());
        self.words.push(value.into());
    }

    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.option(name, value);
        }
    }

    fn number(&mut self, name: &str, value: i64) {
        self.option(name, value.to_string());
    }

    fn number_unless_zero(&mut self, name: &str, value: i64) {
        if value != 0 {
            self.number(name, value);
        }
    }

    fn switch(&mut self, name: &str, on: bool) {
        if on {
            self.words.push(format!("--{name}").into());
        }
    }
}

/// The host with the service's port, unless it names one; not given means
/// localhost, blank means none.
fn address(given: Option<&str>, port: u16) -> String {
    match given.map_or("localhost", str::trim) {
        "" => String::new(),
        host if host.contains(':') => host.to_owned(),
        host => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::tests::plan;
    use super::*;

    fn words(plan: &Plan) -> String {
        let words: Vec<String> = arguments(plan, None, false)
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect();
        words.join(" ")
    }

    #[test]
    fn a_plain_run_in_upstreams_order() {
        assert_eq!(
            words(&plan(&["-a", "cart", "-p", "5000"])),
            "--app-protocol http --log-level info --app-max-concurrency -1 \
             --placement-host-address localhost:50005 --max-body-size 4Mi --read-buffer-size 4Ki \
             --scheduler-host-address localhost:50006 --app-id cart --app-port 5000 \
             --dapr-http-port 1 --dapr-grpc-port 2 --profile-port -1 --metrics-port 3 \
             --dapr-internal-grpc-port 4"
        );
    }

    #[test]
    fn options_that_were_given_are_passed_on() {
        let text = words(&plan(&[
            "-a",
            "a",
            "--app-channel-address",
            "::1",
            "--app-max-concurrency",
            "7",
            "--placement-host-address=",
            "--scheduler-host-address",
            "h:1",
            "--enable-api-logging",
            "--app-health-threshold",
            "2",
            "--max-body-size",
            "4096Ki",
            "-u",
            "/tmp",
            "--enable-profiling",
        ]));
        for part in [
            "--app-channel-address ::1 --app-port 0",
            "--app-max-concurrency 7 --max-body-size",
            "--scheduler-host-address h:1",
            "--enable-api-logging",
            "--app-health-threshold 2",
            "--unix-domain-socket /tmp",
            "--enable-profiling",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(
            !text.contains("placement") && !text.contains("interval"),
            "{text}"
        );
    }

    #[test]
    fn a_users_own_authority_is_at_its_usual_address() {
        let mut plan = plan(&["-a", "a"]);
        plan.mtls = Mtls::Users;
        assert!(words(&plan).ends_with("--enable-mtls --sentry-address localhost:50001"));
    }
}
