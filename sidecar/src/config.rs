//! Flags and environment, validated: the only file that sees what was typed
//! and what the modules want to know.

mod app;
mod listen;
mod mode;
mod sizes;

use std::{env, path::PathBuf, time::Duration};

use api::flags::Parsed;
use http::HeaderValue;
use telemetry::log;

pub(crate) use self::listen::stable_internal_port;
pub(crate) use self::mode::{IdentityConfig, Mode};
use self::{app::AppConfig, listen::ListenConfig};

/// A bad value. Every bad value is found before a port is bound.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The flag itself cannot be understood; logged as such.
    #[error("Failed to parse flags: {0}")]
    Flag(String),
    /// The flags contradict each other or the mode.
    #[error("Fatal error from runtime: {0}")]
    Value(String),
}

/// How the process stops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShutdownConfig {
    /// `None` waits for ever.
    pub(crate) grace: Option<Duration>,
    /// Time a signal is held back.
    pub(crate) block: Option<Duration>,
}

/// Everything the runtime starts from.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) app_id: String,
    pub(crate) namespace: String,
    pub(crate) mode: Mode,
    pub(crate) app: AppConfig,
    pub(crate) listen: ListenConfig,
    pub(crate) shutdown: ShutdownConfig,
    /// In a cluster always: the operator wants to know who asks.
    pub(crate) identity: Option<IdentityConfig>,
    /// Peers speak TLS.
    pub(crate) mtls: bool,
    /// `host:port` of the operator, in a cluster.
    pub(crate) operator_address: Option<String>,
    /// Time after which resources are compared with the operator's anyway.
    pub(crate) reconcile_interval: Duration,
    pub(crate) api_token: Option<HeaderValue>,
    pub(crate) files: Vec<String>,
    pub(crate) resource_directories: Vec<String>,
    pub(crate) body_limit: Option<u64>,
    pub(crate) header_limit: usize,
    /// Bytes of a request body kept for another attempt.
    pub(crate) retry_body: usize,
    pub(crate) api_logging: Option<bool>,
    pub(crate) run_registry: Option<PathBuf>,
    pub(crate) host_address: Option<String>,
    /// What was asked for and this version does not do.
    pub(crate) unavailable: Vec<&'static str>,
}

const DEFAULT_GRACE: Duration = Duration::from_secs(5);

/// Settings of the log, which comes up before anything else.
pub(crate) fn log_options(flags: &Parsed) -> Result<log::Options, log::LogError> {
    let file = flags.string("log-file");
    Ok(log::Options {
        level: flags.string("log-level").parse()?,
        json: flags.bool("log-as-json"),
        file: (!file.is_empty()).then(|| PathBuf::from(file)),
        app_id: Some(flags.string("app-id").to_owned()).filter(|id| !id.is_empty()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

impl Config {
    /// Reads flags and environment.
    pub(crate) fn new(flags: &Parsed) -> Result<Self, ConfigError> {
        let disseminate = flags.duration("actors-disseminate-timeout");
        if !disseminate.is_positive() {
            return Err(ConfigError::Flag(format!(
                "invalid value for 'actors-disseminate-timeout' option: must be positive, got {disseminate}"
            )));
        }
        let body_limit = sizes::body_limit(flags)?;
        let header_limit = sizes::header_limit(flags)?;
        let retry_body =
            usize::try_from(sizes::quantity_flag(flags, "retry-body-size")?).unwrap_or(0);
        let namespace = env::var("NAMESPACE").unwrap_or_else(|_| "default".to_owned());
        let mode = mode::mode(flags)?;
        let app_id = app_id(flags, mode)?;
        let mtls = flags.bool("enable-mtls");
        let identity = mode::identity(flags, mode)?;
        let app = app::app(flags)?;
        let listen = listen::listen(flags, app.port)?;
        Ok(Self {
            app_id,
            namespace,
            mode,
            app,
            listen,
            shutdown: shutdown(flags),
            identity,
            mtls,
            operator_address: mode::operator_address(flags, mode)?,
            reconcile_interval: mode::reconcile_interval(flags),
            api_token: token("DAPR_API_TOKEN")?,
            files: flags.strings("config").to_vec(),
            resource_directories: resource_directories(flags),
            body_limit,
            header_limit,
            retry_body,
            api_logging: flags
                .is_set("enable-api-logging")
                .then(|| flags.bool("enable-api-logging")),
            run_registry: env::var_os("DAPR_RUN_REGISTRY")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            host_address: env::var("DAPR_HOST_IP")
                .ok()
                .filter(|address| !address.is_empty()),
            unavailable: unavailable(flags),
        })
    }
}

/// Settings that change nothing yet; each is said once at start.
fn unavailable(flags: &Parsed) -> Vec<&'static str> {
    let mut out = Vec::new();
    if !flags.string("allowed-origins").is_empty() {
        out.push("cross-origin requests (--allowed-origins): browsers are refused");
    }
    out
}

fn value_error<T>(message: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::Value(message.into()))
}

/// In a cluster the injector has checked it.
fn app_id(flags: &Parsed, mode: Mode) -> Result<String, ConfigError> {
    match flags.string("app-id") {
        "" => value_error("parameter app-id cannot be empty"),
        id if id.contains('.') && mode == Mode::Standalone => {
            value_error("parameter app-id cannot contain dots")
        }
        id => Ok(id.to_owned()),
    }
}

fn shutdown(flags: &Parsed) -> ShutdownConfig {
    let grace = match flags.int("dapr-graceful-shutdown-seconds") {
        0 => None,
        seconds => Some(u64::try_from(seconds).map_or(DEFAULT_GRACE, Duration::from_secs)),
    };
    let block = flags
        .is_set("dapr-block-shutdown-duration")
        .then(|| flags.duration("dapr-block-shutdown-duration").to_std());
    ShutdownConfig { grace, block }
}

fn token(name: &str) -> Result<Option<HeaderValue>, ConfigError> {
    let text = match env::var(name) {
        Ok(text) if !text.is_empty() => text,
        _ => return Ok(None),
    };
    let mut value = HeaderValue::from_str(&text).or_else(|_| {
        value_error(format!(
            "{name} contains characters that no header can carry"
        ))
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn resource_directories(flags: &Parsed) -> Vec<String> {
    let given = flags.strings("resources-path");
    let deprecated = flags.string("components-path");
    if !given.is_empty() {
        given.to_vec()
    } else if !deprecated.is_empty() {
        vec![deprecated.to_owned()]
    } else {
        Vec::new()
    }
}
