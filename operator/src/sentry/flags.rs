//! The command line, read the way pflag reads it: `--x v`, `--x=v`, and a
//! single dash for a double one. Values are text here; `config` gives them
//! meaning.

use std::fmt::Write as _;
use std::path::PathBuf;

/// One row per flag; a boolean needs no value.
struct Flag {
    name: &'static str,
    boolean: bool,
    default: &'static str,
    help: &'static str,
}

const fn text(name: &'static str, default: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        boolean: false,
        default,
        help,
    }
}

const fn boolean(name: &'static str, default: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        boolean: true,
        default,
        help,
    }
}

/// Sorted by name.
const TABLE: &[Flag] = &[
    text(
        "config",
        "daprsystem",
        "Configuration: a name in Kubernetes mode, a file in standalone mode",
    ),
    boolean("enable-metrics", "true", "Serve metrics"),
    text(
        "healthz-listen-address",
        "",
        "Address the health server listens on; empty for all",
    ),
    text("healthz-port", "8080", "Port of the health server"),
    text(
        "issuer-ca-filename",
        "ca.crt",
        "File with the trust anchors, relative to --issuer-credentials",
    ),
    text(
        "issuer-certificate-filename",
        "issuer.crt",
        "File with the issuer chain, relative to --issuer-credentials",
    ),
    text(
        "issuer-credentials",
        "/var/run/secrets/dapr.io/credentials",
        "Directory of the authority's files",
    ),
    text(
        "issuer-key-filename",
        "issuer.key",
        "File with the issuer key, relative to --issuer-credentials",
    ),
    boolean("jwt-enabled", "false", "Issue JWTs beside certificates"),
    text(
        "jwt-issuer",
        "",
        "Issuer claim of JWTs; needs --jwt-enabled",
    ),
    text(
        "jwt-key-filename",
        "jwt.key",
        "File with the JWT signing key",
    ),
    text("jwt-key-id", "", "Key id of JWTs"),
    text(
        "jwt-signing-algorithm",
        "RS256",
        "Signing algorithm of JWTs",
    ),
    text("jwt-ttl", "24h", "Life of JWTs"),
    text(
        "jwks-filename",
        "jwks.json",
        "File with the public JWT keys",
    ),
    text(
        "kubeconfig",
        "",
        "Kubernetes configuration file, used in Kubernetes mode outside a cluster",
    ),
    text(
        "listen-address",
        "",
        "Address the authority listens on; empty for all",
    ),
    boolean("log-as-json", "false", "Log lines as JSON"),
    text("log-file", "", "File to log to; empty for standard output"),
    text("log-level", "info", "debug, info, warn, error or fatal"),
    text(
        "metrics-listen-address",
        "0.0.0.0",
        "Address the metrics server listens on",
    ),
    text("metrics-port", "9090", "Port of the metrics server"),
    text("mode", "standalone", "standalone or kubernetes"),
    text("oidc-allowed-hosts", "", "Hosts the OIDC server answers to"),
    boolean("oidc-enabled", "false", "Serve OIDC discovery"),
    text(
        "oidc-jwks-uri",
        "",
        "Address of the JWKS in the discovery document",
    ),
    text("oidc-path-prefix", "", "Path in front of OIDC routes"),
    text(
        "oidc-server-listen-address",
        "localhost",
        "Address the OIDC server listens on",
    ),
    text("oidc-server-listen-port", "9080", "Port of the OIDC server"),
    text(
        "oidc-server-tls-cert-file",
        "",
        "Certificate of the OIDC server",
    ),
    boolean("oidc-server-tls-enabled", "true", "Serve OIDC over TLS"),
    text("oidc-server-tls-key-file", "", "Key of the OIDC server"),
    text("port", "50001", "Port of the authority"),
    text(
        "trust-domain",
        "localhost",
        "Trust domain of the control plane",
    ),
];

/// What was typed, else the defaults.
#[derive(Debug)]
pub(crate) struct Flags {
    /// In the order of [`TABLE`].
    values: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FlagError {
    #[error("help requested")]
    Help,
    #[error("unknown flag: {0}")]
    Unknown(String),
    #[error("unexpected argument: {0}")]
    Positional(String),
    #[error("flag needs an argument: --{0}")]
    MissingValue(&'static str),
    #[error("invalid argument {value:?} for \"--{name}\" flag: expected true or false")]
    Boolean { name: &'static str, value: String },
}

impl Flags {
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self, FlagError> {
        let mut values: Vec<String> = TABLE.iter().map(|flag| flag.default.to_owned()).collect();
        let mut args = args;
        while let Some(arg) = args.next() {
            let Some(body) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')) else {
                return Err(FlagError::Positional(arg));
            };
            if matches!(body, "h" | "help") {
                return Err(FlagError::Help);
            }
            let (name, inline) = match body.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (body, None),
            };
            let (flag, slot) = TABLE
                .iter()
                .zip(&mut values)
                .find(|(flag, _)| flag.name == name)
                .ok_or_else(|| FlagError::Unknown(format!("--{name}")))?;
            *slot = match inline {
                Some(value) => value,
                None if flag.boolean => "true".to_owned(),
                None => args.next().ok_or(FlagError::MissingValue(flag.name))?,
            };
            if flag.boolean && parse_bool(slot).is_none() {
                return Err(FlagError::Boolean {
                    name: flag.name,
                    value: slot.clone(),
                });
            }
        }
        Ok(Self { values })
    }

    /// The value of a flag.
    pub(crate) fn text(&self, name: &str) -> &str {
        TABLE
            .iter()
            .zip(&self.values)
            .find(|(flag, _)| flag.name == name)
            .map(|(_, value)| value.as_str())
            .expect("callers name rows of the table")
    }

    /// The value of a boolean flag.
    pub(crate) fn on(&self, name: &str) -> bool {
        parse_bool(self.text(name)).unwrap_or_default()
    }

    /// How to log; known before anything else is looked at.
    pub(crate) fn log(&self) -> Result<telemetry::log::Options, telemetry::log::LogError> {
        let file = self.text("log-file");
        Ok(telemetry::log::Options {
            level: self.text("log-level").parse()?,
            json: self.on("log-as-json"),
            file: (!file.is_empty()).then(|| PathBuf::from(file)),
            app_id: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}

/// The words Go's `strconv.ParseBool` knows.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The text of `--help`.
pub(crate) fn usage() -> String {
    let mut out = String::from("Usage of sentry:\n");
    for flag in TABLE {
        let Flag {
            name,
            boolean,
            default,
            help,
        } = flag;
        let kind = if *boolean { "" } else { " string" };
        let _ = writeln!(
            out,
            "      --{name}{kind}\n        {help} (default {default:?})"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Flags, FlagError> {
        Flags::parse(args.iter().map(|arg| (*arg).to_owned()))
    }

    #[test]
    fn every_form_sets_the_value() {
        for args in [
            &["--port", "1"][..],
            &["--port=1"],
            &["-port", "1"],
            &["-port=1"],
        ] {
            assert_eq!(parse(args).unwrap().text("port"), "1");
        }
        assert!(parse(&["--log-as-json"]).unwrap().on("log-as-json"));
        assert!(
            !parse(&["--enable-metrics=false"])
                .unwrap()
                .on("enable-metrics")
        );
        assert_eq!(parse(&[]).unwrap().text("trust-domain"), "localhost");
    }

    #[test]
    fn mistakes_are_named() {
        for (args, message) in [
            (&["--nope"][..], "unknown flag: --nope"),
            (&["-nope=1"], "unknown flag: --nope"),
            (&["run"], "unexpected argument: run"),
            (&["--port"], "flag needs an argument: --port"),
            (
                &["--log-as-json=maybe"],
                "invalid argument \"maybe\" for \"--log-as-json\" flag: expected true or false",
            ),
        ] {
            assert_eq!(parse(args).unwrap_err().to_string(), message);
        }
        assert_eq!(parse(&["--help"]).unwrap_err(), FlagError::Help);
    }

    #[test]
    fn names_are_unique() {
        for (index, flag) in TABLE.iter().enumerate() {
            assert!(TABLE[..index].iter().all(|other| other.name != flag.name));
        }
    }
}
