//! The flags of `dapr run`. Those with an empty help text mean the same as
//! daprd's flag and take its help from the flag table.

use std::path::PathBuf;

use super::App;
use crate::args::{Flag, Parsed};

/// Flags of this program alone, and those of a run file.
pub(super) const RUN_FILE: &str = "run-file";
pub(super) const KUBERNETES: &str = "kubernetes";
pub(super) const ENABLE_MTLS: &str = "enable-mtls";
pub(super) const APP_LOG_PREFIX: &str = "app-log-prefix";
pub(super) const IMAGE: &str = "image";
/// How a run starts its guard.
pub(super) const GUARD: &str = "guard";

/// Every flag of the command.
pub(super) const FLAGS: &[Flag] = &[
    Flag::text(
        "app-id",
        "",
        "Name other apps call this one by; made up when not given",
    )
    .short('a'),
    Flag::int("app-port", "-1", "").short('p'),
    Flag::text("app-protocol", "http", "").short('P'),
    Flag::bool("app-ssl", "").deprecated("use '--app-protocol https|grpcs'"),
    Flag::text("app-channel-address", "127.0.0.1", ""),
    Flag::int("app-max-concurrency", "-1", ""),
    Flag::text(
        "config",
        "",
        "Configuration file; without it config.yaml of the runtime directory",
    )
    .short('c'),
    Flag::list("resources-path", ""),
    Flag::text("components-path", "", "")
        .short('d')
        .deprecated("use --resources-path"),
    Flag::int(
        "dapr-http-port",
        "-1",
        "Port of the HTTP API; free one when not given",
    )
    .short('H'),
    Flag::int(
        "dapr-grpc-port",
        "-1",
        "Port of the gRPC API; free one when not given",
    )
    .short('G'),
    Flag::int(
        "dapr-internal-grpc-port",
        "-1",
        "Port other sidecars call; free one when not given",
    )
    .short('I'),
    Flag::int(
        "metrics-port",
        "-1",
        "Port of the metrics server; free one when not given",
    )
    .short('M'),
    Flag::bool("enable-profiling", ""),
    Flag::int("profile-port", "-1", ""),
    Flag::text("dapr-listen-addresses", "", ""),
    Flag::text("log-level", "info", ""),
    Flag::bool("enable-api-logging", ""),
    Flag::bool("enable-app-health-check", ""),
    Flag::text("app-health-check-path", "", ""),
    Flag::int("app-health-probe-interval", "0", ""),
    Flag::int("app-health-probe-timeout", "0", ""),
    Flag::int("app-health-threshold", "0", ""),
    Flag::text("max-body-size", "4Mi", ""),
    Flag::text("read-buffer-size", "4Ki", ""),
    Flag::text("unix-domain-socket", "", "").short('u'),
    Flag::text("placement-host-address", "localhost", ""),
    Flag::text("scheduler-host-address", "localhost", ""),
    Flag::text(
        RUN_FILE,
        "",
        "Run file with several apps, the directory of one, or - for standard input",
    )
    .short('f'),
    Flag::bool(
        KUBERNETES,
        "Run the apps of a run file in a cluster; not available yet",
    )
    .short('k'),
    Flag::on(
        ENABLE_MTLS,
        "Encrypt calls between sidecars and prove who calls",
    ),
    Flag::on(
        APP_LOG_PREFIX,
        "Print == APP == in front of the app's lines; without it the app writes to the terminal itself",
    ),
    Flag::int(
        "dapr-http-max-request-size",
        "0",
        "Largest request body in MiB",
    )
    .hidden(),
    Flag::int(
        "dapr-http-read-buffer-size",
        "0",
        "Largest header block in KiB",
    )
    .hidden(),
    Flag::text(IMAGE, "", "Not supported: apps run as processes").hidden(),
    Flag::bool(GUARD, "End the processes of a run that was killed").hidden(),
];

/// Flags that mean something together with a run file.
pub(super) const WITH_RUN_FILE: &[&str] = &[
    RUN_FILE,
    KUBERNETES,
    ENABLE_MTLS,
    "help",
    "version",
    "runtime-path",
    "log-as-json",
];

/// What the command line asks for.
pub(super) fn app(parsed: &Parsed) -> App {
    let text = |name| parsed.text(name).to_owned();
    // An empty text is worth the default, as upstream has it for these.
    let filled = |name| match parsed.text(name) {
        "" => default(name).to_owned(),
        given => given.to_owned(),
    };
    let path = |name| match parsed.text(name) {
        "" => None,
        path => Some(PathBuf::from(path)),
    };
    // An alias counts only when the flag proper is not given.
    let size = |name, alias, unit| match parsed.int(alias) {
        number if parsed.given(alias) && !parsed.given(name) => format!("{number}{unit}"),
        _ => filled(name),
    };
    App {
        id: text("app-id"),
        command: parsed.words().to_vec(),
        port: parsed.int("app-port"),
        http_port: parsed.int("dapr-http-port"),
        grpc_port: parsed.int("dapr-grpc-port"),
        internal_grpc_port: parsed.int("dapr-internal-grpc-port"),
        metrics_port: parsed.int("metrics-port"),
        profile_port: parsed.int("profile-port"),
        channel_address: text("app-channel-address"),
        socket_directory: text("unix-domain-socket"),
        protocol: filled("app-protocol"),
        ssl: parsed.bool("app-ssl"),
        listen_addresses: text("dapr-listen-addresses"),
        enable_profiling: parsed.bool("enable-profiling"),
        log_level: text("log-level"),
        max_concurrency: parsed.int("app-max-concurrency"),
        config: path("config"),
        resources: parsed
            .list("resources-path")
            .iter()
            .map(PathBuf::from)
            .collect(),
        components: path("components-path"),
        max_body_size: size("max-body-size", "dapr-http-max-request-size", "Mi"),
        read_buffer_size: size("read-buffer-size", "dapr-http-read-buffer-size", "Ki"),
        health_check: parsed.bool("enable-app-health-check"),
        health_path: text("app-health-check-path"),
        health_interval: parsed.int("app-health-probe-interval"),
        health_timeout: parsed.int("app-health-probe-timeout"),
        health_threshold: parsed.int("app-health-threshold"),
        api_logging: parsed.bool("enable-api-logging"),
        placement: Some(text("placement-host-address")),
        scheduler: Some(text("scheduler-host-address")),
        env: std::collections::BTreeMap::new(),
    }
}

fn default(name: &str) -> &'static str {
    let flag = FLAGS.iter().find(|flag| flag.name == name);
    flag.map_or("", |flag| flag.default)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flag table says which of daprd's flags `dapr run` has.
    #[test]
    fn every_run_flag_of_the_table_is_here() {
        for row in api::flags::TABLE {
            let Some(name) = row.run_flag else { continue };
            let global = crate::args::GLOBAL;
            assert!(
                FLAGS.iter().chain(global).any(|flag| flag.name == name),
                "--{name}"
            );
        }
    }

    #[test]
    fn size_aliases_yield_to_the_flags_proper() {
        let parse = |line: &[&str]| {
            let words: Vec<String> = line.iter().map(ToString::to_string).collect();
            app(&crate::args::parse(FLAGS, &words).unwrap())
        };
        let app = parse(&["--dapr-http-max-request-size", "16"]);
        assert_eq!(app.max_body_size, "16Mi");
        assert_eq!(app.read_buffer_size, "4Ki");
        let app = parse(&[
            "--dapr-http-read-buffer-size=8",
            "--read-buffer-size",
            "1Ki",
        ]);
        assert_eq!(app.read_buffer_size, "1Ki");
        let app = parse(&["--max-body-size=", "--read-buffer-size", "", "-P", ""]);
        assert_eq!(app.max_body_size, "4Mi");
        assert_eq!(app.read_buffer_size, "4Ki");
        assert_eq!(app.protocol, "http");
    }
}
