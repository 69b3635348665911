//! `dapr stop`: ends runs by app id or by run file.
//!
//! The process that started an app is asked to end, and ends the rest in
//! order. Differs from Dapr: success is told once that process is gone, so
//! that its ports can be used again in the next line of a script.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgid};

use crate::args::{Flag, Parsed};
use crate::commands::Command;
use crate::instances::{Instance, Registration, registered, runs};
use crate::{Cli, cluster, run_file};

pub(crate) const COMMAND: Command = Command {
    name: "stop",
    usage: "stop [app id]...",
    about: "Stop Dapr instances and their associated apps.",
    example: "# Stop an app\ndapr stop --app-id cart\n\n\
              # Stop several apps\ndapr stop cart checkout\n\n\
              # Stop the apps of a run file, or of the dapr.yaml in a directory\n\
              dapr stop --run-file dapr.yaml\n",
    flags: &[
        Flag::text("app-id", "", "The application id to be stopped").short('a'),
        Flag::text(
            "run-file",
            "",
            "The run file whose apps to stop, or its directory",
        )
        .short('f'),
        Flag::bool("kubernetes", "Stop apps in a cluster; not available yet").short('k'),
    ],
    run,
};

/// A run takes at most five seconds each for its sidecars and its apps.
const PATIENCE: Duration = Duration::from_secs(12);

#[derive(Debug, thiserror::Error)]
enum StopError {
    #[error("couldn't find app id {0}")]
    UnknownApp(String),
    #[error("couldn't find apps with run file {0:?}")]
    UnknownRunFile(String),
    #[error("process {0} did not end within {seconds} seconds", seconds = PATIENCE.as_secs())]
    Alive(i32),
    #[error("process {pid}: {source}")]
    Signal { pid: i32, source: nix::Error },
}

/// Ends with 0 even when nothing could be stopped, as upstream does; only a
/// run file that is not there gives 1.
fn run(cli: &Cli, parsed: &Parsed) -> u8 {
    if parsed.bool("kubernetes") {
        return cluster::stop(cli);
    }
    let run_file = parsed.text("run-file");
    if !run_file.is_empty() {
        return stop_run_file(cli, run_file);
    }
    let mut ids = parsed.words().to_vec();
    if parsed.given("app-id") && !parsed.text("app-id").is_empty() {
        ids.push(parsed.text("app-id").to_owned());
    }
    if ids.is_empty() {
        return 0;
    }
    let mut running = registered();
    for id in &ids {
        match stop_app(id, &mut running) {
            Ok(()) => cli
                .console
                .success(&format!("app stopped successfully: {id}")),
            Err(error) => cli
                .console
                .failure(&format!("failed to stop app id {id}: {error}")),
        }
    }
    0
}

/// Ends the run of one app. A run of several apps loses one sidecar only,
/// until a single app is left.
fn stop_app(id: &str, running: &mut Vec<(Instance, Registration)>) -> Result<(), StopError> {
    let mut apps_of: BTreeMap<i32, usize> = BTreeMap::new();
    for (_, registration) in running.iter() {
        *apps_of.entry(registration.cli_pid).or_default() += 1;
    }
    let at = running
        .iter()
        .position(|(instance, _)| instance.app_id == id)
        .ok_or_else(|| StopError::UnknownApp(id.to_owned()))?;
    let (instance, registration) = running.remove(at);
    let cli = registration.cli_pid;
    let pid = if cli > 0 && apps_of[&cli] == 1 && runs(cli) {
        cli
    } else {
        instance.daprd_pid
    };
    signal(pid, |pid| kill(pid, Signal::SIGTERM))?;
    if !wait_for(pid) {
        return Err(StopError::Alive(pid));
    }
    Ok(())
}

fn stop_run_file(cli: &Cli, path: &str) -> u8 {
    let path = match run_file::locate(path) {
        Ok(path) => run_file::registered(&path),
        Err(error) => {
            cli.console
                .failure(&format!("Failed to get run file path: {error}"));
            return 1;
        }
    };
    let runner = registered()
        .iter()
        .map(|(_, registration)| registration)
        .find(|registration| registration.run_template_path == path && registration.cli_pid > 0)
        .map(|registration| registration.cli_pid)
        .ok_or(StopError::UnknownRunFile(path));
    match runner.and_then(stop_run) {
        Ok(()) => cli
            .console
            .success("Dapr and app processes stopped successfully"),
        Err(error) => cli
            .console
            .failure(&format!("Failed to stop Dapr and app processes: {error}")),
    }
    0
}

/// Ends the process of a run, with its process group when it leads one.
///
/// Differs from Dapr: a group led by somebody else, such as the shell script
/// that called `dapr run`, is left alone.
fn stop_run(pid: i32) -> Result<(), StopError> {
    let leads = getpgid(Some(Pid::from_raw(pid))) == Ok(Pid::from_raw(pid));
    if leads {
        signal(pid, |pid| killpg(pid, Signal::SIGTERM))?;
    } else {
        signal(pid, |pid| kill(pid, Signal::SIGTERM))?;
    }
    if !wait_for(pid) {
        signal(pid, |pid| kill(pid, Signal::SIGKILL))?;
        wait_for(pid);
    }
    Ok(())
}

fn signal(pid: i32, send: impl Fn(Pid) -> nix::Result<()>) -> Result<(), StopError> {
    match send(Pid::from_raw(pid)) {
        // It has ended by itself, which is what was wanted.
        Ok(()) | Err(nix::Error::ESRCH) => Ok(()),
        Err(source) => Err(StopError::Signal { pid, source }),
    }
}

/// Whether the process ended in time.
fn wait_for(pid: i32) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while runs(pid) {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}
