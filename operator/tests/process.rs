//! The program itself: bad input, restart, signals.
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare must fail")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PATIENCE: Duration = Duration::from_secs(20);

fn sentry() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sentry"));
    command.env_remove("NAMESPACE").stdin(Stdio::null());
    command
}

/// On free ports over `credentials`.
fn serving(credentials: &Path, health: u16) -> Command {
    let mut command = sentry();
    command
        .args(["--listen-address=127.0.0.1", "--port=0", "--metrics-port=0"])
        .args(["--metrics-listen-address=127.0.0.1"])
        .args(["--healthz-listen-address=127.0.0.1"])
        .arg(format!("--healthz-port={health}"))
        .arg("--issuer-credentials")
        .arg(credentials);
    command
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Ends its process whatever happens to the test.
struct Running {
    child: Option<Child>,
    health: u16,
}

impl Running {
    fn start(credentials: &Path) -> Self {
        let health = free_port();
        let child = serving(credentials, health)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            child: Some(child),
            health,
        }
    }

    fn ready(self) -> Self {
        let deadline = Instant::now() + PATIENCE;
        while !self.get("/healthz").starts_with("HTTP/1.1 200") {
            assert!(Instant::now() < deadline, "sentry did not become ready");
            std::thread::sleep(Duration::from_millis(5));
        }
        self
    }

    fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.health)) {
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read_to_string(&mut answer);
        }
        answer
    }

    fn stop(mut self, signal: Signal) -> Output {
        let child = self.child.take().unwrap();
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        child.wait_with_output().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn files(directory: &Path) -> Vec<Vec<u8>> {
    ["ca.crt", "issuer.crt", "issuer.key"]
        .iter()
        .map(|name| fs::read(directory.join(name)).unwrap())
        .collect()
}

#[test]
fn mistakes_on_the_command_line_are_one_line_on_stderr() {
    for (args, line) in [
        (&["--nope"][..], "sentry: unknown flag: --nope\n"),
        (&["--port"], "sentry: flag needs an argument: --port\n"),
        (&["start"], "sentry: unexpected argument: start\n"),
        (
            &["--log-level=loud"],
            "sentry: invalid value for --log-level: loud\n",
        ),
    ] {
        let output = sentry().args(args).output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), line);
        assert_eq!(output.stdout, b"");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn what_cannot_run_says_so_in_one_fatal_line() {
    let directory = tempfile::tempdir().unwrap();
    let damaged = directory.path().join("damaged");
    fs::create_dir(&damaged).unwrap();
    for name in ["ca.crt", "issuer.crt", "issuer.key"] {
        fs::write(damaged.join(name), "not PEM").unwrap();
    }
    let credentials = format!("--issuer-credentials={}", damaged.display());
    for (arg, text) in [
        (
            "--mode=kubernetes",
            "'NAMESPACE' environment variable not set",
        ),
        ("--port=x", "invalid value for --port"),
        ("--config=/nonexistent", "couldn't find config name"),
        (
            &credentials,
            "failed to get CA bundle: failed to verify CA bundle: trust anchors: no certificates found",
        ),
        (
            "--issuer-credentials=/proc/none",
            "failed to get CA bundle: failed to write /proc/none",
        ),
    ] {
        let output = sentry().arg(arg).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let fatal: Vec<_> = stdout
            .lines()
            .filter(|line| line.contains("level=fatal"))
            .collect();
        assert_eq!(fatal.len(), 1, "{stdout}");
        assert!(fatal[0].contains(text), "{stdout}");
        assert!(!stdout.contains("level=error"), "{stdout}");
        assert_eq!(output.stderr, b"", "{arg}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn a_restart_keeps_the_authority_and_signals_end_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let mut known = None;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let running = Running::start(directory.path()).ready();
        assert!(running.get("/").starts_with("HTTP/1.1 404"));
        let output = running.stop(signal);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        let now = files(directory.path());
        assert_eq!(*known.get_or_insert_with(|| now.clone()), now);
    }
}

#[test]
fn two_that_start_at_once_agree() {
    let directory = tempfile::tempdir().unwrap();
    let credentials = directory.path().join("certs");
    let running: Vec<_> = (0..4).map(|_| Running::start(&credentials)).collect();
    let running: Vec<_> = running.into_iter().map(Running::ready).collect();
    let before = files(&credentials);
    let created = running
        .into_iter()
        .map(|running| running.stop(Signal::SIGTERM))
        .filter(|output| {
            let stdout = String::from_utf8_lossy(&output.stdout);
            stdout.contains("self-signed CA created")
        })
        .count();
    assert_eq!(created, 1);
    assert_eq!(files(&credentials), before);
}

#[test]
fn a_port_in_use_is_logged_waited_for_and_then_taken() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(directory.path()).ready();
    let second = serving(directory.path(), running.health)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut second = Running {
        child: Some(second),
        health: running.health,
    };
    let stdout = second.child.as_mut().unwrap().stdout.as_mut().unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("cannot listen yet, trying again: listen tcp") {
        let mut byte = [0; 256];
        let count = stdout.read(&mut byte).unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend(&byte[..count]);
    }
    running.stop(Signal::SIGTERM);
    let output = second.ready().stop(Signal::SIGTERM);
    assert_eq!(output.status.code(), Some(0));
}
