//! The command line tool with a runtime root of its own.

use std::path::Path;
use std::process::{Command, ExitStatus};

use tempfile::TempDir;

use crate::binaries;
use crate::process::Process;

/// A runtime root; every command run with it ends with it.
#[derive(Debug)]
pub struct Cli {
    home: TempDir,
}

impl Cli {
    /// An empty root.
    pub fn new() -> Self {
        Self {
            home: TempDir::new().expect("a temporary directory"),
        }
    }

    /// Its directory, with `.dapr` in it.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// `dapr <arguments>`, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries::dapr());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("DAPRD_BIN", binaries::daprd())
            .env("SENTRY_BIN", binaries::sentry())
            .current_dir(self.home())
            .args(arguments);
        command
    }

    /// Starts `dapr <arguments>`.
    pub fn start(&self, arguments: &[&str]) -> Process {
        Process::spawn(
            &format!("dapr {}", arguments.join(" ")),
            self.command(arguments),
        )
    }

    /// Runs `dapr <arguments>` to its end: status, output, errors.
    pub fn run(&self, arguments: &[&str]) -> (ExitStatus, String, String) {
        Process::run("dapr", self.command(arguments))
    }
}

impl Default for Cli {
    fn default() -> Self {
        Self::new()
    }
}
