//! `cargo xtask images`: the programs as they ship, each in an image of its
//! own, written to `target/images/<name>.tar`; beside them the app of the
//! Kubernetes examples and that of the end-to-end tests. No container engine is needed.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{oci, step};

/// Programs and the packages that build them; a program lies at `/<name>` in
/// the image `localhost/dapr/<name>:edge`.
const PROGRAMS: &[(&str, &str)] = &[
    ("daprd", "sidecar"),
    ("operator", "operator"),
    ("sentry", "operator"),
    ("injector", "injector"),
    ("sample", "sample"),
    ("test-app", "test-app"),
];
/// What the chart names by default.
const REGISTRY: &str = "localhost/dapr";
const TAG: &str = "edge";
/// Nobody in particular; the chart refuses root.
const USER: &str = "65532:65532";
/// What an image that ships may weigh, in bytes.
const LIMIT: usize = 20_000_000;
/// Built with everything optimised, as it ships.
const PROFILE: &str = "dist";

/// Builds the programs, then writes the archives.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let profile = match arguments {
        [] => PROFILE,
        [flag, profile] if flag == "--profile" => profile,
        _ => bail!("usage: cargo xtask images [--profile {PROFILE} | release]"),
    };
    let programs = build(root, profile)?;
    let folder = root.join("target/images");
    fs::create_dir_all(&folder)?;
    let mut heavy = Vec::new();
    for (name, _) in PROGRAMS {
        let archive = image(name, &programs.join(name))?;
        let file = folder.join(format!("{name}.tar"));
        fs::write(&file, &archive).with_context(|| format!("writing {}", file.display()))?;
        println!("{:>8} MB  {}", megabytes(archive.len()), file.display());
        if profile == PROFILE && archive.len() > LIMIT {
            heavy.push(*name);
        }
    }
    if !heavy.is_empty() {
        bail!("over {} MB: {}", megabytes(LIMIT), heavy.join(", "));
    }
    Ok(())
}

/// The archive of one program.
fn image(name: &str, program: &Path) -> Result<Vec<u8>> {
    let content = fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    let archive = oci::archive(&oci::Image {
        name: &format!("{REGISTRY}/{name}:{TAG}"),
        user: USER,
        entrypoint: &[],
        files: &[oci::File {
            path: &format!("/{name}"),
            content: &content,
            mode: 0o755,
        }],
    })?;
    Ok(archive)
}

/// Builds all programs in one go; returns the folder they lie in. The linked
/// C library is for this target only: programs that run while building must
/// load the one of the system.
fn build(root: &Path, profile: &str) -> Result<PathBuf> {
    let triple = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let mut command = step::cargo(root);
    command.args([
        "build",
        "--locked",
        "--profile",
        profile,
        "--target",
        &triple,
    ]);
    let mut packages: Vec<_> = PROGRAMS.iter().map(|(_, package)| package).collect();
    packages.dedup();
    for package in packages {
        command.args(["--package", package]);
    }
    let variable = format!(
        "CARGO_TARGET_{}_RUSTFLAGS",
        triple.replace('-', "_").to_uppercase()
    );
    command
        .env(variable, "-C target-feature=+crt-static")
        // It would win over the variable above.
        .env_remove("RUSTFLAGS");
    step::run("build static programs", &mut command)?;
    // Cargo put this very program into another folder of the same.
    let beside = step::target_folder()?;
    Ok(beside.with_file_name(triple).join(profile))
}

fn megabytes(bytes: usize) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}
