//! `cargo xtask deny`: which crates, licences and registries are in the graph
//! (`deny.toml`). Needs no network once the crates are downloaded; the tool
//! itself is built once into the cache.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::step;

const VERSION: &str = "0.20.2";

/// Runs the offline checks; advisories need a connected machine.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tool = installed(root)?;
    // cargo-deny starts `cargo`: it has to be the one that runs this task.
    step::run(
        "download crates",
        step::cargo(root).args(["fetch", "--locked"]),
    )?;
    step::run(
        "deny",
        Command::new(tool).current_dir(root).args([
            "--offline",
            "--locked",
            "check",
            "bans",
            "licenses",
            "sources",
        ]),
    )
}

/// Where cargo-deny is, after building it when this machine has none yet.
fn installed(root: &Path) -> Result<PathBuf> {
    let folder = step::cache(&format!("cargo-deny-{VERSION}"))?;
    let tool = folder.join("bin/cargo-deny");
    if !tool.is_file() {
        println!("cargo-deny {VERSION} is built once, which takes some minutes");
        step::run("install cargo-deny", &mut install(root, folder.into()))
            .context("`cargo install` needs the crate registry")?;
    }
    Ok(tool)
}

fn install(root: &Path, folder: OsString) -> Command {
    let mut command = step::cargo(root);
    command
        .args(["install", "--locked", "--quiet", "--root"])
        .arg(folder)
        .arg(format!("cargo-deny@{VERSION}"))
        // Its own release profile links for minutes; one run lasts a second.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        // Never into the checkout's target folder.
        .env_remove("CARGO_TARGET_DIR");
    command
}
