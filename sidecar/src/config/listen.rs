//! Addresses and ports of the servers.

use std::path::PathBuf;

use api::{flags::Parsed, ports};

use super::{ConfigError, value_error};

/// Where the servers listen. An empty host stands for all addresses.
#[derive(Clone, Debug)]
pub(crate) struct ListenConfig {
    pub(crate) api_hosts: Vec<String>,
    pub(crate) http_port: u16,
    pub(crate) grpc_port: u16,
    pub(crate) internal_host: String,
    /// `None` for a stable port of this app's own.
    pub(crate) internal_port: Option<u16>,
    pub(crate) public: Option<(String, u16)>,
    pub(crate) metrics: Option<(String, u16)>,
    /// Folder of the API's sockets, which then replace its ports.
    pub(crate) socket_folder: Option<PathBuf>,
}

pub(super) fn port(text: &str, what: &str) -> Result<u16, ConfigError> {
    text.parse::<u16>().or_else(|_| {
        let reason = if text.parse::<i128>().is_ok() {
            "value out of range"
        } else {
            "invalid syntax"
        };
        value_error(format!(
            "error parsing {what}: strconv.Atoi: parsing {}: {reason}",
            policy::method::quote(text)
        ))
    })
}

pub(super) fn listen(flags: &Parsed, app_port: Option<u16>) -> Result<ListenConfig, ConfigError> {
    let http_port = port(flags.string("dapr-http-port"), "dapr-http-port flag")?;
    let grpc_port = port(flags.string("dapr-grpc-port"), "dapr-grpc-port flag")?;
    if flags.bool("enable-profiling") || flags.is_set("profile-port") {
        let text = flags.string("profile-port");
        if text.parse::<i64>().is_err() {
            port(text, "profile-port flag")?;
        }
    }
    let internal_port = match flags.string("dapr-internal-grpc-port") {
        "" | "0" => None,
        text => Some(port(text, "dapr-internal-grpc-port")?),
    };
    let public = match flags.string("dapr-public-port") {
        "" => None,
        text => Some((
            flags.string("dapr-public-listen-address").to_owned(),
            port(text, "dapr-public-port")?,
        )),
    };
    for (name, taken) in [("dapr-http-port", http_port), ("dapr-grpc-port", grpc_port)] {
        if taken == app_port.unwrap_or_default() {
            return value_error(format!(
                "the '{name}' argument value {taken} conflicts with 'app-port'"
            ));
        }
    }
    let metrics = flags.bool("enable-metrics").then(|| {
        let text = flags.string("metrics-port");
        Ok((
            flags.string("metrics-listen-address").to_owned(),
            port(text, "metrics-port")?,
        ))
    });
    let hosts = flags.string("dapr-listen-addresses");
    Ok(ListenConfig {
        api_hosts: hosts
            .split(',')
            .map(|host| host.trim().to_owned())
            .collect(),
        http_port,
        grpc_port,
        internal_host: flags.string("dapr-internal-grpc-listen-address").to_owned(),
        internal_port,
        public,
        metrics: metrics.transpose()?,
        socket_folder: Some(flags.string("unix-domain-socket"))
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from),
    })
}

/// The port an app's internal server has on this machine whenever it is not
/// set: the same at every start.
///
/// Mirrors Dapr 1.18 `pkg/ports/ports.go`.
pub(crate) fn stable_internal_port(app_id: &str, folder: &str, user: u32, host: &str) -> u16 {
    use sha2::{Digest as _, Sha256};

    let hash = Sha256::digest(format!("{app_id}|{folder}|{user}|{host}"));
    let low = hash.first().copied().unwrap_or_default();
    let high = hash.get(1).copied().unwrap_or_default();
    ports::STABLE_INTERNAL_START + u16::from_le_bytes([low, high]) % ports::STABLE_INTERNAL_RANGE
}
