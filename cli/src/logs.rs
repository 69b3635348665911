//! `dapr logs`: what the sidecar or the app of a running app id has printed.
//!
//! Apps of a run file write to files, which their sidecars' metadata names.
//! The output of other apps is where they were started, which is told instead.
//! Dapr has this command for clusters only.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::args::{Flag, Parsed};
use crate::commands::Command;
use crate::console::{self, Console};
use crate::instances::{Instance, Registration, registered, runs};
use crate::{Cli, cluster};

pub(crate) const COMMAND: Command = Command {
    name: "logs",
    usage: "logs",
    about: "Print the log file of a sidecar or its app.",
    example: "# What the sidecar of an app of a run file has printed\n\
              dapr logs --app-id cart\n\n\
              # What the app itself has printed, and what it prints from now on\n\
              dapr logs --app-id cart --app --follow\n",
    flags: &[
        Flag::text("app-id", "", "The application id for which logs are needed")
            .short('a')
            .required(),
        Flag::bool("app", "Print the app's log instead of the sidecar's"),
        Flag::bool("follow", "Go on until the sidecar ends").short('f'),
        Flag::bool("kubernetes", "Read from a cluster; not available yet").short('k'),
        Flag::text("pod-name", "", "With -k: the pod, if the app has several").short('p'),
        Flag::text("namespace", "default", "With -k: the namespace of the app").short('n'),
    ],
    run,
};

/// How often a followed file is looked at.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
enum LogsError {
    #[error("couldn't find app id {0}")]
    UnknownApp(String),
    #[error("{what} with app id {id} writes no log file: its output goes to {place}")]
    NoFile {
        what: &'static str,
        id: String,
        place: String,
    },
    #[error("error reading log file {path}: {source}")]
    Read { path: String, source: io::Error },
    #[error("error writing to standard output: {0}")]
    Write(io::Error),
}

fn run(cli: &Cli, parsed: &Parsed) -> u8 {
    if parsed.bool("kubernetes") {
        return cluster::logs(cli, parsed);
    }
    match print(cli.console, parsed) {
        Ok(()) => 0,
        // `head` has seen enough.
        Err(LogsError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            cli.console.failure(&error.to_string());
            1
        }
    }
}

fn print(console: Console, parsed: &Parsed) -> Result<(), LogsError> {
    let id = parsed.text("app-id");
    let app = parsed.bool("app");
    let path_of = |registration: &Registration| {
        let path = if app {
            &registration.app_log_path
        } else {
            &registration.daprd_log_path
        };
        path.clone()
    };
    let mut found: Vec<(Instance, Registration)> = registered()
        .into_iter()
        .filter(|(instance, _)| instance.app_id == id)
        .collect();
    // Of several replicas one with a file.
    found.sort_by_key(|(_, registration)| path_of(registration).is_empty());
    let (instance, registration) = found
        .into_iter()
        .next()
        .ok_or_else(|| LogsError::UnknownApp(id.to_owned()))?;
    let path = path_of(&registration);
    if path.is_empty() {
        return Err(LogsError::NoFile {
            what: if app { "the app" } else { "the sidecar" },
            id: id.to_owned(),
            place: place(&instance, &registration),
        });
    }
    let alive = || parsed.bool("follow") && runs(instance.daprd_pid);
    copy(Path::new(&path), alive)?;
    console.success("Fetched logs");
    Ok(())
}

/// Copies the file to standard output, and what is appended to it while
/// `alive`.
fn copy(path: &Path, alive: impl Fn() -> bool) -> Result<(), LogsError> {
    let failed = |source| LogsError::Read {
        path: path.display().to_string(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut piece = vec![0; 64 * 1024];
    let mut position = 0;
    loop {
        // Asked before reading: what is written before the end is printed.
        let more = alive();
        loop {
            let length = file.read(&mut piece).map_err(failed)?;
            if length == 0 {
                break;
            }
            position += length as u64;
            console::write_out(&piece[..length]).map_err(LogsError::Write)?;
        }
        if !more {
            return Ok(());
        }
        // Somebody emptied it.
        if file.metadata().map_err(failed)?.len() < position {
            position = file.seek(SeekFrom::Start(0)).map_err(failed)?;
        }
        thread::sleep(PAUSE);
    }
}

/// Where a process without log file prints to, in words.
fn place(instance: &Instance, registration: &Registration) -> String {
    let (pid, program) = match registration.cli_pid {
        0 => (instance.daprd_pid, "daprd"),
        pid => (pid, "dapr run"),
    };
    let process = format!("process {pid} ({program})");
    let Ok(target) = fs::read_link(format!("/proc/{pid}/fd/1")) else {
        return format!("where {process} was started");
    };
    let shown = target.display().to_string();
    if shown.starts_with("/dev/pts/") || shown.starts_with("/dev/tty") {
        format!("the terminal {shown} of {process}")
    } else if shown.starts_with("pipe:") || shown.starts_with("socket:") {
        format!("a pipe that {process} was given")
    } else {
        format!("{shown}, the standard output of {process}")
    }
}
