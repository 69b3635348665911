//! The guard of a run: a process of its own that outlives this program for
//! as long as it takes to end what a killed one has left.
//!
//! It is told of every child over a pipe. When the pipe ends before the guard
//! does, this program was killed. A parent-death signal alone would not do: it
//! reaches neither grandchildren nor an app that ignores it.

use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use nix::sys::prctl::set_name;
use nix::sys::signal::SigSet;

use super::flags::GUARD;
use super::session::{Session, end_all};

/// The guard, seen from the run.
#[derive(Debug)]
pub(super) struct Guard {
    child: Child,
    pipe: ChildStdin,
}

impl Guard {
    /// # Errors
    /// This program cannot be started a second time.
    pub(super) fn start() -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["run", &format!("--{GUARD}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is not for it.
            .process_group(0)
            .spawn()?;
        let pipe = child.stdin.take().expect("the pipe was asked for");
        Ok(Self { child, pipe })
    }

    /// Has the session ended should this program be killed.
    pub(super) fn watch(&self, session: &Session) {
        let line = serde_json::to_string(session).unwrap_or_default();
        // A guard that was killed cannot be helped.
        let _ = writeln!(&self.pipe, "{line}");
    }
}

/// The run is over and all its children have ended.
impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Stands guard, in the guard's own process.
pub(super) fn stand() {
    let _ = SigSet::all().thread_block();
    let _ = set_name(c"dapr-guard");
    let sessions: Vec<Session> = io::stdin()
        .lock()
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str(&line).ok())
        .collect();
    end_all(&sessions, |pause| {
        thread::sleep(pause);
        false
    });
}
