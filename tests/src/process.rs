//! A child process in its own group: its output captured and shown only when
//! the test fails, ended with everything it started when dropped.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use nix::poll::PollTimeout;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use parking_lot::Mutex;

use crate::wait::watch::{Watch, is_readable};
use crate::wait::{eventually, holds};

/// Marks a process and all it starts, however far they detach themselves.
const MARK: &str = "DAPR_RS_TEST";

/// A running or ended program.
#[derive(Debug)]
pub struct Process {
    name: String,
    mark: String,
    pid: Pid,
    child: Mutex<Child>,
    stdout: Capture,
    stderr: Capture,
    quiet: bool,
}

#[derive(Debug)]
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    pipe: Arc<File>,
    watch: Arc<Watch>,
    reader: JoinHandle<()>,
}

// === impl Process ===

impl Process {
    /// Starts `command`; `name` heads its output in a failing test.
    pub fn spawn(name: &str, mut command: Command) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mark = format!(
            "{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        command
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("start {}: {error}", command.get_program().display()));
        let stdout = Capture::of(child.stdout.take().expect("it is piped"));
        let stderr = Capture::of(child.stderr.take().expect("it is piped"));
        Self {
            name: name.to_owned(),
            mark,
            pid: Pid::from_raw(child.id().cast_signed()),
            child: Mutex::new(child),
            stdout,
            stderr,
            quiet: false,
        }
    }

    /// Runs a program to its end.
    pub fn run(name: &str, command: Command) -> (ExitStatus, String, String) {
        let process = Self::spawn(name, command);
        let status = process.wait();
        (status, process.stdout(), process.stderr())
    }

    /// The process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Keeps its output to itself even when the test fails.
    pub fn keep_quiet(&mut self) {
        self.quiet = true;
    }

    /// Standard output so far: all that the process has written until now.
    #[track_caller]
    pub fn stdout(&self) -> String {
        self.stdout.settled()
    }

    /// Standard error so far.
    #[track_caller]
    pub fn stderr(&self) -> String {
        self.stderr.settled()
    }

    /// Sends a signal to the process alone.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).expect("the process is ours");
    }

    /// Ends it at once and waits.
    pub fn kill(&self) {
        let _ = kill(self.pid, Signal::SIGKILL);
        self.wait();
    }

    /// Its exit status, if it has ended.
    pub fn exited(&self) -> Option<ExitStatus> {
        self.child.lock().try_wait().expect("it is our child")
    }

    /// Waits for its end and for the end of its output.
    #[track_caller]
    pub fn wait(&self) -> ExitStatus {
        let status = eventually(&format!("{} ended", self.name), || self.exited());
        holds(
            &format!("the output of {} ended with it", self.name),
            || self.stdout.reader.is_finished() && self.stderr.reader.is_finished(),
        );
        status
    }

    /// Waits for its end and checks the exit code; 128 + n for a signal.
    #[track_caller]
    pub fn wait_for_code(&self, expected: i32) {
        let status = self.wait();
        assert_eq!(
            code(status),
            expected,
            "{} ended with {status}\n{}{}",
            self.name,
            self.stdout(),
            self.stderr()
        );
    }

    /// Waits until standard output contains `text`.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) {
        eventually(&format!("{} printed {text:?}", self.name), || {
            if self.stdout().contains(text) {
                return Some(());
            }
            assert!(
                self.exited().is_none() || self.stdout().contains(text),
                "{} ended before it printed {text:?}:\n{}{}",
                self.name,
                self.stdout(),
                self.stderr()
            );
            None
        });
    }

    /// Peak resident memory in bytes.
    pub fn vm_hwm(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// Resident memory in bytes.
    pub fn rss(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// Process ids that carry this process's mark, itself included.
    pub fn family(&self) -> Vec<Pid> {
        let mark = format!("{MARK}={}", self.mark).into_bytes();
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                std::fs::read(format!("/proc/{pid}/environ"))
                    .is_ok_and(|vars| vars.split(|&byte| byte == 0).any(|var| var == mark))
            })
            .map(Pid::from_raw)
            .collect()
    }

    fn memory(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid);
        let status = std::fs::read_to_string(&path).expect("the process runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .unwrap_or_else(|| panic!("no {field} in {path}"));
        let kib: u64 = line
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("the kernel writes a number");
        kib * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = killpg(self.pid, Signal::SIGKILL);
        for pid in self.family() {
            let _ = kill(pid, Signal::SIGKILL);
        }
        let _ = self.child.lock().wait();
        if std::thread::panicking() && !self.quiet {
            eprintln!(
                "---- {} stdout ----\n{}---- {} stderr ----\n{}",
                self.name,
                self.stdout.text(),
                self.name,
                self.stderr.text()
            );
        }
    }
}

/// The exit code; 128 + n when a signal ended it.
pub fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

// === impl Capture ===

impl Capture {
    fn of(pipe: impl Into<OwnedFd>) -> Self {
        let pipe = Arc::new(File::from(pipe.into()));
        let (bytes, watch) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Watch::default()));
        let (source, sink, at_work) = (pipe.clone(), bytes.clone(), watch.clone());
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                at_work.waiting(|| is_readable(&*source, PollTimeout::NONE));
                match (&*source).read(&mut buffer) {
                    Ok(0) | Err(_) => return,
                    Ok(got) => sink.lock().extend_from_slice(&buffer[..got]),
                }
            }
        });
        Self {
            bytes,
            pipe,
            watch,
            reader,
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock()).into_owned()
    }

    /// [`Self::text`], once what is in the pipe is in it.
    #[track_caller]
    fn settled(&self) -> String {
        holds("the output is captured", || {
            self.reader.is_finished() || self.watch.is_idle(&*self.pipe)
        });
        self.text()
    }
}
