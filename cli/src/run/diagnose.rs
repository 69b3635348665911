//! What a newcomer needs to hear when something is wrong: one line each, that
//! says what is so and what to do. None of them replaces a line that scripts
//! wait for.

mod command;
mod ports;

pub(super) use command::{not_a_program, not_executable, shell_words};
pub(super) use ports::{not_listening, port_refused, port_taken};

use std::fs;

use super::app::App;
use crate::commands::distance;
use crate::instances::Instance;

/// Where the user has written what is wrong, so that it is called by its name
/// there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Flags,
    File,
}

impl Source {
    /// The name of a setting, given as the flag.
    fn name(self, flag: &'static str) -> String {
        let key = match flag {
            "app-port" => "appPort",
            "app-protocol" => "appProtocol",
            "app-channel-address" => "appChannelAddress",
            "dapr-http-port" => "daprHTTPPort",
            "dapr-grpc-port" => "daprGRPCPort",
            "dapr-internal-grpc-port" => "daprInternalGRPCPort",
            "metrics-port" => "metricsPort",
            "profile-port" => "profilePort",
            other => other,
        };
        match self {
            Self::Flags => format!("--{flag}"),
            Self::File => key.to_owned(),
        }
    }
}

/// What apps can speak.
const PROTOCOLS: &[&str] = &["http", "https", "h2c", "grpc", "grpcs"];

/// A protocol that nobody knows.
pub(super) fn protocol(app: &App, source: Source) -> Option<String> {
    let typed = app.protocol.to_lowercase();
    if typed.is_empty() || PROTOCOLS.contains(&typed.as_str()) {
        return None;
    }
    let name = source.name("app-protocol");
    let nearest = PROTOCOLS
        .iter()
        .min_by_key(|known| distance(&typed, known))
        .filter(|known| distance(&typed, known) <= typed.len().min(4) / 2);
    let guess = nearest.map_or(String::new(), |known| format!(" Did you mean {known:?}?"));
    Some(format!(
        "{name} {:?} is none of {}.{guess}",
        app.protocol,
        PROTOCOLS.join(", ")
    ))
}

/// Other sidecars of the same app id and namespace.
pub(super) fn same_id(app: &App, running: &[Instance]) -> Vec<String> {
    let namespace = |text: Option<String>| text.filter(|it| !it.is_empty());
    let own = namespace(std::env::var("NAMESPACE").ok());
    running
        .iter()
        .filter(|one| one.app_id == app.id)
        .filter(|one| on_this_network(one.daprd_pid))
        .filter(|one| namespace(variable(one.daprd_pid, "NAMESPACE")) == own)
        .map(|one| {
            let place = fs::read_link(format!("/proc/{}/cwd", one.daprd_pid))
                .map(|path| format!(", in {}", path.display()))
                .unwrap_or_default();
            format!(
                "App id {:?} is running already (daprd pid {}, HTTP port {}{place}): calls to it will go to both.",
                app.id, one.daprd_pid, one.http_port
            )
        })
        .collect()
}

/// Not so in a container, such as the pods of a cluster on this machine.
fn on_this_network(pid: i32) -> bool {
    let network = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).ok();
    network("self").is_some_and(|own| network(&pid.to_string()) == Some(own))
}

/// A variable of another process.
fn variable(pid: i32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let entry = String::from_utf8_lossy(entry);
        let (found, value) = entry.split_once('=')?;
        (found == name).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::super::checks::tests::plan;
    use super::*;

    #[test]
    fn a_misspelt_protocol_is_told_with_a_guess() {
        let told = |word| protocol(&plan(&["-P", word]).app, Source::Flags);
        assert_eq!(
            told("htpp").unwrap(),
            "--app-protocol \"htpp\" is none of http, https, h2c, grpc, grpcs. Did you mean \"http\"?"
        );
        assert_eq!(
            told("websocket").unwrap(),
            "--app-protocol \"websocket\" is none of http, https, h2c, grpc, grpcs."
        );
        assert_eq!((told("GRPC"), told("")), (None, None));
    }
}
