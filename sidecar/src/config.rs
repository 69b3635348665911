//! Flags and environment, validated: the only file that sees what was typed
//! and what the modules want to know.

use std::{env, path::PathBuf, time::Duration};

use api::{flags::Parsed, ports, quantity};
use http::HeaderValue;
use telemetry::log;

use crate::channel::HealthCheck;

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

/// Where the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Standalone,
    Kubernetes,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Standalone => "standalone",
            Self::Kubernetes => "kubernetes",
        })
    }
}

/// What an identity needs to start with.
#[derive(Clone, Debug)]
pub(crate) struct IdentityConfig {
    pub(crate) sentry_address: String,
    pub(crate) trust_domain: String,
    pub(crate) namespace: String,
    pub(crate) anchors: String,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) jwt_audiences: Vec<String>,
    /// Overrides the app id in the request.
    pub(crate) local_identity: Option<String>,
}

/// Where the app is.
#[derive(Clone, Debug)]
pub(crate) struct AppConfig {
    pub(crate) port: Option<u16>,
    pub(crate) host: String,
    pub(crate) protocol: String,
    pub(crate) max_concurrency: Option<usize>,
    pub(crate) token: Option<HeaderValue>,
    pub(crate) load_configuration: bool,
    pub(crate) health_check: Option<HealthCheck>,
}

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

/// Bytes of a body unless a flag says otherwise.
const DEFAULT_BODY: u64 = 4 * 1024 * 1024;
/// Bytes of a head unless a flag says otherwise.
const DEFAULT_HEAD: usize = 4 * 1024;
const DEFAULT_GRACE: Duration = Duration::from_secs(5);
/// Time between comparisons unless a flag says otherwise.
const RECONCILE_INTERVAL: Duration = Duration::from_mins(1);
const SKIP_UID_CHECK: &str = "DAPR_UNSAFE_SKIP_CONTAINER_UID_GID_CHECK";

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
        let body_limit = body_limit(flags)?;
        let header_limit = header_limit(flags)?;
        let retry_body = usize::try_from(quantity_flag(flags, "retry-body-size")?).unwrap_or(0);
        let namespace = env::var("NAMESPACE").unwrap_or_else(|_| "default".to_owned());
        let mode = mode(flags)?;
        let app_id = app_id(flags, mode)?;
        let mtls = flags.bool("enable-mtls");
        let identity = identity(flags, mode)?;
        let app = app(flags)?;
        let listen = listen(flags, app.port)?;
        Ok(Self {
            app_id,
            namespace,
            mode,
            app,
            listen,
            shutdown: shutdown(flags),
            identity,
            mtls,
            operator_address: operator_address(flags, mode)?,
            reconcile_interval: reconcile_interval(flags),
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

fn mode(flags: &Parsed) -> Result<Mode, ConfigError> {
    match flags.string("mode") {
        "standalone" => Ok(Mode::Standalone),
        "kubernetes" => {
            refuse_root()?;
            Ok(Mode::Kubernetes)
        }
        other => value_error(format!("invalid mode: {other}")),
    }
}

/// Containers of a cluster do not run as root.
fn refuse_root() -> Result<(), ConfigError> {
    let skipped = env::var(SKIP_UID_CHECK).is_ok_and(|value| value == "true");
    if nix::unistd::geteuid().is_root() && !skipped {
        return value_error(format!(
            "current user UID(0) is root. Dapr must be run as a non-root user in Kubernetes environments. To override this check, set the environment variable '{SKIP_UID_CHECK}=true'"
        ));
    }
    Ok(())
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

fn operator_address(flags: &Parsed, mode: Mode) -> Result<Option<String>, ConfigError> {
    match (mode, flags.string("control-plane-address")) {
        (Mode::Standalone, _) => Ok(None),
        (Mode::Kubernetes, "") => value_error(
            "--control-plane-address is required in kubernetes mode: the address of the operator, as host:port",
        ),
        (Mode::Kubernetes, address) => Ok(Some(address.to_owned())),
    }
}

fn reconcile_interval(flags: &Parsed) -> Duration {
    let interval = flags.duration("hot-reload-reconcile-interval");
    if interval.is_positive() {
        interval.to_std()
    } else {
        RECONCILE_INTERVAL
    }
}

fn quantity_flag(flags: &Parsed, name: &str) -> Result<i64, ConfigError> {
    quantity::bytes(flags.string(name))
        .map_err(|error| ConfigError::Flag(format!("invalid value for '{name}' option: {error}")))
}

/// The new flag wins over the deprecated one in units of `unit` bytes.
fn size(flags: &Parsed, name: &str, deprecated: &str, unit: i64) -> Result<i64, ConfigError> {
    if !flags.is_set(name) && flags.is_set(deprecated) {
        let value = flags.int(deprecated);
        return Ok(if value > 0 {
            value.saturating_mul(unit)
        } else {
            value
        });
    }
    quantity_flag(flags, name)
}

fn body_limit(flags: &Parsed) -> Result<Option<u64>, ConfigError> {
    let bytes = size(
        flags,
        "max-body-size",
        "dapr-http-max-request-size",
        1024 * 1024,
    )?;
    Ok(match bytes {
        -1 => Some(DEFAULT_BODY),
        // Zero and other negative numbers lift the limit.
        bytes => u64::try_from(bytes).ok().filter(|bytes| *bytes > 0),
    })
}

fn header_limit(flags: &Parsed) -> Result<usize, ConfigError> {
    let bytes = size(
        flags,
        "read-buffer-size",
        "dapr-http-read-buffer-size",
        1024,
    )?;
    Ok(usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes > 0)
        .unwrap_or(DEFAULT_HEAD))
}

fn port(text: &str, what: &str) -> Result<u16, ConfigError> {
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

fn app(flags: &Parsed) -> Result<AppConfig, ConfigError> {
    let port = match flags.string("app-port") {
        "" => None,
        text => Some(port(text, "app-port")?).filter(|port| *port != 0),
    };
    let typed = flags.string("app-protocol");
    let mut protocol = typed.to_lowercase();
    if protocol.is_empty() {
        "http".clone_into(&mut protocol);
    }
    if !["http", "https", "h2c", "grpc", "grpcs"].contains(&protocol.as_str()) {
        return value_error(format!("invalid value for 'app-protocol': {typed}"));
    }
    if flags.bool("app-ssl") && (protocol == "http" || protocol == "grpc") {
        protocol.push('s');
    }
    if port.is_some() && protocol != "http" {
        return value_error(format!(
            "app-protocol {protocol} is not available in this version; this sidecar calls apps over http"
        ));
    }
    let health_check = health_check(flags)?;
    let load_configuration = init_endpoints(flags)?;
    let host = flags.string("app-channel-address");
    Ok(AppConfig {
        port,
        host: if host.is_empty() { "127.0.0.1" } else { host }.to_owned(),
        protocol,
        max_concurrency: usize::try_from(flags.int("app-max-concurrency"))
            .ok()
            .filter(|limit| *limit > 0),
        token: token("APP_API_TOKEN")?,
        load_configuration,
        health_check,
    })
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
    let path = flags
        .string("app-health-check-path")
        .trim_start_matches('/');
    Ok(flags.bool("enable-app-health-check").then(|| HealthCheck {
        path: format!("/{path}"),
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

fn listen(flags: &Parsed, app_port: Option<u16>) -> Result<ListenConfig, ConfigError> {
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

fn identity(flags: &Parsed, mode: Mode) -> Result<Option<IdentityConfig>, ConfigError> {
    if mode == Mode::Standalone && !flags.bool("enable-mtls") {
        return Ok(None);
    }
    let anchors = env::var("DAPR_TRUST_ANCHORS").unwrap_or_default();
    if anchors.trim().is_empty() {
        return value_error("trust anchors are required");
    }
    let trust_domain = flags.string("control-plane-trust-domain");
    if trust_domain.is_empty() {
        return value_error("control plane trust domain is required");
    }
    Ok(Some(IdentityConfig {
        sentry_address: flags.string("sentry-address").to_owned(),
        trust_domain: trust_domain.to_owned(),
        namespace: flags.string("control-plane-namespace").to_owned(),
        anchors,
        token_file: env::var_os("DAPR_SENTRY_TOKEN_FILE").map(PathBuf::from),
        jwt_audiences: flags.strings("sentry-request-jwt-audiences").to_vec(),
        local_identity: env::var("SENTRY_LOCAL_IDENTITY")
            .ok()
            .filter(|id| !id.is_empty()),
    }))
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
