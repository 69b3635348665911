//! `dapr list`: the sidecars on this machine, as a table, JSON or YAML.

mod table;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::args::{Flag, Parsed};
use crate::commands::Command;
use crate::instances::{Instance, Registration, registered};
use crate::{Cli, cluster};

pub(crate) const COMMAND: Command = Command {
    name: "list",
    usage: "list",
    about: "List all Dapr instances on this machine.",
    example: "# List Dapr instances\ndapr list\n\n# As JSON\ndapr list --output json\n",
    flags: &[
        Flag::text("output", "table", "The output format: table, json or yaml").short('o'),
        Flag::bool(
            "kubernetes",
            "List the pods of a cluster; not available yet",
        )
        .short('k'),
        Flag::bool("all-namespaces", "With -k: list all namespaces").short('A'),
        Flag::text("namespace", "", "With -k: list this namespace").short('n'),
    ],
    run,
};

/// One sidecar; names and order of the fields are upstream's.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    app_id: String,
    http_port: i64,
    grpc_port: i64,
    app_port: i64,
    metrics_enabled: bool,
    command: String,
    age: String,
    created: String,
    daprd_pid: i32,
    cli_pid: i32,
    app_pid: i32,
    max_request_body_size: i64,
    http_read_buffer_size: i64,
    run_template_path: String,
    app_log_path: String,
    daprd_log_path: String,
    run_template_name: String,
}

fn run(cli: &Cli, parsed: &Parsed) -> u8 {
    let format = parsed.text("output");
    if !["", "table", "json", "yaml"].contains(&format) {
        cli.console
            .failure("An invalid output format was specified.");
        return 1;
    }
    if parsed.bool("kubernetes") {
        return cluster::list(cli, parsed);
    }
    let now = Timestamp::now();
    let zone = TimeZone::system();
    let rows: Vec<Row> = registered()
        .into_iter()
        .map(|(instance, registration)| Row::new(&instance, registration, now, &zone))
        .collect();
    let text = match format {
        "json" => serde_json::to_string_pretty(&rows).unwrap_or_default(),
        "yaml" if rows.is_empty() => "[]\n".to_owned(),
        "yaml" => serde_saphyr::to_string(&rows).unwrap_or_default(),
        _ if rows.is_empty() => "No Dapr instances found.\n".to_owned(),
        _ => table::render(&columns(&rows)),
    };
    cli.console.data(text.as_bytes())
}

impl Row {
    fn new(
        instance: &Instance,
        registration: Registration,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Self {
        let created = instance.created.to_zoned(zone.clone());
        Self {
            app_id: instance.app_id.clone(),
            http_port: instance.http_port,
            grpc_port: instance.grpc_port,
            app_port: instance.app_port,
            metrics_enabled: instance.metrics_enabled,
            command: shorten(&registration.app_command),
            age: age(now.as_second() - instance.created.as_second()),
            created: created.strftime("%Y-%m-%d %H:%M.%S").to_string(),
            daprd_pid: instance.daprd_pid,
            cli_pid: registration.cli_pid,
            app_pid: registration.app_pid,
            // Upstream looks these two up under wrong names, so that they
            // always show the defaults.
            max_request_body_size: 4 << 20,
            http_read_buffer_size: 4 << 10,
            run_template_path: registration.run_template_path,
            app_log_path: registration.app_log_path,
            daprd_log_path: registration.daprd_log_path,
            run_template_name: registration.run_template_name,
        }
    }
}

fn columns(rows: &[Row]) -> Vec<(&'static str, Vec<String>)> {
    let column = |header, cell: fn(&Row) -> String| (header, rows.iter().map(cell).collect());
    vec![
        column("APP ID", |row| row.app_id.clone()),
        column("HTTP PORT", |row| row.http_port.to_string()),
        column("GRPC PORT", |row| row.grpc_port.to_string()),
        column("APP PORT", |row| row.app_port.to_string()),
        column("COMMAND", |row| row.command.clone()),
        column("AGE", |row| row.age.clone()),
        column("CREATED", |row| row.created.clone()),
        column("DAPRD PID", |row| row.daprd_pid.to_string()),
        column("CLI PID", |row| row.cli_pid.to_string()),
        column("APP PID", |row| row.app_pid.to_string()),
        column("RUN TEMPLATE PATH", |row| row.run_template_path.clone()),
        column("APP LOG PATH", |row| row.app_log_path.clone()),
        column("DAPRD LOG PATH", |row| row.daprd_log_path.clone()),
        column("RUNTEMPLATENAME", |row| row.run_template_name.clone()),
    ]
}

/// At most 20 characters.
fn shorten(command: &str) -> String {
    if command.chars().count() <= 20 {
        return command.to_owned();
    }
    let kept: String = command.chars().take(17).collect();
    format!("{kept}...")
}

/// An age in its largest whole unit.
fn age(seconds: i64) -> String {
    match seconds.max(0) {
        s if s <= 60 => format!("{s}s"),
        s if s <= 60 * 60 => format!("{}m", s / 60),
        s if s <= 24 * 60 * 60 => format!("{}h", s / (60 * 60)),
        s => format!("{}d", s / (24 * 60 * 60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let instance = Instance {
            daprd_pid: 7,
            created: "2026-01-02T03:04:05Z".parse().unwrap(),
            app_id: "cart".into(),
            http_port: 3500,
            grpc_port: 50001,
            app_port: 0,
            metrics_enabled: true,
            socket_directory: String::new(),
        };
        let registration = Registration {
            cli_pid: 6,
            app_command: "python3 a-long-name.py --flag".into(),
            ..Registration::default()
        };
        let now = "2026-01-02T03:10:06Z".parse().unwrap();
        Row::new(&instance, registration, now, &TimeZone::UTC)
    }

    #[test]
    fn ages_use_the_largest_whole_unit() {
        for (seconds, text) in [
            (-3, "0s"),
            (42, "42s"),
            (60, "60s"),
            (61, "1m"),
            (3600, "60m"),
            (3601, "1h"),
            (86_400, "24h"),
            (200_000, "2d"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn commands_are_cut_at_twenty_characters() {
        assert_eq!(shorten("12345678901234567890"), "12345678901234567890");
        assert_eq!(shorten("123456789012345678901"), "12345678901234567...");
        assert_eq!(shorten(&"ü".repeat(30)), format!("{}...", "ü".repeat(17)));
    }

    #[test]
    fn json_has_upstreams_keys_in_order() {
        let text = serde_json::to_string_pretty(&[row()]).unwrap();
        let keys: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"')?.split('"').next())
            .collect();
        assert_eq!(
            keys,
            [
                "appId",
                "httpPort",
                "grpcPort",
                "appPort",
                "metricsEnabled",
                "command",
                "age",
                "created",
                "daprdPid",
                "cliPid",
                "appPid",
                "maxRequestBodySize",
                "httpReadBufferSize",
                "runTemplatePath",
                "appLogPath",
                "daprdLogPath",
                "runTemplateName",
            ]
        );
        assert!(text.contains("  {\n    \"appId\": \"cart\","), "{text}");
        assert!(text.contains("\"maxRequestBodySize\": 4194304"));
        assert_eq!(serde_json::to_string_pretty::<[Row; 0]>(&[]).unwrap(), "[]");
    }

    #[test]
    fn the_table_leaves_empty_columns_out() {
        assert_eq!(
            table::render(&columns(&[row()])),
            "  APP ID  HTTP PORT  GRPC PORT  APP PORT  COMMAND               AGE  CREATED              DAPRD PID  CLI PID  APP PID  \n  \
             cart    3500       50001      0         python3 a-long-na...  6m   2026-01-02 03:04.05  7          6        0        \n"
        );
    }
}
