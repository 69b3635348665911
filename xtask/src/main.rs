//! Every task of the project; `cargo xtask` alone lists them, CI calls the
//! same ones.
#![allow(clippy::print_stdout, reason = "a command line tool")]

mod chart;
mod ci;
mod cluster;
mod demo;
mod deny;
mod e2e;
mod generate;
mod images;
mod layers;
mod lint;
#[allow(unreachable_pub, reason = "the test harness exports it")]
#[path = "../../tests/src/oci.rs"]
mod oci;
mod step;
mod test;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

/// A task takes the repository root and the arguments after its name.
type Task = fn(&Path, &[String]) -> Result<()>;

const TASKS: &[(&str, &str, Task)] = &[
    (
        "demo",
        "build the programs, then run two apps with two sidecars over mTLS",
        |root, rest| {
            none(rest)?;
            demo::run(root)
        },
    ),
    (
        "test",
        "build the programs, then run every suite [--only unit|process|kubernetes|...]",
        test::run,
    ),
    (
        "lint",
        "format check, clippy with warnings denied",
        |root, rest| {
            none(rest)?;
            lint::run(root)
        },
    ),
    (
        "gen",
        "regenerate the checked-in protobuf sources",
        |root, rest| {
            none(rest)?;
            generate::write(root)
        },
    ),
    (
        "check-gen",
        "fail when generated sources are stale",
        |root, rest| {
            none(rest)?;
            generate::check(root)
        },
    ),
    (
        "layers",
        "check which crate and module may use which",
        |root, rest| {
            none(rest)?;
            layers::run(root)
        },
    ),
    (
        "deny",
        "licences, sources and banned or duplicate crates",
        |root, rest| {
            none(rest)?;
            deny::run(root)
        },
    ),
    (
        "manifests",
        "render the chart into manifests/dapr.yaml [--check]",
        chart::run,
    ),
    (
        "images",
        "static programs in container images, target/images [--profile dist|release]",
        images::run,
    ),
    (
        "cluster",
        "a real one-node cluster: build|up|down|kubectl|helm|load|exec",
        cluster::run,
    ),
    (
        "e2e",
        "the tests on that cluster [--install-race N] [--rollouts N]",
        e2e::run,
    ),
    (
        "bench",
        "the quick benchmark [arguments of `bench quick`]",
        ci::bench,
    ),
    ("ci", "everything CI runs (.ci/run)", |root, rest| {
        none(rest)?;
        ci::run(root)
    }),
];

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        list();
        return Ok(());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        list();
        return Ok(());
    }
    let Some((_, _, task)) = TASKS.iter().find(|(known, _, _)| known == name) else {
        bail!("no task `{name}`; `cargo xtask` lists them");
    };
    task(&root()?, rest)
}

fn list() {
    for (name, purpose, _) in TASKS {
        println!("cargo xtask {name:<10} {purpose}");
    }
}

/// Refuses arguments of a task that has none, so that a typo is not ignored.
fn none(rest: &[String]) -> Result<()> {
    match rest.first() {
        None => Ok(()),
        Some(argument) => bail!("unexpected argument `{argument}`"),
    }
}

fn root() -> Result<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .map(PathBuf::from)
        .context("xtask lives in the workspace")
}
