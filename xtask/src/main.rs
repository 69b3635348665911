//! Every task of the project; `cargo xtask` alone lists them.
#![allow(clippy::print_stdout, reason = "a command line tool")]

mod generate;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};

const TASKS: &[(&str, &str)] = &[
    ("gen", "regenerate the checked-in protobuf sources"),
    ("check-gen", "fail when generated sources are stale"),
];

fn main() -> ExitCode {
    match run(env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<String>) -> Result<()> {
    let root = root()?;
    match arguments.first().map(String::as_str) {
        None | Some("help" | "--help" | "-h") => {
            for (name, purpose) in TASKS {
                println!("cargo xtask {name:<10} {purpose}");
            }
            Ok(())
        }
        Some("gen") => generate::write(&root),
        Some("check-gen") => generate::check(&root),
        Some(other) => bail!("no task `{other}`; `cargo xtask` lists them"),
    }
}

fn root() -> Result<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .map(PathBuf::from)
        .context("xtask lives in the workspace")
}
