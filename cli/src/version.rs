//! `dapr version`: this program's version and that of the installed sidecar.

use std::process::{Command as Process, Stdio};

use serde::Serialize;

use crate::args::{Flag, Parsed};
use crate::commands::Command;
use crate::{Cli, binaries};

pub(crate) const COMMAND: Command = Command {
    name: "version",
    usage: "version",
    about: "Print the Dapr runtime and CLI version.",
    example: "# Versions of this program and of the installed sidecar\ndapr version\n\n# As JSON\ndapr version --output json\n",
    flags: &[Flag::text("output", "", "The output format: json").short('o')],
    run,
};

/// This program's version.
pub(crate) const CLI: &str = env!("CARGO_PKG_VERSION");

/// The keys are upstream's.
#[derive(Serialize)]
struct Versions {
    #[serde(rename = "Cli version")]
    cli: &'static str,
    #[serde(rename = "Runtime version")]
    runtime: String,
}

fn run(cli: &Cli, parsed: &Parsed) -> u8 {
    match parsed.text("output") {
        "" => print(cli),
        "json" => {
            let versions = Versions {
                cli: CLI,
                runtime: runtime(cli),
            };
            let text = serde_json::to_string(&versions).unwrap_or_default();
            cli.console.data(format!("{text}\n").as_bytes())
        }
        _ => {
            cli.console
                .failure("An invalid output format was specified.");
            1
        }
    }
}

/// The text of `dapr version` and `dapr --version`.
pub(crate) fn print(cli: &Cli) -> u8 {
    // The space at the end of the first line is upstream's.
    let runtime = runtime(cli);
    let text = format!("CLI version: {CLI} \nRuntime version: {runtime}\n");
    cli.console.data(text.as_bytes())
}

/// What the installed daprd says, without line ends; `n/a` without one.
fn runtime(cli: &Cli) -> String {
    ask_daprd(cli, "--version").map_or_else(|| "n/a".to_owned(), |text| text.replace('\n', ""))
}

/// What the installed daprd prints for one flag; nothing when there is none,
/// or when it does not know the flag.
pub(crate) fn ask_daprd(cli: &Cli, flag: &str) -> Option<String> {
    let path = binaries::daprd(&cli.root).ok()?;
    let output = Process::new(path)
        .arg(flag)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = || String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(text)
}
