//! One command of a task: announced, run without standard input, timed.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};

/// The cargo that runs this task, so that one toolchain does everything.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs a command with its output passed through and prints its seconds.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<()> {
    println!("==> {name}");
    let started = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("starting `{}`", line(command)))?;
    println!("<== {name}: {:.1} s", started.elapsed().as_secs_f64());
    if !status.success() {
        bail!("{name}: `{}` ended with {status}", line(command));
    }
    Ok(())
}

/// The command as one would type it, for messages.
fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// True on a CI machine, where nothing may be skipped.
pub(crate) fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

/// A folder for something expensive, kept outside the checkout so that every
/// clone shares it: `${XDG_CACHE_HOME:-~/.cache}/dapr-rs/<name>`.
pub(crate) fn cache(name: &str) -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(base.join("dapr-rs").join(name))
}

/// Cargo put this very program beside the others.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let program = env::current_exe().context("where is xtask?")?;
    let folder = program.parent().context("a program is in a folder")?;
    Ok(folder.to_path_buf())
}
