//! Which programs a run measures.
//!
//! Ours are `OURS_DAPRD_BIN` and `OURS_SENTRY_BIN`, or built here with the profile that ships. A foreign pair comes from
//! `FOREIGN_DAPRD_BIN` and `FOREIGN_SENTRY_BIN`, or from `DAPRD_BIN` and `SENTRY_BIN` when that daprd is not ours: it
//! lies outside this workspace and its `--build-info` differs from that of the daprd under test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// The two programs a pair of sidecars needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binaries {
    pub(crate) daprd: PathBuf,
    pub(crate) sentry: PathBuf,
}

impl Binaries {
    /// Our own, built now unless named by the environment.
    pub(crate) async fn ours() -> anyhow::Result<Self> {
        if let Some(named) = Self::named("OURS_DAPRD_BIN", "OURS_SENTRY_BIN")? {
            return Ok(named);
        }
        let triple = format!("{}-unknown-linux-gnu", env::consts::ARCH);
        build(&triple).await?;
        let folder = target_folder()?.join(triple).join("dist");
        Self::existing(folder.join("daprd"), folder.join("sentry"))
    }

    /// A pair that is not ours, when one is given.
    pub(crate) fn foreign(ours: Option<&Self>) -> anyhow::Result<Option<Self>> {
        if let Some(named) = Self::named("FOREIGN_DAPRD_BIN", "FOREIGN_SENTRY_BIN")? {
            return Ok(Some(named));
        }
        let Some(named) = Self::named("DAPRD_BIN", "SENTRY_BIN")? else {
            return Ok(None);
        };
        if named.daprd.starts_with(workspace()) || named.daprd.starts_with(target_folder()?) {
            return Ok(None);
        }
        let same = ours.is_some_and(|ours| {
            let own = build_info(&ours.daprd);
            own.is_some() && own == build_info(&named.daprd)
        });
        Ok((!same).then_some(named))
    }

    fn named(daprd: &str, sentry: &str) -> anyhow::Result<Option<Self>> {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty());
        match (path(daprd), path(sentry)) {
            (None, None) => Ok(None),
            (Some(daprd), Some(sentry)) => Self::existing(daprd.into(), sentry.into()).map(Some),
            _ => bail!("{daprd} and {sentry} only work together"),
        }
    }

    fn existing(daprd: PathBuf, sentry: PathBuf) -> anyhow::Result<Self> {
        let find = |path: PathBuf| {
            path.canonicalize()
                .with_context(|| format!("find {}", path.display()))
        };
        Ok(Self {
            daprd: find(daprd)?,
            sentry: find(sentry)?,
        })
    }

    /// Version and size, for the head of the table.
    pub(crate) fn about(&self) -> String {
        let version = output(&self.daprd, "--version").unwrap_or_else(|| "unknown".to_owned());
        let size = std::fs::metadata(&self.daprd).map_or(0, |data| data.len());
        format!(
            "daprd {version}, {}.{} MB",
            size / 1_000_000,
            size % 1_000_000 / 100_000
        )
    }
}

/// nginx from `NGINX_BIN`, `PATH`, or where Debian puts it for root.
pub(crate) fn nginx() -> Option<PathBuf> {
    if let Some(named) = env::var_os("NGINX_BIN").filter(|value| !value.is_empty()) {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("nginx"))
        .find(|program| program.is_file())
}

/// The `target` folder this program was built into.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    let program = env::current_exe().context("find this program")?;
    program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file())
        .map(Path::to_path_buf)
        .context("this program does not lie in a cargo target folder")
}

fn workspace() -> PathBuf {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = member.parent().unwrap_or(member);
    root.canonicalize().unwrap_or_else(|_| root.to_path_buf())
}

/// Builds what the images contain: statically linked, so that no more of the C library is resident than is used.
async fn build(triple: &str) -> anyhow::Result<()> {
    eprintln!("bench: building daprd and sentry as they ship (minutes the first time)");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments =
        format!("build --profile dist --target {triple} --package sidecar --package operator");
    // Ends with the run: a signal drops this future.
    let status = tokio::process::Command::new(cargo)
        .args(arguments.split(' '))
        .env(rustflags(triple), "-C target-feature=+crt-static")
        // It would win over the variable above.
        .env_remove("RUSTFLAGS")
        .current_dir(workspace())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .context("run cargo")?;
    if !status.success() {
        bail!("cargo {arguments} failed");
    }
    Ok(())
}

/// The variable with flags for this target only; programs that run while building stay as they are.
fn rustflags(triple: &str) -> String {
    let name = triple.replace('-', "_").to_uppercase();
    format!("CARGO_TARGET_{name}_RUSTFLAGS")
}

fn build_info(daprd: &Path) -> Option<String> {
    output(daprd, "--build-info")
}

fn output(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_for_the_target_only() {
        assert_eq!(
            rustflags("x86_64-unknown-linux-gnu"),
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS"
        );
    }
}
