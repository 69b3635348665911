//! `cargo xtask demo`: builds the programs, runs `examples/hello` with
//! `dapr run -f` until every call is answered, ends it, and looks whether
//! anything was left behind.

mod processes;

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{SigSet, Signal, kill},
    unistd::Pid,
};

use crate::step;
use processes::Process;

/// Packages the demo needs.
const PACKAGES: &[&str] = &["sidecar", "operator", "cli", "hello"];
/// How long the apps may take to say what they should, and to end.
const PATIENCE: Duration = Duration::from_mins(1);
/// How many calls `hello-caller` makes.
const CALLS: u32 = 5;
/// The port in `examples/hello/dapr.yaml`.
const APP_PORT: u16 = 8002;
/// Settings of the user's own runs that would change what the demo shows.
const NOT_INHERITED: &[&str] = &[
    "APP_API_TOKEN",
    "DAPR_API_TOKEN",
    "DAPR_TRUST_ANCHORS",
    "NAMESPACE",
];

/// Something that happens while the demo runs.
enum Event {
    Line(String),
    /// The run's output ended.
    Closed,
    /// The user wants to stop.
    Signal(Signal),
}

/// Builds, runs and checks the demo.
///
/// # Errors
/// A program does not build, an expected line does not appear within a
/// minute, or a process is left.
pub(crate) fn run(root: &Path) -> Result<()> {
    build(root)?;
    if TcpListener::bind(("127.0.0.1", APP_PORT)).is_err() {
        bail!("port {APP_PORT} is in use: end what listens there, hello-callee needs it");
    }
    let (sender, events) = channel();
    listen_to_signals(sender.clone());

    println!("\n== 2/3 dapr run -f examples/hello");
    let example = root.join("examples/hello");
    let before = processes::all();
    let mut dapr = start(root, &example, sender)?;
    let shown = watch(&events);
    // Whatever happened, the run ends here and is looked after.
    let of_run = processes::descendants(dapr.id());
    let status = stop(&mut dapr, &events);

    println!("\n== 3/3 is anything left?");
    let left = left_behind(&example, &before, &of_run);
    shown?;
    let status = status?;
    if !status.success() {
        bail!("dapr run ended with {status}");
    }
    if !left.is_empty() {
        bail!("still running: {}", left.join(", "));
    }
    println!(
        "hello-caller called hello-callee by name {CALLS} times, through two sidecars and over mutual TLS;\n\
         all {} processes of the run have ended. Next: examples/hello/README.md",
        of_run.len() + 1
    );
    Ok(())
}

fn build(root: &Path) -> Result<()> {
    println!("== 1/3 building the programs; the first time takes some minutes");
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let probe = Command::new(&compiler)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if probe.is_err() {
        bail!(
            "no C compiler ({compiler}): install one, on Debian with `apt-get install -y gcc libc6-dev`"
        );
    }
    let mut cargo = step::cargo(root);
    cargo
        .args(["build", "--release", "--target-dir"])
        .arg(root.join("target"));
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    let status = cargo.status().context("cargo is not to be found")?;
    if !status.success() {
        bail!("the build failed; its last lines above say why");
    }
    Ok(())
}

/// Signals become events, so that Ctrl-C ends the run and not only the demo.
/// Must come before the first thread; `dapr` copes with blocked signals.
fn listen_to_signals(sender: Sender<Event>) {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    if signals.thread_block().is_err() {
        return;
    }
    thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            if sender.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    });
}

/// Starts the run with a runtime directory of its own; its lines are shown
/// and sent.
fn start(root: &Path, example: &Path, sender: Sender<Event>) -> Result<Child> {
    let runtime = root.join("target/demo");
    if runtime.exists() {
        fs::remove_dir_all(&runtime).with_context(|| format!("clearing {}", runtime.display()))?;
    }
    let program = root.join("target/release/dapr");
    let mut command = Command::new(&program);
    command
        .current_dir(root)
        .arg("run")
        .arg("--runtime-path")
        .arg(&runtime)
        .arg("-f")
        .arg(example)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    let mut child = command
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let output = child.stdout.take().context("the output is piped")?;
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("{line}");
            if sender.send(Event::Line(line)).is_err() {
                return;
            }
        }
        let _ = sender.send(Event::Closed);
    });
    Ok(child)
}

/// The lines that prove that both apps talked, and to whom.
fn expected() -> BTreeSet<String> {
    (1..=CALLS)
        .flat_map(|n| {
            [
                format!("== APP - hello-callee == asked by hello-caller: call {n}"),
                format!("== APP - hello-caller == answer: hello, call {n}!"),
            ]
        })
        .collect()
}

/// Waits until every expected line has been printed.
fn watch(events: &Receiver<Event>) -> Result<()> {
    let mut missing = expected();
    let deadline = Instant::now() + PATIENCE;
    while let Some(next) = missing.first() {
        let left = deadline.saturating_duration_since(Instant::now());
        match events.recv_timeout(left) {
            Ok(Event::Line(line)) => {
                missing.remove(&line);
            }
            Ok(Event::Closed) => bail!("dapr run ended early, without the line `{next}`"),
            Ok(Event::Signal(signal)) => bail!("interrupted by {signal}"),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => bail!(
                "no line `{next}` within {} s; what the sidecars say is among the lines above",
                PATIENCE.as_secs()
            ),
        }
    }
    Ok(())
}

/// Asks the run to end and waits for it.
fn stop(dapr: &mut Child, events: &Receiver<Event>) -> Result<ExitStatus> {
    let pid = Pid::from_raw(i32::try_from(dapr.id())?);
    // It may have ended by itself; the status tells.
    let _ = kill(pid, Signal::SIGTERM);
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = dapr.try_wait()? {
            // Show its last lines before anything else is printed.
            while let Ok(event) = events.recv_timeout(Duration::from_secs(1)) {
                if matches!(event, Event::Closed) {
                    break;
                }
            }
            return Ok(status);
        }
        if Instant::now() >= deadline {
            dapr.kill()?;
            bail!("dapr run did not end within {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Processes of the run that are still there, and new ones in its directory.
fn left_behind(
    example: &Path,
    before: &BTreeSet<Process>,
    of_run: &BTreeSet<Process>,
) -> Vec<String> {
    processes::all()
        .difference(before)
        .filter(|process| of_run.contains(process) || process.works_in(example))
        .map(Process::describe)
        .collect()
}
