//! `cargo xtask lint`: formatting, then clippy once over everything. Clippy
//! runs in the release profile because nothing else here is built in another.

use std::path::Path;

use anyhow::Result;

use crate::step;

/// Checks formatting and lints, both even when the first fails. Generated
/// sources are included by macro, so rustfmt does not see them.
pub(crate) fn run(root: &Path) -> Result<()> {
    let format = step::run(
        "format",
        step::cargo(root).args(["fmt", "--all", "--", "--check"]),
    );
    let clippy = step::run(
        "clippy",
        step::cargo(root).args([
            "clippy",
            "--locked",
            "--release",
            "--workspace",
            "--all-targets",
            "--keep-going",
            "--",
            "-D",
            "warnings",
        ]),
    );
    format.and(clippy)
}
