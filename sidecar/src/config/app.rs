//! How to reach the app, and what it is asked for.

use std::{net::IpAddr, time::Duration};

use api::flags::Parsed;
use http::HeaderValue;

use super::{ConfigError, listen::port, token, value_error};
use crate::channel::{HealthCheck, Protocol, probe_target};

/// Where the app is.
#[derive(Clone, Debug)]
pub(crate) struct AppConfig {
    pub(crate) port: Option<u16>,
    pub(crate) host: String,
    pub(crate) protocol: Protocol,
    pub(crate) max_concurrency: Option<usize>,
    pub(crate) token: Option<HeaderValue>,
    pub(crate) load_configuration: bool,
    pub(crate) health_check: Option<HealthCheck>,
}

pub(super) fn app(flags: &Parsed) -> Result<AppConfig, ConfigError> {
    let port = match flags.string("app-port") {
        "" => None,
        text => Some(port(text, "app-port")?).filter(|port| *port != 0),
    };
    let typed = flags.string("app-protocol");
    let known = match typed {
        "" => Some(Protocol::Http),
        name => Protocol::from_name(&name.to_lowercase()),
    };
    let Some(mut protocol) = known else {
        return value_error(format!("invalid value for 'app-protocol': {typed}"));
    };
    if flags.bool("app-ssl") {
        protocol = protocol.over_tls();
    }
    let health_check = health_check(flags)?;
    let load_configuration = init_endpoints(flags)?;
    Ok(AppConfig {
        port,
        host: host(flags.string("app-channel-address"))?,
        protocol,
        max_concurrency: usize::try_from(flags.int("app-max-concurrency"))
            .ok()
            .filter(|limit| *limit > 0),
        token: token("APP_API_TOKEN")?,
        load_configuration,
        health_check,
    })
}

/// An IP address or a name; IPv6 may stand in brackets.
fn host(typed: &str) -> Result<String, ConfigError> {
    if typed.is_empty() {
        return Ok("127.0.0.1".to_owned());
    }
    let bare = typed
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(typed);
    let is_name = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    if bare.parse::<IpAddr>().is_ok() || is_name(typed) {
        return Ok(bare.to_owned());
    }
    value_error(format!(
        "invalid value for 'app-channel-address': {typed}; expected an IP address or a host name, without scheme, port or path"
    ))
}

/// Values are checked even when the check is off.
fn health_check(flags: &Parsed) -> Result<Option<HealthCheck>, ConfigError> {
    let or = |name: &str, default: u64| {
        u64::try_from(flags.int(name))
            .ok()
            .filter(|value| *value > 0)
            .unwrap_or(default)
    };
    let interval = Duration::from_secs(or("app-health-probe-interval", 5));
    let timeout = Duration::from_millis(or("app-health-probe-timeout", 500));
    if timeout > interval {
        return value_error(
            "value for 'health-probe-timeout' must be smaller than 'health-probe-interval'",
        );
    }
    let threshold = i32::try_from(flags.int("app-health-threshold"))
        .ok()
        .and_then(|value| u32::try_from(value).ok())
        .filter(|value| *value > 0)
        .unwrap_or(3);
    if !flags.bool("enable-app-health-check") {
        return Ok(None);
    }
    let path = flags
        .string("app-health-check-path")
        .trim_start_matches('/');
    let path = format!("/{path}");
    let Ok(target) = probe_target(&path) else {
        return value_error(format!(
            "invalid value for 'app-health-check-path': {path}; expected a path such as /healthz"
        ));
    };
    Ok(Some(HealthCheck {
        path,
        target,
        interval,
        timeout,
        threshold,
    }))
}

fn init_endpoints(flags: &Parsed) -> Result<bool, ConfigError> {
    let mut load = true;
    for entry in flags.strings("disable-init-endpoints") {
        match entry.trim().to_lowercase().as_str() {
            "" | "subscribe" => {}
            "config" => load = false,
            _ => {
                return value_error(format!(
                    "invalid value for 'disable-init-endpoints': {entry}"
                ));
            }
        }
    }
    Ok(load)
}
