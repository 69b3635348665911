//! The flags of `dapr annotate`, and the annotation that each one becomes.

use api::quantity::{self, QuantityError};

use crate::args::{Flag, Kind, Parsed};

/// Set on every workload.
const ENABLED: &str = "dapr.io/enabled";

pub(super) const FLAGS: &[Flag] = &[
    Flag::bool(
        "kubernetes",
        "Annotate a Kubernetes configuration; there is no other kind",
    )
    .short('k'),
    Flag::text(
        "resource",
        "",
        "Name of the workload; the first one when not given",
    )
    .short('r'),
    Flag::text(
        "namespace",
        "",
        "Namespace of the workload; needs --resource",
    )
    .short('n'),
    Flag::text("app-id", "", "Name other apps call this one by").short('a'),
    Flag::int("app-port", "-1", "Port the app listens on").short('p'),
    Flag::text("config", "", "Name of the Configuration").short('c'),
    Flag::text(
        "app-protocol",
        "",
        "Protocol the app speaks: http, https, h2c, grpc or grpcs",
    ),
    Flag::bool(
        "enable-profile",
        "Accepted for compatibility; there is no profiling server",
    ),
    Flag::text(
        "log-level",
        "",
        "Lowest level the sidecar prints: debug, info, warn, error or fatal",
    ),
    Flag::text(
        "api-token-secret",
        "",
        "Secret with the token that calls to the sidecar need",
    ),
    Flag::text(
        "app-token-secret",
        "",
        "Secret with the token that the sidecar shows to the app",
    ),
    Flag::bool("log-as-json", "Let the sidecar print its log as JSON"),
    Flag::int(
        "app-max-concurrency",
        "-1",
        "Calls the app gets at the same time",
    ),
    Flag::bool("enable-metrics", "Let the sidecar serve metrics"),
    Flag::int("metrics-port", "-1", "Port of the metrics"),
    Flag::bool("enable-debug", "Run the sidecar under a debugger"),
    Flag::text(
        "env",
        "",
        "Variables for the sidecar, as key=value separated by commas",
    ),
    Flag::text("cpu-limit", "", "Most CPU the sidecar gets"),
    Flag::text("memory-limit", "", "Most memory the sidecar gets"),
    Flag::text("cpu-request", "", "CPU that is reserved for the sidecar"),
    Flag::text(
        "memory-request",
        "",
        "Memory that is reserved for the sidecar",
    ),
    Flag::text(
        "listen-addresses",
        "",
        "Addresses of the sidecar's APIs, separated by commas",
    ),
    Flag::int(
        "liveness-probe-delay",
        "-1",
        "Seconds before the first liveness probe",
    ),
    Flag::int(
        "liveness-probe-timeout",
        "-1",
        "Seconds a liveness probe may take",
    ),
    Flag::int(
        "liveness-probe-period",
        "-1",
        "Seconds between liveness probes",
    ),
    Flag::int(
        "liveness-probe-threshold",
        "-1",
        "Failed liveness probes that restart the sidecar",
    ),
    Flag::int(
        "readiness-probe-delay",
        "-1",
        "Seconds before the first readiness probe",
    ),
    Flag::int(
        "readiness-probe-timeout",
        "-1",
        "Seconds a readiness probe may take",
    ),
    Flag::int(
        "readiness-probe-period",
        "-1",
        "Seconds between readiness probes",
    ),
    Flag::int(
        "readiness-probe-threshold",
        "-1",
        "Failed readiness probes that make the pod unready",
    ),
    Flag::text("dapr-image", "", "Image of the sidecar"),
    Flag::bool("app-ssl", "Turns http into https and grpc into grpcs")
        .deprecated("use '--app-protocol https|grpcs'"),
    Flag::text(MAX_BODY_SIZE, "4Mi", "Largest request body, a quantity"),
    Flag::text(READ_BUFFER_SIZE, "4Ki", "Largest header block, a quantity"),
    Flag::bool(
        "http-stream-request-body",
        "Accepted for compatibility; bodies are always streamed",
    ),
    Flag::int(
        "graceful-shutdown-seconds",
        "-1",
        "Seconds that calls get to finish at shutdown",
    ),
    Flag::bool("enable-api-logging", "Log API calls"),
    Flag::text(
        "unix-domain-socket-path",
        "",
        "Directory of the sockets that serve the APIs instead of ports",
    ),
    Flag::text(
        "volume-mounts",
        "",
        "Volumes the sidecar can read, as name:path separated by commas",
    ),
    Flag::text(
        "volume-mounts-rw",
        "",
        "Volumes the sidecar can write, as name:path separated by commas",
    ),
    Flag::bool(
        "disable-builtin-k8s-secret-store",
        "Accepted for compatibility; there is no such store",
    ),
    Flag::text(
        "placement-host-address",
        "",
        "Accepted for compatibility; actors are not served",
    ),
];

const MAX_BODY_SIZE: &str = "max-body-size";
const READ_BUFFER_SIZE: &str = "read-buffer-size";

/// Flags that select, and become no annotation.
const SELECTION: &[&str] = &["kubernetes", "resource", "namespace"];

/// Flags with the name of the flag of daprd that they set: the flag table
/// knows the annotation. Those of the same name are not listed.
const RENAMED: &[(&str, &str)] = &[
    ("enable-profile", "enable-profiling"),
    ("listen-addresses", "dapr-listen-addresses"),
    (
        "graceful-shutdown-seconds",
        "dapr-graceful-shutdown-seconds",
    ),
    ("unix-domain-socket-path", "unix-domain-socket"),
];

/// Flags whose annotations are for the injector and set no flag of daprd.
const OF_POD: &[(&str, &str)] = &[
    ("api-token-secret", "dapr.io/api-token-secret"),
    ("app-token-secret", "dapr.io/app-token-secret"),
    ("enable-debug", "dapr.io/enable-debug"),
    ("env", "dapr.io/env"),
    ("cpu-limit", "dapr.io/sidecar-cpu-limit"),
    ("memory-limit", "dapr.io/sidecar-memory-limit"),
    ("cpu-request", "dapr.io/sidecar-cpu-request"),
    ("memory-request", "dapr.io/sidecar-memory-request"),
    (
        "liveness-probe-delay",
        "dapr.io/sidecar-liveness-probe-delay-seconds",
    ),
    (
        "liveness-probe-timeout",
        "dapr.io/sidecar-liveness-probe-timeout-seconds",
    ),
    (
        "liveness-probe-period",
        "dapr.io/sidecar-liveness-probe-period-seconds",
    ),
    (
        "liveness-probe-threshold",
        "dapr.io/sidecar-liveness-probe-threshold",
    ),
    (
        "readiness-probe-delay",
        "dapr.io/sidecar-readiness-probe-delay-seconds",
    ),
    (
        "readiness-probe-timeout",
        "dapr.io/sidecar-readiness-probe-timeout-seconds",
    ),
    (
        "readiness-probe-period",
        "dapr.io/sidecar-readiness-probe-period-seconds",
    ),
    (
        "readiness-probe-threshold",
        "dapr.io/sidecar-readiness-probe-threshold",
    ),
    ("dapr-image", "dapr.io/sidecar-image"),
    (
        "http-stream-request-body",
        "dapr.io/http-stream-request-body",
    ),
    ("volume-mounts", "dapr.io/volume-mounts"),
    ("volume-mounts-rw", "dapr.io/volume-mounts-rw"),
];

/// A value that would keep a pod from starting.
#[derive(Debug, thiserror::Error)]
pub(super) enum FlagError {
    #[error("invalid max request body size: {0}")]
    MaxBodySize(QuantityError),
    #[error("invalid http read buffer size: {0}")]
    ReadBufferSize(QuantityError),
    #[error("invalid value {value:?} for --{flag}: {source}")]
    Resource {
        flag: &'static str,
        value: String,
        source: QuantityError,
    },
    #[error("invalid value {value} for --{flag}: a port is a number from 0 to 65535")]
    Port { flag: &'static str, value: i64 },
}

/// What the flags ask for.
#[derive(Debug)]
pub(super) struct Annotations(Vec<(&'static str, String)>);

impl Annotations {
    /// Annotations in the order of the flags. Both sizes are always among
    /// them, in bytes, because their flags have defaults.
    pub(super) fn new(parsed: &Parsed) -> Result<Self, FlagError> {
        let mut all = vec![(ENABLED, "true".to_owned())];
        for flag in FLAGS.iter().filter(|flag| !SELECTION.contains(&flag.name)) {
            if let Some(value) = value(flag, parsed)? {
                all.push((annotation(flag.name), value));
            }
        }
        Ok(Self(all))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The annotation with the app id.
    pub(super) fn app_id() -> &'static str {
        annotation("app-id")
    }
}

/// The annotation of a flag.
fn annotation(flag: &str) -> &'static str {
    if let Some((_, annotation)) = OF_POD.iter().find(|(name, _)| *name == flag) {
        return annotation;
    }
    let renamed = RENAMED.iter().find(|(name, _)| *name == flag);
    let daprd = renamed.map_or(flag, |(_, daprd)| daprd);
    let row = api::flags::TABLE.iter().find(|row| row.name == daprd);
    row.and_then(|row| row.annotation)
        .expect("flags that are not in OF_POD set a flag of daprd with an annotation")
}

/// The text of a flag; nothing when it is not given, or given as nothing.
///
/// Differs from Dapr: a boolean that is given as false is written, so that
/// metrics can be switched off.
fn value(flag: &'static Flag, parsed: &Parsed) -> Result<Option<String>, FlagError> {
    let name = flag.name;
    let bytes = |text: &str| quantity::bytes(text).map(|bytes| Some(bytes.to_string()));
    match flag.kind {
        _ if name == MAX_BODY_SIZE => bytes(parsed.text(name)).map_err(FlagError::MaxBodySize),
        _ if name == READ_BUFFER_SIZE => {
            bytes(parsed.text(name)).map_err(FlagError::ReadBufferSize)
        }
        Kind::Bool => Ok(parsed.given(name).then(|| parsed.bool(name).to_string())),
        Kind::Int => match parsed.int(name) {
            -1 => Ok(None),
            value if name.ends_with("-port") && !(0..=65_535).contains(&value) => {
                Err(FlagError::Port { flag: name, value })
            }
            value => Ok(Some(value.to_string())),
        },
        _ => match parsed.text(name) {
            "" => Ok(None),
            text => resource(name, text).map(Some),
        },
    }
}

/// Resources must be quantities, or no pod is ever created.
fn resource(flag: &'static str, text: &str) -> Result<String, FlagError> {
    if flag.starts_with("cpu-") || flag.starts_with("memory-") {
        let parsed: Result<quantity::Quantity, _> = text.parse();
        parsed.map_err(|source| FlagError::Resource {
            flag,
            value: text.to_owned(),
            source,
        })?;
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_an_annotation_of_its_own() {
        let flags = FLAGS.iter().filter(|flag| !SELECTION.contains(&flag.name));
        let mut annotations: Vec<&str> = flags.map(|flag| annotation(flag.name)).collect();
        annotations.push(ENABLED);
        let count = annotations.len();
        annotations.sort_unstable();
        annotations.dedup();
        assert_eq!(annotations.len(), count);
        assert!(annotations.iter().all(|name| name.starts_with("dapr.io/")));
    }
}
