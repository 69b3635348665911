//! The certificate authority: makes or loads a root and an issuer, and signs
//! the certificates of workloads that prove who they are. Self-hosted mode.
//! Compatible with Dapr 1.18 pkg/sentry.

pub mod bundle;
pub mod ca;
pub mod config;
mod csr;
mod der;
mod flags;
mod http;
mod leaf;
mod metrics;
mod reload;
mod run;
mod server;
mod service;
mod signed;
pub mod store;
mod validator;

#[cfg(test)]
mod bundle_of;

#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::process::ExitCode;

use self::config::{Config, ConfigError};
use self::flags::{FlagError, Flags};
use self::run::RunError;

/// Scope of our log lines.
const SCOPE: &str = "dapr.sentry";

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Log(#[from] telemetry::log::LogError),
    #[error("failed to start the runtime: {0}")]
    Runtime(std::io::Error),
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Runs the program with the arguments behind its name until a signal.
///
/// Mistakes on the command line are one line on standard error; what goes
/// wrong later is one line of the log with level `fatal`. Both end with 1.
pub fn main(args: impl Iterator<Item = String>) -> ExitCode {
    let flags = match Flags::parse(args) {
        Ok(flags) => flags,
        Err(FlagError::Help) => {
            // A closed standard output leaves nobody to help.
            let _ = std::io::stdout().write_all(flags::usage().as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => return usage_error(&error),
    };
    let log = match flags.log() {
        Ok(log) => log,
        Err(error) => return usage_error(&error),
    };
    let _log = match telemetry::log::init(log) {
        Ok(guard) => guard,
        Err(error) => return usage_error(&error),
    };
    match run(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::log::fatal(SCOPE, &error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn usage_error(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("sentry: {error}");
    ExitCode::FAILURE
}

fn run(flags: &Flags) -> Result<(), Failure> {
    tracing::info!(target: SCOPE, "starting sentry certificate authority -- version {}", env!("CARGO_PKG_VERSION"));
    let config = Config::new(flags, |name| std::env::var(name).ok())?;
    security::install_crypto_provider();
    // One thread: an authority signs a few thousand certificates per second on
    // one core, and every further thread costs resting memory.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    runtime.block_on(run::run(config))?;
    tracing::info!(target: SCOPE, "sentry shut down gracefully");
    Ok(())
}
