//! `daprd`, the sidecar: flags in, exit code out.

mod channel;
mod config;
mod grpc;
mod host;
mod http;
mod internal;
mod invoke;
mod me;
mod message;
mod metrics;
mod policies;
mod reflection;
mod resolve;
mod resources;
mod rpc;
mod runtime;
mod terminating;
mod trace;
mod transport;
mod wait;
mod wire;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use api::flags::{self, ParseError, Parsed};
use telemetry::log;

/// What the build is called in logs and `--build-info`.
const COMMIT: &str = match option_env!("DAPR_RS_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn main() -> ExitCode {
    let parsed = match flags::parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed.with_env(|name| std::env::var(name).ok()),
        Err(ParseError::Help) => return say(&flags::usage()),
        Err(ParseError::Usage { message }) => {
            // Nothing can be done about a closed standard error.
            let _ = writeln!(io::stderr(), "{}{message}", flags::usage());
            return ExitCode::from(2);
        }
    };
    if parsed.bool("version") {
        return say(&format!("{VERSION}\n"));
    }
    if parsed.bool("build-info") {
        return say(&format!(
            "Version: {VERSION}\nGit Commit: {COMMIT}\nGit Version: v{VERSION}\n"
        ));
    }
    if parsed.bool("terminating") {
        return terminating::tell();
    }
    if parsed.bool("wait") {
        return wait::until_outbound_ready(&parsed);
    }
    for warning in parsed.warnings() {
        let _ = writeln!(io::stderr(), "{warning}");
    }
    run(&parsed)
}

fn run(parsed: &Parsed) -> ExitCode {
    let log_guard = match config::log_options(parsed).and_then(log::init) {
        Ok(guard) => guard,
        Err(error) => {
            log::fatal("dapr.runtime", &error.to_string());
            return ExitCode::FAILURE;
        }
    };
    security::install_crypto_provider();
    let outcome = config::Config::new(parsed)
        .map_err(|error| error.to_string())
        .and_then(|config| {
            runtime::run(config).map_err(|error| format!("Fatal error from runtime: {error}"))
        });
    let code = match outcome {
        Ok(code) => code,
        Err(message) => {
            log::fatal("dapr.runtime", &message);
            ExitCode::FAILURE
        }
    };
    drop(log_guard);
    code
}

fn say(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
