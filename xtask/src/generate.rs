//! `cargo xtask gen`: protobuf messages and services from `crates/api/proto`
//! into `crates/api/src/gen`. No protoc: protox compiles the files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

const FILES: &[&str] = &[
    "dapr/proto/common/v1/common.proto",
    "dapr/proto/internals/v1/service_invocation.proto",
    "dapr/proto/operator/v1/operator.proto",
    "dapr/proto/sentry/v1/sentry.proto",
];

/// Rewrites the generated sources.
pub(crate) fn write(root: &Path) -> Result<()> {
    generate(root, &target_dir(root))
}

/// Fails when the checked-in sources differ from what the protos say.
pub(crate) fn check(root: &Path) -> Result<()> {
    let fresh = root.join("target/gen-check");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    fs::create_dir_all(&fresh)?;
    generate(root, &fresh)?;
    for entry in fs::read_dir(&fresh)? {
        let entry = entry?;
        let committed = target_dir(root).join(entry.file_name());
        if fs::read(entry.path())? != fs::read(&committed).unwrap_or_default() {
            bail!(
                "{} is stale: run `cargo xtask gen` and commit the result",
                committed.display()
            );
        }
    }
    Ok(())
}

fn target_dir(root: &Path) -> PathBuf {
    root.join("crates/api/src/gen")
}

fn generate(root: &Path, out: &Path) -> Result<()> {
    let proto = root.join("crates/api/proto");
    let set = protox::compile(FILES, [&proto]).context("compiling crates/api/proto")?;
    fs::create_dir_all(out)?;
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".")
        .out_dir(out)
        .compile_fds(set)
        .context("generating Rust")
}
