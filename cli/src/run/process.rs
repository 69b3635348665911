//! Child processes that end whole: each leads its own process group, and
//! none outlives this program.
//!
//! A child that ends stays a zombie until it is reaped here, so its process
//! id, which is also its group's, cannot mean somebody else meanwhile.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, killpg, sigprocmask};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpid, getppid};

use super::events::{Event, Events, Who};
use crate::instances::group_runs;

/// How long a process may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

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
    /// Starts the command as the leader of its own process group. Its end is
    /// reported as `who`.
    ///
    /// Only the main thread may call this: the child gets SIGTERM when the
    /// thread that started it ends.
    ///
    /// # Errors
    /// The program cannot be executed.
    pub(super) fn spawn(mut command: Command, who: Who, events: &Events) -> io::Result<Self> {
        command.process_group(0);
        die_with_parent(&mut command);
        let child = command.spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        let exit = Arc::new(OnceLock::new());
        let sender = events.sender();
        let seen = Arc::clone(&exit);
        thread::spawn(move || {
            let how = wait_without_reaping(pid);
            let _ = seen.set(how);
            // Nobody listens any more when the run is over.
            let _ = sender.send(Event::Exited { who, how });
        });
        Ok(Self { child, pid, exit })
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

    fn signal(&self, signal: Signal) {
        // A group that is gone already is what was wanted.
        let _ = killpg(self.pid, signal);
    }

    fn gone(&self) -> bool {
        self.exit().is_some() && !group_runs(self.pid.as_raw())
    }
}

/// Ends processes with everything they started: SIGTERM, and SIGKILL for what
/// is left after five seconds or when the user is impatient.
pub(super) fn end(mut processes: Vec<&mut Process>, events: &mut Events) {
    for process in &processes {
        process.signal(Signal::SIGTERM);
        // A stopped process would not notice.
        process.signal(Signal::SIGCONT);
    }
    let deadline = Instant::now() + PATIENCE;
    while !processes.iter().all(|process| process.gone()) {
        if Instant::now() >= deadline || events.impatient(Duration::from_millis(10)) {
            break;
        }
    }
    for process in &mut processes {
        if !process.gone() {
            process.signal(Signal::SIGKILL);
        }
        let _ = process.child.wait();
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

/// Lets the child start with no signal blocked, and get SIGTERM when this
/// program ends, however it ends.
#[expect(
    unsafe_code,
    reason = "the only way to ask for the parent-death signal is between fork and exec"
)]
fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    let prepare = move || {
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        set_pdeathsig(Signal::SIGTERM)?;
        if getppid() != parent {
            // It ended before the signal was asked for.
            return Err(Errno::ESRCH.into());
        }
        Ok(())
    };
    // SAFETY: the closure makes three system calls on values it owns; it
    // neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(prepare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_read_like_gos() {
        assert_eq!(Exit::Status(3).to_string(), "exit status 3");
        assert_eq!(Exit::Signal(9).to_string(), "signal: killed");
        assert_eq!(Exit::Signal(15).signal().unwrap(), "terminated");
        assert_eq!(Exit::Signal(34).signal().unwrap(), "signal 34");
        assert!(Exit::Status(0).succeeded() && !Exit::Status(1).succeeded());
    }

    #[test]
    fn a_group_ends_whole() {
        let mut events = Events::new();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & exec sleep 1000"]);
        let mut process = Process::spawn(command, Who::App(0), &events).unwrap();
        let group = process.pid();
        assert!(group_runs(group));
        end(vec![&mut process], &mut events);
        assert!(!group_runs(group));
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
        let group = process.pid();
        assert!(group_runs(group));
        end(vec![&mut process], &mut events);
        assert!(!group_runs(group));
    }
}
