//! `dapr run`: a sidecar and its app, or all those of a run file.
//!
//! [`flags`] and the run file say what is wanted, [`checks`] makes it a
//! [`Plan`], [`launch`] starts processes from it, [`single`] and [`multi`]
//! are the two sequences with their exact lines, and [`diagnose`] says what is
//! wrong in further lines.

mod app;
mod authority;
mod checks;
mod command_line;
mod diagnose;
mod environment;
mod events;
mod flags;
mod guard;
mod launch;
mod multi;
mod name;
mod output;
mod ports;
mod process;
mod register;
mod resources;
mod session;
mod single;
mod sockets;

pub(crate) use app::App;
use app::Plan;

use crate::Cli;
use crate::args::Parsed;
use crate::cluster;
use crate::commands::Command;

pub(crate) const COMMAND: Command = Command {
    name: "run",
    usage: "run",
    about: "Run Dapr and (optionally) your application side by side.",
    example: "# Run a Python application\n\
              dapr run --app-id myapp --app-port 3000 -- python3 app.py\n\n\
              # Run a sidecar only\n\
              dapr run --app-id myapp\n\n\
              # Run the apps of a run file, or of the dapr.yaml in a directory\n\
              dapr run --run-file dapr.yaml\n",
    flags: flags::FLAGS,
    run,
};

/// Switches the prefix of app lines when the flag is not given.
const PREFIX_VARIABLE: &str = "DAPR_APP_LOG_PREFIX";

fn run(cli: &Cli, parsed: &Parsed) -> u8 {
    if parsed.bool(flags::GUARD) {
        guard::stand();
        return 0;
    }
    if parsed.bool(flags::KUBERNETES) {
        return cluster::refuse(
            cli,
            "run -k",
            "kubectl apply -f FILE, where the pods have the annotations dapr.io/enabled and \
             dapr.io/app-id, as in examples/kubernetes",
        );
    }
    let file = parsed.text(flags::RUN_FILE);
    if !file.is_empty() {
        return run_file(cli, parsed, file);
    }
    if parsed.given(flags::IMAGE) {
        cli.console
            .failure("--image is not supported: dapr run starts apps as processes");
        return 1;
    }
    let prefix = parsed.bool_or_env(flags::APP_LOG_PREFIX, PREFIX_VARIABLE);
    let mtls = parsed.bool(flags::ENABLE_MTLS);
    single::run(cli, flags::app(parsed), prefix, mtls)
}

fn run_file(cli: &Cli, parsed: &Parsed, file: &str) -> u8 {
    let ignored: Vec<&str> = parsed
        .all_given()
        .filter(|name| !flags::WITH_RUN_FILE.contains(name))
        .collect();
    if !ignored.is_empty() {
        cli.console.warning(&format!(
            "The following flags are ignored when using --run-file and should be configured in the run file instead: {}",
            ignored.join(", ")
        ));
    }
    multi::run(cli, file, parsed.bool(flags::ENABLE_MTLS))
}
