//! Starts one sidecar, waits for it, and starts its app.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Plan;
use super::authority::Authority;
use super::command_line;
use super::environment;
use super::events::{Event, Events, Waited};
use crate::binaries::{self, NotFound};
use crate::http::{Endpoint, Request, connect, send};
use crate::root::Root;

/// How long a sidecar may take to listen, for each of its two APIs.
const PATIENCE: Duration = Duration::from_mins(1);
/// When it is time to say what it is waiting for, or that an app does not
/// listen: later than any healthy start.
pub(super) const LATE: Duration = Duration::from_secs(5);

/// Why an app was not started; the texts are Go's.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookUpError {
    #[error("exec: no command")]
    Empty,
    #[error("exec: {0:?}: executable file not found in $PATH")]
    NotInPath(String),
    #[error("exec: {0:?}: stat {0}: no such file or directory")]
    Missing(String),
    #[error("exec: {0:?}: permission denied")]
    NotExecutable(String),
}

/// The sidecar's command, still without its streams and directory.
///
/// # Errors
/// There is no `daprd`.
pub(super) fn daprd(
    plan: &Plan,
    root: &Root,
    authority: Option<&Authority>,
    json: bool,
) -> Result<Command, NotFound> {
    let mut command = Command::new(binaries::daprd(root)?);
    command
        .args(command_line::arguments(plan, authority, json))
        .env("DAPR_RUN_REGISTRY", root.registry())
        .stdin(Stdio::null());
    if let Some(authority) = authority {
        command.env("DAPR_TRUST_ANCHORS", authority.anchors());
    }
    Ok(command)
}

/// The app's command, still without its streams and directory.
///
/// # Errors
/// There is no such program, seen from `directory`.
pub(super) fn app(plan: &Plan, directory: &Path) -> Result<Command, LookUpError> {
    let (program, arguments) = plan.app.command.split_first().ok_or(LookUpError::Empty)?;
    let path = match plan.app.env.get("PATH") {
        Some(path) => Some(path.into()),
        None => env::var_os("PATH"),
    };
    look_up(program, directory, path.as_deref().unwrap_or_default())?;
    let mut command = Command::new(program);
    command.args(arguments).envs(environment::variables(plan));
    Ok(command)
}

fn look_up(program: &str, directory: &Path, path: &OsStr) -> Result<(), LookUpError> {
    let name = || program.to_owned();
    if program.is_empty() {
        return Err(LookUpError::Empty);
    }
    if program.contains('/') {
        let file = directory.join(program);
        return match file.metadata() {
            Err(_) => Err(LookUpError::Missing(name())),
            Ok(_) if !executable(&file) => Err(LookUpError::NotExecutable(name())),
            Ok(_) => Ok(()),
        };
    }
    let mut places = env::split_paths(path).map(|place| directory.join(place).join(program));
    if places.any(|file| executable(&file)) {
        return Ok(());
    }
    Err(LookUpError::NotInPath(name()))
}

fn executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|info| info.is_file() && info.permissions().mode() & 0o111 != 0)
}

/// Whether the sidecar is ready, which includes its app.
pub(super) fn ready(plan: &Plan) -> bool {
    let request = Request {
        method: "GET",
        path: "/v1.0/healthz",
        headers: &[],
        body: b"",
    };
    send(&plan.http(), request, Some(Duration::from_secs(1))).is_ok_and(|answer| answer.succeeded())
}

/// The line for a sidecar that takes its time.
pub(super) fn not_ready(app_id: &str, reason: &str) -> String {
    format!("The sidecar of app {app_id:?} is not ready yet: {reason}")
}

/// What [`await_sidecar`] has to say.
pub(super) enum Notice {
    Info(String),
    Warning(String),
    /// For the console, wherever the sidecar's log goes.
    Advice(String),
}

/// Waits until both APIs of sidecar `at` accept connections. `false` when
/// there is nothing to wait for any more. A sidecar that takes its time is
/// asked `why`.
pub(super) fn await_sidecar(
    plan: &Plan,
    at: usize,
    events: &mut Events,
    mut tell: impl FnMut(Notice),
    why: impl Fn() -> Option<String>,
) -> bool {
    let mut listening = true;
    let mut late = Some(Instant::now() + LATE);
    for (api, endpoint) in [("HTTP", plan.http()), ("GRPC", plan.grpc())] {
        let place = match &endpoint {
            Endpoint::Tcp(port) => format!("port {port}"),
            Endpoint::Unix(path) => format!("socket {}", path.display()),
        };
        tell(Notice::Info(format!(
            "Checking if Dapr sidecar is listening on {api} {place}"
        )));
        let mut last: Option<io::Error> = None;
        let waited = events.wait(
            PATIENCE,
            |event: &Event| event.ends_start_of(at),
            || {
                if late.is_some_and(|late| Instant::now() >= late) {
                    late = None;
                    let reason = why().unwrap_or_else(|| "it has not said why".to_owned());
                    tell(Notice::Advice(not_ready(&plan.app.id, &reason)));
                }
                connect(&endpoint, Duration::from_secs(1))
                    .map_err(|error| last = Some(error))
                    .ok()
            },
        );
        match waited {
            Waited::Ready(()) => {}
            Waited::Interrupted => return false,
            Waited::TimedOut => {
                listening = false;
                let kind = match &endpoint {
                    Endpoint::Tcp(_) => "port",
                    Endpoint::Unix(_) => "socket",
                };
                let error = last.map(|error| error.to_string()).unwrap_or_default();
                tell(Notice::Warning(format!(
                    "Dapr sidecar is not listening on {api} {kind}: {error}"
                )));
            }
        }
    }
    tell(if listening {
        Notice::Info("Dapr sidecar is up and running.".to_owned())
    } else {
        Notice::Warning("Dapr sidecar might not be responding.".to_owned())
    });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_up_as_go_does() {
        let here = Path::new("/");
        let path = OsStr::new("/usr/bin:/bin");
        assert!(look_up("sh", here, path).is_ok());
        assert!(look_up("/bin/sh", here, path).is_ok());
        assert!(look_up("./bin/sh", here, path).is_ok());
        for (program, message) in [
            ("", "exec: no command"),
            (
                "no-such-program",
                r#"exec: "no-such-program": executable file not found in $PATH"#,
            ),
            (
                "./nope",
                r#"exec: "./nope": stat ./nope: no such file or directory"#,
            ),
            ("/etc/passwd", r#"exec: "/etc/passwd": permission denied"#),
        ] {
            assert_eq!(
                look_up(program, here, path).unwrap_err().to_string(),
                message
            );
        }
    }
}
