//! The sidecars that run on this machine.
//!
//! There is no file to read: every process called `daprd` counts, its command
//! line says who it is, and its metadata says who started it. That way
//! sidecars of the Go tool are found as well, and it finds ours.

mod command_line;
mod procfs;

pub(crate) use procfs::{Living, ignores, in_foreground, living, runs};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::http::{Endpoint, Request, send};
use command_line::CommandLine;

/// A sidecar frozen or overloaded must not freeze the listing.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a sidecar's command line says.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) daprd_pid: i32,
    /// When the process started.
    pub(crate) created: Timestamp,
    pub(crate) app_id: String,
    pub(crate) http_port: i64,
    pub(crate) grpc_port: i64,
    pub(crate) app_port: i64,
    pub(crate) metrics_enabled: bool,
    /// Directory of its sockets; empty when it listens on ports.
    pub(crate) socket_directory: String,
}

/// What a sidecar was told about the one who started it. Empty or 0 when it
/// was told nothing or does not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) cli_pid: i32,
    pub(crate) app_pid: i32,
    pub(crate) app_command: String,
    pub(crate) run_template_path: String,
    pub(crate) run_template_name: String,
    pub(crate) app_log_path: String,
    pub(crate) daprd_log_path: String,
}

/// All sidecars with an app id, by process id. None of them is asked.
pub(crate) fn scan() -> Vec<Instance> {
    let mut instances: Vec<Instance> = procfs::processes_named("daprd")
        .into_iter()
        .filter_map(|process| {
            let line = CommandLine::parse(&process.arguments)?;
            let app_id = line.text("app-id").unwrap_or_default().to_owned();
            (!app_id.is_empty()).then(|| Instance {
                daprd_pid: process.pid,
                created: process.started,
                app_id,
                http_port: line.number("dapr-http-port", 3500),
                grpc_port: line.number("dapr-grpc-port", 50001),
                app_port: line.number("app-port", 0),
                metrics_enabled: line.text("enable-metrics") != Some("false"),
                socket_directory: line
                    .text("unix-domain-socket")
                    .unwrap_or_default()
                    .to_owned(),
            })
        })
        .collect();
    instances.sort_by_key(|instance| instance.daprd_pid);
    instances
}

/// All sidecars with what they were told. They are asked at the same time,
/// so that one that hangs holds up the others no longer than itself.
pub(crate) fn registered() -> Vec<(Instance, Registration)> {
    let instances = scan();
    let registrations: Vec<Registration> = thread::scope(|scope| {
        let asked: Vec<_> = instances
            .iter()
            .map(|instance| scope.spawn(|| instance.registration()))
            .collect();
        let answers = asked.into_iter().map(|one| one.join().unwrap_or_default());
        answers.collect()
    });
    instances.into_iter().zip(registrations).collect()
}

/// The file a sidecar's API listens on when it uses sockets.
pub(crate) fn socket(directory: &str, app_id: &str, api: &str) -> PathBuf {
    PathBuf::from(directory).join(format!("dapr-{app_id}-{api}.socket"))
}

impl Instance {
    /// Where its HTTP API listens; none for a port that cannot be.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        if self.socket_directory.is_empty() {
            return u16::try_from(self.http_port).ok().map(Endpoint::Tcp);
        }
        let path = socket(&self.socket_directory, &self.app_id, "http");
        Some(Endpoint::Unix(path))
    }

    /// Asks the sidecar who started it.
    pub(crate) fn registration(&self) -> Registration {
        let token = std::env::var("DAPR_API_TOKEN").unwrap_or_default();
        let with_token = [("dapr-api-token", token.as_str())];
        let request = Request {
            method: "GET",
            path: "/v1.0/metadata",
            headers: if token.is_empty() { &[] } else { &with_token },
            body: b"",
        };
        self.endpoint()
            .and_then(|endpoint| send(&endpoint, request, Some(PATIENCE)).ok())
            .filter(|answer| answer.status == 200)
            .and_then(|answer| Registration::parse(&answer.body))
            .unwrap_or_default()
    }
}

impl Registration {
    fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Metadata {
            #[serde(default)]
            extended: Option<BTreeMap<String, String>>,
        }
        let metadata: Metadata = serde_json::from_slice(body).ok()?;
        let mut extended = metadata.extended.unwrap_or_default();
        let mut take = |key| extended.remove(key).unwrap_or_default();
        Some(Self {
            cli_pid: take("cliPID").parse().unwrap_or(0),
            app_pid: take("appPID").parse().unwrap_or(0),
            app_command: take("appCommand"),
            run_template_path: take("runTemplatePath"),
            run_template_name: take("runTemplateName"),
            app_log_path: take("appLogPath"),
            daprd_log_path: take("daprdLogPath"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registration_comes_from_extended_metadata() {
        let body = br#"{"id":"a","extended":{"cliPID":"12","appPID":"x","appCommand":"go run .","daprRuntimeVersion":"1"}}"#;
        assert_eq!(
            Registration::parse(body).unwrap(),
            Registration {
                cli_pid: 12,
                app_command: "go run .".into(),
                ..Registration::default()
            }
        );
        for empty in [&br"{}"[..], br#"{"extended":null}"#] {
            assert_eq!(Registration::parse(empty), Some(Registration::default()));
        }
        assert_eq!(Registration::parse(b"<html>"), None);
    }
}
