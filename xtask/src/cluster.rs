//! `cargo xtask cluster`: the programs of a Kubernetes cluster, and the
//! one-node cluster the end-to-end tests run on. The node itself is the
//! program `cluster` of the package `tests`.

mod programs;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{step, test::needs};

const USAGE: &str = "usage: cargo xtask cluster build | up | down | kubectl ARGUMENTS | \
helm ARGUMENTS | load IMAGE.tar... | exec COMMAND...";

/// `build` makes what a cluster consists of; everything else is for the node.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["build"] => {
            println!("{}", build(root)?.display());
            Ok(())
        }
        ["up"] => {
            needs::provide(needs::NODE)?;
            build(root)?;
            node(root, &arguments)
        }
        ["down" | "kubectl" | "helm" | "load" | "exec", ..] => node(root, &arguments),
        _ => bail!("{USAGE}"),
    }
}

/// The folder with the cluster's programs.
pub(crate) fn build(root: &Path) -> Result<PathBuf> {
    if !programs::complete(root)? {
        needs::provide(needs::PROGRAMS)?;
    }
    programs::provide(root)
}

/// What the node lets administrators in with.
pub(crate) fn kubeconfig(root: &Path) -> PathBuf {
    root.join("target/cluster/kubeconfig")
}

/// Hands over to the program, with standard input: `kubectl apply -f -`.
pub(crate) fn node(root: &Path, arguments: &[&str]) -> Result<()> {
    let mut build = step::cargo(root);
    build.args(["build", "--quiet", "--locked", "--release"]);
    build.args(["--package", "tests", "--bin", "cluster"]);
    if !build.status().context("starting cargo")?.success() {
        bail!("the program `cluster` does not build");
    }
    let program = step::target_folder()?.join("cluster");
    let status = Command::new(&program)
        .args(arguments)
        .status()
        .with_context(|| format!("starting {}", program.display()))?;
    if !status.success() {
        bail!("`cluster {}` ended with {status}", arguments.join(" "));
    }
    Ok(())
}
