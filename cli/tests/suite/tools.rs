//! Starts the program in a directory of its own and reads what it prints.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The one patience of all waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A directory with its own `.dapr` in it.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file and the directories above it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes a shell script. Another process does so: a test that starts one
    /// meanwhile must not pass on the open file, which cannot be executed.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(&format!("{name}.text"), &format!("#!/bin/sh\n{text}\n"));
        let script = self.path().join(name);
        let install = Command::new("install")
            .args([path.as_os_str(), script.as_os_str()])
            .status()
            .unwrap();
        assert!(install.success());
        fs::remove_file(path).unwrap();
        script
    }

    /// No process that was started here is left.
    pub(crate) fn assert_quiet(&self) {
        let left = processes_with(&self.path().display().to_string());
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    /// The program, without the settings of whoever runs the tests.
    pub(crate) fn dapr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dapr"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env("DAPR_RUNTIME_PATH", self.path())
            .stdin(Stdio::null());
        for name in [
            "DAPR_TRUST_ANCHORS",
            "DAPR_API_TOKEN",
            "NAMESPACE",
            "DAPR_APP_LOG_PREFIX",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.dapr(arguments).output().unwrap())
    }

    /// As `run`, with a sidecar and an authority of one's own.
    pub(crate) fn run_with(&self, daprd: &Path, arguments: &[&str]) -> Done {
        let output = self
            .dapr(arguments)
            .env("DAPRD_BIN", daprd)
            .output()
            .unwrap();
        Done::of(output)
    }
}

/// What a finished program left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A program that runs while its lines are read.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for stream in streams {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Waits for a line with this text and returns it.
    pub(crate) fn line(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no line {text:?} in {:#?}", self.seen);
            };
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits for the end; its status and all lines of both streams.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<String>) {
        let status = eventually(|| self.child.try_wait().unwrap());
        let mut seen = std::mem::take(&mut self.seen);
        // The readers end with the streams.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            seen.push(line);
        }
        (status.code(), seen)
    }
}

/// A test that fails must not leave a run behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until there is something.
pub(crate) fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "still not so");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process exists and has not ended.
pub(crate) fn alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| Some(stat.rsplit_once(") ")?.1.to_owned()))
        .is_some_and(|fields| !fields.starts_with(['Z', 'X']))
}

/// Processes whose environment or command line names this text.
pub(crate) fn processes_with(text: &str) -> Vec<i32> {
    let mentions = |pid: &i32, file: &str| {
        fs::read(format!("/proc/{pid}/{file}"))
            .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
    };
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| alive(*pid))
        .filter(|pid| mentions(pid, "environ") || mentions(pid, "cmdline"))
        .collect()
}
