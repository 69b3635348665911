//! The command line of the sidecar.
//!
//! The order is a contract: tools find a value by scanning for its flag and
//! taking the next word. Flags not named here that the table of flags gives an
//! annotation follow at the end.

use api::flags::{Kind, TABLE, truthy};
use api::ports;

use super::Context;
use crate::annotations::{self as names, Annotations};
use crate::settings::address;

/// Where the sidecar's sockets are, inside its container.
pub(super) const SOCKETS: &str = "/var/run/dapr-sockets";

/// When a flag is passed on, and as what.
#[derive(Clone, Copy)]
enum Pass {
    /// With its value, unless that is empty.
    NonEmpty,
    /// With its value, which may be empty.
    Given,
    /// With a number.
    Int,
    /// Alone, when switched on.
    On,
    /// As one word with `=true` or `=false`.
    Bool,
}

struct Args<'a, 'b> {
    annotations: &'b mut Annotations<'a>,
    words: Vec<String>,
    /// Flags that were decided upon.
    settled: Vec<&'static str>,
}

/// Everything behind the program's name.
pub(super) fn args(context: &Context<'_>, annotations: &mut Annotations<'_>) -> Vec<String> {
    let settings = context.settings;
    let mut args = Args {
        annotations,
        words: Vec::with_capacity(48),
        settled: Vec::with_capacity(48),
    };
    args.always(context);
    let port = args.int("app-port", 0);
    if port > 0 {
        args.value("app-port", port.to_string());
    }
    if args.on("enable-metrics", true) {
        args.switch("enable-metrics");
        let port = args.int("metrics-port", ports::METRICS.into());
        args.value("metrics-port", port.to_string());
    }
    args.settle(&["enable-metrics", "metrics-port"]);
    args.pass("config", Pass::NonEmpty);
    args.pass("app-channel-address", Pass::NonEmpty);
    args.actors(context);
    if let Some(service) = &settings.reminders_service {
        args.value("reminders-service", service.clone());
    }
    args.pass("sentry-request-jwt-audiences", Pass::NonEmpty);
    args.pass("enable-api-logging", Pass::Bool);
    args.pass("disable-builtin-k8s-secret-store", Pass::On);
    args.app_health();
    args.pass("app-binding-options-timeout", Pass::Given);
    args.pass("log-as-json", Pass::On);
    args.pass("enable-profiling", Pass::On);
    if context.current.mtls {
        args.switch("enable-mtls");
    }
    args.pass("app-ssl", Pass::On);
    args.pass("app-max-concurrency", Pass::Int);
    args.pass("dapr-http-max-request-size", Pass::Int);
    args.pass("max-body-size", Pass::NonEmpty);
    args.pass("dapr-http-read-buffer-size", Pass::Int);
    args.pass("read-buffer-size", Pass::NonEmpty);
    if args
        .text("unix-domain-socket")
        .is_some_and(|path| !path.is_empty())
    {
        args.value("unix-domain-socket", SOCKETS.to_owned());
    }
    args.settle(&["unix-domain-socket"]);
    args.pass("dapr-block-shutdown-duration", Pass::Given);
    args.pass("actors-disseminate-timeout", Pass::Given);
    let scheduler = args.text("scheduler-host-address").map(unquoted);
    if let Some(address) = scheduler.or(settings.scheduler.as_deref()) {
        args.value("scheduler-host-address", address.to_owned());
    }
    args.settle(&["scheduler-host-address"]);
    args.pass("disable-init-endpoints", Pass::Given);
    args.others();
    args.words
}

impl<'a> Args<'a, '_> {
    fn always(&mut self, context: &Context<'_>) {
        let settings = context.settings;
        let of_service =
            |service| address(service, &settings.namespace, &settings.cluster_domain, 443);
        self.value("dapr-http-port", ports::DAPR_HTTP.to_string());
        let port = self.int("dapr-grpc-port", ports::DAPR_GRPC.into());
        self.value("dapr-grpc-port", port.to_string());
        let port = self.int("dapr-internal-grpc-port", ports::DAPR_INTERNAL_GRPC.into());
        self.value("dapr-internal-grpc-port", port.to_string());
        self.given_or("dapr-listen-addresses", "[::1],127.0.0.1");
        self.value("dapr-public-port", ports::DAPR_PUBLIC.to_string());
        self.value("app-id", context.app_id.to_owned());
        self.given_or("app-protocol", "http");
        self.given_or("log-level", "info");
        let seconds = self.int("dapr-graceful-shutdown-seconds", -1);
        self.value("dapr-graceful-shutdown-seconds", seconds.to_string());
        self.value("mode", "kubernetes".to_owned());
        self.value("control-plane-address", of_service("dapr-api"));
        self.value("sentry-address", of_service("dapr-sentry"));
        self.settle(&["app-port"]);
    }

    fn actors(&mut self, context: &Context<'_>) {
        let settings = context.settings;
        let placement = self.text("placement-host-address").map(unquoted);
        match placement.or(settings.placement.as_deref()) {
            Some(address) if !address.is_empty() => {
                self.value("placement-host-address", address.to_owned());
            }
            _ => {
                if let Some(service) = &settings.actors_service {
                    self.value("actors-service", service.clone());
                }
            }
        }
        self.settle(&["placement-host-address"]);
    }

    fn app_health(&mut self) {
        self.settle(&[
            "enable-app-health-check",
            "app-health-check-path",
            "app-health-probe-interval",
            "app-health-probe-timeout",
            "app-health-threshold",
        ]);
        if !self.on("enable-app-health-check", false) {
            return;
        }
        self.switch("enable-app-health-check");
        self.given_or("app-health-check-path", "/healthz");
        for (flag, default) in [
            ("app-health-probe-interval", 5),
            ("app-health-probe-timeout", 500),
            ("app-health-threshold", 3),
        ] {
            let number = self.int(flag, default);
            self.value(flag, number.to_string());
        }
    }

    /// Annotated flags that no line above knows.
    fn others(&mut self) {
        for row in TABLE {
            if row.annotation.is_none() || self.settled.contains(&row.name) {
                continue;
            }
            self.pass(
                row.name,
                match row.kind {
                    Kind::Bool => Pass::Bool,
                    Kind::Int | Kind::Uint => Pass::Int,
                    Kind::Text | Kind::List | Kind::Duration => Pass::Given,
                },
            );
        }
    }

    fn pass(&mut self, flag: &'static str, how: Pass) {
        self.settled.push(flag);
        let Some(text) = self.text(flag) else {
            return;
        };
        match how {
            Pass::NonEmpty if text.is_empty() => {}
            Pass::NonEmpty | Pass::Given => self.value(flag, text.to_owned()),
            Pass::Int => {
                if let Some(number) = self.annotations.int(names::of_flag(flag)) {
                    self.value(flag, number.to_string());
                }
            }
            Pass::On if truthy(text) => self.switch(flag),
            Pass::On => {}
            Pass::Bool => self.words.push(format!("--{flag}={}", truthy(text))),
        }
    }

    fn text(&self, flag: &str) -> Option<&'a str> {
        self.annotations.text(names::of_flag(flag))
    }

    fn on(&self, flag: &str, default: bool) -> bool {
        self.annotations.on(names::of_flag(flag), default)
    }

    fn int(&mut self, flag: &str, default: i32) -> i32 {
        self.annotations
            .int(names::of_flag(flag))
            .unwrap_or(default)
    }

    fn given_or(&mut self, flag: &'static str, default: &str) {
        let value = self.text(flag).unwrap_or(default).to_owned();
        self.value(flag, value);
    }

    fn switch(&mut self, flag: &'static str) {
        self.words.push(format!("--{flag}"));
    }

    fn value(&mut self, flag: &'static str, value: String) {
        self.settled.push(flag);
        self.words.push(format!("--{flag}"));
        self.words.push(value);
    }

    /// Marks flags as decided upon whether or not they are passed on.
    fn settle(&mut self, flags: &[&'static str]) {
        self.settled.extend(flags);
    }
}

/// Helm users write `"''"` to mean an empty value.
fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\'']).trim()
}

#[cfg(test)]
mod tests;
