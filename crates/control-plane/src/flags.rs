//! Command lines, read the way pflag reads them: `--x v`, `--x=v`, and a
//! single dash for a double one. Values are text here; each program gives them
//! meaning.

use std::fmt::{Display, Write as _};
use std::path::PathBuf;
use std::str::FromStr;

use api::flags::boolean;

use crate::settings::Listen;

/// One row per flag; a boolean needs no value.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    name: &'static str,
    boolean: bool,
    default: &'static str,
    help: &'static str,
}

impl Flag {
    /// A flag with a value.
    pub const fn text(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self {
            name,
            boolean: false,
            default,
            help,
        }
    }

    /// A switch; `default` is `true` or `false`.
    pub const fn boolean(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self {
            name,
            boolean: true,
            default,
            help,
        }
    }
}

/// Flags every program has.
const COMMON: &[Flag] = &[
    Flag::boolean("enable-metrics", "true", "Serve metrics"),
    Flag::text(
        "healthz-listen-address",
        "",
        "Address the health server listens on; empty for all",
    ),
    Flag::text("healthz-port", "8080", "Port of the health server"),
    Flag::text(
        "kubeconfig",
        "",
        "Kubernetes configuration file, used outside a cluster",
    ),
    Flag::boolean("log-as-json", "false", "Log lines as JSON"),
    Flag::text("log-file", "", "File to log to; empty for standard output"),
    Flag::text("log-level", "info", "debug, info, warn, error or fatal"),
    Flag::text(
        "metrics-listen-address",
        "0.0.0.0",
        "Address the metrics server listens on",
    ),
    Flag::text("metrics-port", "9090", "Port of the metrics server"),
];

/// What was typed, else the defaults.
#[derive(Clone, Debug)]
pub struct Flags {
    rows: Vec<(Flag, String)>,
}

/// A command line that cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// `--help`: not a mistake.
    #[error("help requested")]
    Help,
    /// No such flag.
    #[error("unknown flag: {0}")]
    Unknown(String),
    /// Something that is no flag.
    #[error("unexpected argument: {0}")]
    Positional(String),
    /// The value is missing.
    #[error("flag needs an argument: --{0}")]
    MissingValue(&'static str),
    /// Neither true nor false.
    #[error("invalid argument {value:?} for \"--{name}\" flag: expected true or false")]
    Boolean {
        /// Without dashes.
        name: &'static str,
        /// As typed.
        value: String,
    },
    /// A value of the wrong form.
    #[error("invalid value for --{name}: {value:?}: {reason}")]
    Value {
        /// Without dashes.
        name: &'static str,
        /// As typed.
        value: String,
        /// What is expected.
        reason: String,
    },
}

impl Flags {
    /// Reads `args` with the rows of `own` and the common ones.
    ///
    /// # Errors
    /// The first argument that cannot be understood.
    pub fn parse(own: &[Flag], args: impl Iterator<Item = String>) -> Result<Self, FlagError> {
        let mut rows: Vec<(Flag, String)> = own
            .iter()
            .chain(COMMON)
            .map(|flag| (*flag, flag.default.to_owned()))
            .collect();
        rows.sort_by_key(|(flag, _)| flag.name);
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
            let (flag, slot) = rows
                .iter_mut()
                .find(|(flag, _)| flag.name == name)
                .ok_or_else(|| FlagError::Unknown(format!("--{name}")))?;
            *slot = match inline {
                Some(value) => value,
                None if flag.boolean => "true".to_owned(),
                None => args.next().ok_or(FlagError::MissingValue(flag.name))?,
            };
            if flag.boolean && boolean(slot).is_err() {
                return Err(FlagError::Boolean {
                    name: flag.name,
                    value: slot.clone(),
                });
            }
        }
        Ok(Self { rows })
    }

    /// The value of a flag.
    ///
    /// # Panics
    /// `name` is no row of the program's table.
    pub fn text(&self, name: &str) -> &str {
        self.rows
            .iter()
            .find(|(flag, _)| flag.name == name)
            .map(|(_, value)| value.as_str())
            .expect("callers name rows of the table")
    }

    /// The value of a boolean flag.
    pub fn on(&self, name: &str) -> bool {
        boolean(self.text(name)).unwrap_or_default()
    }

    /// The value of a flag that has a form of its own.
    ///
    /// # Errors
    /// The value has another form.
    pub fn parsed<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<T, FlagError> {
        let text = self.text(name);
        text.parse().map_err(|error: T::Err| FlagError::Value {
            name,
            value: text.to_owned(),
            reason: error.to_string(),
        })
    }

    /// The address that two flags make.
    ///
    /// # Errors
    /// The port is no port.
    pub fn listen(&self, host: &str, port: &'static str) -> Result<Listen, FlagError> {
        let text = self.text(port);
        Ok(Listen {
            host: self.text(host).to_owned(),
            port: text.parse().map_err(|_| FlagError::Value {
                name: port,
                value: text.to_owned(),
                reason: "must be a number from 0 to 65535".to_owned(),
            })?,
        })
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

/// The text of `--help`.
pub(crate) fn usage(program: &str, own: &[Flag]) -> String {
    let mut rows: Vec<&Flag> = own.iter().chain(COMMON).collect();
    rows.sort_by_key(|flag| flag.name);
    let mut out = format!("Usage of {program}:\n");
    for Flag {
        name,
        boolean,
        default,
        help,
    } in rows
    {
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

    const OWN: &[Flag] = &[
        Flag::text("port", "50001", "Port"),
        Flag::text("trust-domain", "localhost", "Trust domain"),
    ];

    fn parse(args: &[&str]) -> Result<Flags, FlagError> {
        Flags::parse(OWN, args.iter().map(|arg| (*arg).to_owned()))
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
        let off = parse(&["--enable-metrics=false"]).unwrap();
        assert!(!off.on("enable-metrics"));
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
        let flags = parse(&["--port", "70000"]).unwrap();
        assert_eq!(
            flags
                .listen("healthz-listen-address", "port")
                .unwrap_err()
                .to_string(),
            "invalid value for --port: \"70000\": must be a number from 0 to 65535"
        );
    }

    #[test]
    fn help_lists_common_flags_among_the_own() {
        let text = usage("sentry", OWN);
        assert!(text.starts_with("Usage of sentry:\n      --enable-metrics\n"));
        assert!(text.contains("--port string\n        Port (default \"50001\")"));
    }
}
