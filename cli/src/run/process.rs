//! Child processes that end whole: each leads its own session, and none
//! outlives this program.
//!
//! A child that ends stays a zombie until it is reaped here, so its process
//! id, which is also its session's, cannot mean somebody else meanwhile.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpid, getppid, setsid};

use super::events::{Event, Events, Who};
use super::session::{self, Session};

/// Between the death of a process and its being noticed.
const NOTICE: Duration = Duration::from_secs(1);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Status(i32),
    Signal(i32),
}

/// A running child, or one that has ended and waits to be reaped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: Pid,
    session: Session,
    exit: Arc<OnceLock<Exit>>,
}

impl Exit {
    pub(super) const fn succeeded(self) -> bool {
        matches!(self, Self::Status(0))
    }

    /// Go's name of the signal that ended the process, if one did.
    pub(super) fn signal(self) -> Option<String> {
        match self {
            Self::Signal(number) => Some(signal_name(number)),
            Self::Status(_) => None,
        }
    }
}

/// As Go prints the error of a process.
impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exit status {status}"),
            Self::Signal(number) => write!(f, "signal: {}", signal_name(*number)),
        }
    }
}

fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        _ => return format!("signal {number}"),
    };
    name.to_owned()
}

impl Process {
    /// Starts the command as the leader of its own session. Its end is
    /// reported as `who`.
    ///
    /// Only the main thread may call this: the child gets SIGTERM when the
    /// thread that started it ends.
    ///
    /// # Errors
    /// The program cannot be executed.
    pub(super) fn spawn(mut command: Command, who: Who, events: &Events) -> io::Result<Self> {
        prepare(&mut command);
        let child = command.spawn()?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let session = Session::of(&command, pid.as_raw());
        events.guard(&session);
        let exit = Arc::new(OnceLock::new());
        let sender = events.sender();
        let seen = Arc::clone(&exit);
        thread::spawn(move || {
            let how = wait_without_reaping(pid);
            let _ = seen.set(how);
            // Nobody listens any more when the run is over.
            let _ = sender.send(Event::Exited { who, how });
        });
        Ok(Self {
            child,
            pid,
            session,
            exit,
        })
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The piped output streams; each can be taken once.
    pub(super) fn take_output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// How the leader ended, once it has.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.exit.get().copied()
    }

    /// Takes a leader that has ended out of the process table. Not one that
    /// even SIGKILL does not end: it would have to be waited for.
    fn reap(&mut self) {
        let deadline = Instant::now() + NOTICE;
        while self.exit().is_none() {
            if Instant::now() >= deadline {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        let _ = self.child.wait();
    }
}

/// Ends processes with everything they started.
pub(super) fn end(processes: Vec<&mut Process>, events: &mut Events) {
    let sessions: Vec<Session> = processes.iter().map(|one| one.session.clone()).collect();
    session::end_all(&sessions, |pause| events.impatient(pause));
    for process in processes {
        process.reap();
    }
}

fn wait_without_reaping(pid: Pid) -> Exit {
    loop {
        match waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
            Ok(WaitStatus::Exited(_, status)) => return Exit::Status(status),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Exit::Signal(signal as i32),
            Err(Errno::EINTR) | Ok(_) => {}
            // Reaped already, which only happens when the run is over.
            Err(_) => return Exit::Status(0),
        }
    }
}

/// Lets the child start with no signal blocked, as the leader of a session
/// without a terminal, and get SIGTERM when this program ends, however it ends.
///
/// Without a terminal it may read from one all the same, which would stop it
/// in a background group of the terminal's own session.
#[expect(
    unsafe_code,
    reason = "the only way to ask for the parent-death signal is between fork and exec"
)]
fn prepare(command: &mut Command) {
    let parent = getpid();
    let prepare = move || {
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        setsid()?;
        set_pdeathsig(Signal::SIGTERM)?;
        if getppid() != parent {
            // It ended before the signal was asked for.
            return Err(Errno::ESRCH.into());
        }
        Ok(())
    };
    // SAFETY: the closure makes four system calls on values it owns; it
    // neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(prepare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::living;

    #[test]
    fn exits_read_like_gos() {
        assert_eq!(Exit::Status(3).to_string(), "exit status 3");
        assert_eq!(Exit::Signal(9).to_string(), "signal: killed");
        assert_eq!(Exit::Signal(15).signal().unwrap(), "terminated");
        assert_eq!(Exit::Signal(34).signal().unwrap(), "signal 34");
        assert!(Exit::Status(0).succeeded() && !Exit::Status(1).succeeded());
    }

    fn runs(session: i32) -> bool {
        living().iter().any(|one| one.session == session)
    }

    #[test]
    fn a_session_ends_whole() {
        let mut events = Events::new();
        let mut command = Command::new("bash");
        // Job control gives the one in the background its own group.
        command.args(["-c", "set -m; sleep 1000 & exec sleep 1000"]);
        let mut process = Process::spawn(command, Who::App(0), &events).unwrap();
        let session = process.pid();
        assert!(runs(session));
        end(vec![&mut process], &mut events);
        assert!(!runs(session));
        assert_eq!(process.exit(), Some(Exit::Signal(15)));
    }

    #[test]
    fn what_a_leader_leaves_behind_ends_too() {
        let mut events = Events::new();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & exit 3"]);
        let mut process = Process::spawn(command, Who::App(0), &events).unwrap();
        let Event::Exited { who, how } = events.next() else {
            panic!("no signal was sent");
        };
        assert_eq!((who, how), (Who::App(0), Exit::Status(3)));
        let session = process.pid();
        assert!(runs(session));
        end(vec![&mut process], &mut events);
        assert!(!runs(session));
    }
}
