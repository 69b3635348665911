//! `dapr uninstall`: removes what `dapr init` installed.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::args::{Flag, Parsed};
use crate::commands::Command;
use crate::console::Console;
use crate::{Cli, cluster};

pub(crate) const COMMAND: Command = Command {
    name: "uninstall",
    usage: "uninstall",
    about: "Uninstall Dapr from this machine.",
    example: "# Remove the programs\ndapr uninstall\n\n\
              # Remove the whole .dapr directory, with certificates and configuration\n\
              dapr uninstall --all\n",
    flags: &[
        Flag::bool(
            "all",
            "Remove the whole .dapr directory; with -k: the custom resources",
        ),
        Flag::bool("kubernetes", "Uninstall from a cluster; not available yet").short('k'),
        Flag::text(
            "namespace",
            "dapr-system",
            "With -k: namespace of the control plane",
        )
        .short('n'),
        Flag::int("timeout", "300", "With -k: seconds it may take"),
        Flag::bool("dev", "Accepted for compatibility; no Redis, no Zipkin").hidden(),
        Flag::text(
            "network",
            "",
            "Accepted for compatibility; there are no containers",
        )
        .hidden(),
        Flag::text(
            "container-runtime",
            "",
            "Accepted for compatibility; none is used",
        )
        .hidden(),
    ],
    run,
};

/// Ends with 0 even when something could not be removed, as upstream does.
fn run(cli: &Cli, parsed: &Parsed) -> u8 {
    if parsed.bool("kubernetes") {
        return cluster::uninstall(cli, parsed);
    }
    let console = cli.console;
    console.info("Removing Dapr from your machine...");
    let mut complete = remove(console, &cli.root.bin());
    if parsed.bool("all") {
        complete &= remove(console, cli.root.directory());
    }
    if complete {
        console.success("Dapr has been removed successfully");
    }
    0
}

fn remove(console: Console, directory: &Path) -> bool {
    let shown = directory.display();
    console.info(&format!("Removing directory: {shown}"));
    match fs::remove_dir_all(directory) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            console.warning(&format!("{shown} does not exist"));
            true
        }
        Err(error) => {
            console.failure(&format!("Error removing {shown}: {error}"));
            false
        }
    }
}
