//! `--terminating`: the preStop hook of an injected sidecar. Finds the `daprd`
//! of its own container and gives it notice; no port is involved, so nobody
//! outside the container can.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Gives notice to every other process that runs this program.
pub(crate) fn tell() -> ExitCode {
    let told = match others() {
        Ok(others) => others
            .into_iter()
            .filter(|pid| kill(*pid, Signal::SIGUSR1).is_ok())
            .count(),
        Err(error) => return failed(&format!("cannot read the list of processes: {error}")),
    };
    if told == 0 {
        return failed("no other daprd runs in this container");
    }
    ExitCode::SUCCESS
}

fn failed(reason: &str) -> ExitCode {
    // Nobody may be listening; the exit code says it as well.
    let _ = writeln!(io::stderr(), "daprd --terminating: {reason}");
    ExitCode::FAILURE
}

/// Processes of the same program file, without this one. Of other users'
/// processes nothing can be read.
fn others() -> io::Result<Vec<Pid>> {
    let own = fs::read_link("/proc/self/exe")?;
    let program = |pid: i32| fs::read_link(PathBuf::from(format!("/proc/{pid}/exe")));
    let pids = fs::read_dir("/proc")?
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    Ok(pids
        .filter(|pid| *pid != std::process::id().cast_signed())
        .filter(|pid| program(*pid).is_ok_and(|program| program == own))
        .map(Pid::from_raw)
        .collect())
}
