//! `cargo xtask layers`: who may use whom, between crates and inside the
//! sidecar. The rules are the tables in `crates` and `modules`; the picture of
//! them is in ARCHITECTURE.md.

mod crates;
mod modules;
mod paths;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::step;

/// Reads the manifests and the sidecar's sources, prints every violation.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut violations = crates::check(&packages(root)?);
    violations.extend(modules::check(&sources(&root.join("sidecar/src"))?));
    for violation in &violations {
        eprintln!("layers: {violation}");
    }
    if !violations.is_empty() {
        bail!("{} layer violation(s)", violations.len());
    }
    println!("layers: every dependency points down");
    Ok(())
}

/// The members and what their manifests name, in every section.
fn packages(root: &Path) -> Result<Vec<crates::Package>> {
    let output = step::cargo(root)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .output()
        .context("starting `cargo metadata`")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    metadata
        .get("packages")
        .and_then(serde_json::Value::as_array)
        .context("cargo metadata has no packages")?
        .iter()
        .map(|package| package_of(package).context("an unknown shape of cargo metadata"))
        .collect()
}

fn package_of(package: &serde_json::Value) -> Option<crates::Package> {
    let name = package.get("name")?.as_str()?.to_owned();
    let uses = package
        .get("dependencies")?
        .as_array()?
        .iter()
        .filter_map(|dependency| Some(dependency.get("name")?.as_str()?.to_owned()))
        .collect();
    Some(crates::Package { name, uses })
}

/// Every Rust file under a source folder, named relative to it.
fn sources(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_path_buf()];
    while let Some(current) = pending.pop() {
        let entries =
            fs::read_dir(&current).with_context(|| format!("reading {}", current.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)
                    .with_context(|| format!("reading {}", path.display()))?;
                found.push((path.strip_prefix(folder)?.to_path_buf(), text));
            }
        }
    }
    found.sort();
    Ok(found)
}
