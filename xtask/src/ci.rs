//! Tasks that hand over to something else: the CI script and the benchmark.

use std::{path::Path, process::Command};

use anyhow::Result;

use crate::step;

/// Runs the same script as CI.
pub(crate) fn run(root: &Path) -> Result<()> {
    step::run("ci", Command::new("bash").arg(".ci/run").current_dir(root))
}

/// Runs the quick benchmark; arguments are its own.
pub(crate) fn bench(root: &Path, rest: &[String]) -> Result<()> {
    step::run(
        "bench",
        step::cargo(root)
            .args(["run", "--release", "--package", "bench", "--", "quick"])
            .args(rest),
    )
}
