//! Child processes that never outlive a run: not after an error, not after a panic, not after a killed bench.
//!
//! A child is started through this program's hidden `exec` subcommand, which asks the kernel for a parent-death signal
//! and then becomes the wanted program under the same pid. Dropping a `Process` ends it by pid.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};

use crate::ports::Entry;

/// How long a child may take to end by itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);

/// A running program and the file its output goes to.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with an environment of only `PATH` and `environment`; output goes to `<folder>/<name>.log`.
    pub(crate) fn start(
        name: &str,
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(own_program()?);
        command
            .arg("exec")
            .arg(std::process::id().to_string())
            .arg(program)
            .args(arguments);
        Self::launch(name, command, environment, folder)
    }

    /// Like `start`, but without the detour over `exec`: for measuring how long a program takes to start.
    pub(crate) fn start_timed(
        name: &str,
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::launch(name, command, environment, folder)
    }

    fn launch(
        name: &str,
        mut command: Command,
        environment: &[(&str, String)],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// Starts the echo origin of this program; returns it with its ports.
    pub(crate) fn start_origin(folder: &Path) -> anyhow::Result<(Self, Entry)> {
        let program = own_program()?;
        let mut child = Command::new(&program)
            .arg("exec")
            .arg(std::process::id().to_string())
            .arg(&program)
            .arg("origin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the echo origin")?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let process = Self {
            name: "origin".to_owned(),
            child,
            log: folder.join("origin.log"),
        };
        let ports = Entry::parse(&line).context("the echo origin did not print its ports")?;
        Ok((process, ports))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails with the end of its output once the process has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        bail!(
            "{} ended with {status}; its last lines:\n{}",
            self.name,
            self.tail()
        );
    }

    /// The last lines of the output.
    pub(crate) fn tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(8)..)
            .unwrap_or_default()
            .join("\n")
    }

    fn ended_within(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(_)) | Err(_) => return true,
                Ok(None) if Instant::now() >= deadline => return false,
                Ok(None) => thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended_within(Duration::ZERO) {
            return;
        }
        let pid = i32::try_from(self.child.id()).map(Pid::from_raw);
        let asked = pid.is_ok_and(|pid| kill(pid, Signal::SIGTERM).is_ok());
        if !(asked && self.ended_within(GRACE)) {
            // Both fail only when the process is gone already.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The hidden `exec` subcommand: dies with `parent`, otherwise becomes `program`.
pub(crate) fn exec(parent: u32, program: &str, arguments: &[String]) -> anyhow::Result<()> {
    set_pdeathsig(Signal::SIGKILL).context("set the parent-death signal")?;
    // The parent may have died before the signal was set.
    if u32::try_from(getppid().as_raw()) != Ok(parent) {
        bail!("the starting process is gone");
    }
    Err(Command::new(program).args(arguments).exec()).with_context(|| format!("exec {program}"))
}

fn own_program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("find this program")
}
