//! `dapr build-info`: what this program and the installed sidecar were built
//! from.

use crate::Cli;
use crate::args::Parsed;
use crate::commands::Command;
use crate::version::{CLI, ask_daprd};

pub(crate) const COMMAND: Command = Command {
    name: "build-info",
    usage: "build-info",
    about: "Print build info of Dapr CLI and runtime.",
    example: "# Print build info\ndapr build-info\n",
    flags: &[],
    run,
};

const COMMIT: &str = match option_env!("DAPR_RS_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

fn run(cli: &Cli, _: &Parsed) -> u8 {
    // Old runtimes know their version only.
    let runtime = ask_daprd(cli, "--build-info")
        .or_else(|| ask_daprd(cli, "--version"))
        .unwrap_or_else(|| "n/a".to_owned());
    let mut text = format!(
        "CLI:\n\tVersion: {CLI}\n\tGit Commit: {COMMIT}\n\tGit Version: v{CLI}\nRuntime:\n"
    );
    for line in runtime.lines() {
        text.extend(["\t", line, "\n"]);
    }
    cli.console.data(text.as_bytes())
}
