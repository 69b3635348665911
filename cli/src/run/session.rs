//! Sessions of children, and how they end whole.
//!
//! Each child leads a session, which its offspring cannot leave by accident:
//! shells with job control and `timeout` make process groups of their own, but
//! stay in the session. What left it on purpose is let go, as it may be a
//! browser or a build server that serves others as well, with one exception:
//! an app that became a daemon, known by its variables and the port it holds.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::sockets;
use crate::instances::living;

/// How long processes may take to end before they are killed.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long killed ones may take to be gone.
const LAST: Duration = Duration::from_secs(1);
/// Longest pause between two looks at the process table.
const PAUSE: Duration = Duration::from_millis(20);

/// Variables that together only the processes of one app have.
const MARKS: &[&str] = &[
    "APP_ID",
    "DAPR_HTTP_PORT",
    "DAPR_GRPC_PORT",
    "DAPR_METRICS_PORT",
];

/// A child and everything it started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Session {
    leader: i32,
    app: Option<Marks>,
}

/// What tells a daemon of this app from all other processes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Marks {
    port: u16,
    /// `NAME=value`.
    variables: Vec<String>,
}

impl Session {
    /// The session a command has become, led by this process.
    pub(super) fn of(command: &Command, leader: i32) -> Self {
        Self {
            leader,
            app: Marks::of(command),
        }
    }

    /// Its process groups, negative, as `kill` wants them.
    fn groups(sessions: &[Self]) -> impl Fn() -> Vec<i32> {
        move || {
            let groups: BTreeSet<i32> = living()
                .into_iter()
                .filter(|one| sessions.iter().any(|it| it.leader == one.session))
                .map(|one| -one.group)
                .collect();
            groups.into_iter().collect()
        }
    }

    /// Daemons of its app that hold the app's port.
    fn daemons(&self) -> Vec<i32> {
        let Some(marks) = &self.app else {
            return Vec::new();
        };
        let mut holders = sockets::holders(marks.port);
        holders.retain(|pid| marks.are_on(*pid));
        holders
    }
}

impl Marks {
    fn of(command: &Command) -> Option<Self> {
        let value = |wanted: &str| {
            let mut set = command.get_envs();
            let found = set.find(|(name, _)| *name == wanted)?.1?;
            Some(found.to_string_lossy().into_owned())
        };
        Some(Self {
            port: value("APP_PORT")?.parse().ok()?,
            variables: MARKS
                .iter()
                .map(|name| Some(format!("{name}={}", value(name)?)))
                .collect::<Option<_>>()?,
        })
    }

    fn are_on(&self, pid: i32) -> bool {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let all: BTreeSet<&[u8]> = environment.split(|byte| *byte == 0).collect();
        self.variables
            .iter()
            .all(|variable| all.contains(variable.as_bytes()))
    }
}

/// Ends whole sessions: SIGTERM, and SIGKILL for what is left after five
/// seconds or when `impatient`, which pauses, says so.
pub(super) fn end_all(sessions: &[Session], mut impatient: impl FnMut(Duration) -> bool) {
    end_while(Session::groups(sessions), &mut impatient);
    let daemons = || sessions.iter().flat_map(Session::daemons).collect();
    end_while(daemons, &mut impatient);
}

fn end_while(left: impl Fn() -> Vec<i32>, impatient: &mut impl FnMut(Duration) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut asked = BTreeSet::new();
    let mut pause = Duration::from_millis(1);
    loop {
        let targets = left();
        if targets.is_empty() {
            return;
        }
        for target in targets.into_iter().filter(|one| asked.insert(*one)) {
            send(target, Signal::SIGTERM);
            // A stopped process would not notice.
            send(target, Signal::SIGCONT);
        }
        if Instant::now() >= deadline || impatient(pause) {
            break;
        }
        pause = PAUSE.min(pause * 2);
    }
    let deadline = Instant::now() + LAST;
    loop {
        let targets = left();
        if targets.is_empty() || Instant::now() >= deadline {
            return;
        }
        for target in targets {
            send(target, Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn send(target: i32, signal: Signal) {
    // One that is gone already is what was wanted.
    let _ = kill(Pid::from_raw(target), signal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apps_variables_are_its_marks() {
        let mut command = Command::new("true");
        command.envs([
            ("APP_ID", "a"),
            ("DAPR_HTTP_PORT", "1"),
            ("DAPR_GRPC_PORT", "2"),
            ("DAPR_METRICS_PORT", "3"),
        ]);
        assert!(Marks::of(&command).is_none());
        command.env("APP_PORT", "80");
        let marks = Marks::of(&command).unwrap();
        assert_eq!(marks.port, 80);
        assert_eq!(marks.variables[1], "DAPR_HTTP_PORT=1");
        assert!(!marks.are_on(std::process::id().cast_signed()));
    }
}
