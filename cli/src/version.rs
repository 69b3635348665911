//! `dapr version`: this program's version and that of the installed sidecar.

use std::process::{Command as Process, Stdio};

use crate::args::{Flag, Parsed};
use crate::commands::Command;
use crate::{Cli, binaries, console};

pub(crate) const COMMAND: Command = Command {
    name: "version",
    usage: "version",
    about: "Print the Dapr runtime and CLI version.",
    example: "# Version for Dapr\ndapr version --output json\n",
    flags: &[Flag::text("output", "", "The output format: json").short('o')],
    run,
};

const CLI: &str = env!("CARGO_PKG_VERSION");

fn run(cli: &Cli, parsed: &Parsed) -> u8 {
    match parsed.text("output") {
        "" => print(cli),
        "json" => {
            let runtime = runtime(cli);
            console::out(&format!(
                "{{\"Cli version\":{CLI:?},\"Runtime version\":{runtime:?}}}\n"
            ));
            0
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
    console::out(&format!(
        "CLI version: {CLI} \nRuntime version: {}\n",
        runtime(cli)
    ));
    0
}

/// What the installed daprd says, without line ends; `n/a` without one.
fn runtime(cli: &Cli) -> String {
    let asked = binaries::daprd(&cli.root).ok().and_then(|path| {
        let output = Process::new(path)
            .arg("--version")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        output.status.success().then_some(output.stdout)
    });
    asked.map_or_else(
        || "n/a".to_owned(),
        |text| String::from_utf8_lossy(&text).replace('\n', ""),
    )
}
