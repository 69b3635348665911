//! The apps of a run file, started one after the other.
//!
//! An app or a sidecar that ends by itself leaves the others alone; the run
//! ends with a signal.

mod start;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::app::Plan;
use super::authority::Authority;
use super::diagnose::{self, Source};
use super::events::{Event, Events, Waited, Who};
use super::launch::{self, LATE};
use super::output::{Lines, Pump};
use super::ports::Ports;
use super::process::{Exit, Process, end};
use super::sockets;
use crate::Cli;
use crate::console::{self, Console, Level};
use crate::instances::{in_foreground, scan};
use crate::run_file::{self, FileApp};

use start::StartError;

/// How long the start of the next app is put off for an app that does not
/// listen yet, beyond [`LATE`]: enough to compile it first, and bearable for
/// apps that wait for each other.
const APP_PATIENCE: Duration = Duration::from_secs(25);
/// The same for an app that listens elsewhere: it will hardly come.
const STRAY_PATIENCE: Duration = Duration::from_secs(5);
/// Within this a sidecar notices that its app listens.
const NOTICED: Duration = Duration::from_secs(1);

/// Runs all apps of the file until a signal comes.
pub(super) fn run(cli: &Cli, file: &str, mtls: bool) -> u8 {
    let console = cli.console;
    let path = match run_file::locate(file) {
        Ok(path) => path,
        Err(error) => {
            console.failure(&format!("Failed to get run file path: {error}"));
            return 1;
        }
    };
    let warn = |line: String| console.warning(&format!("{}: {line}", path.display()));
    let contents = match run_file::load(&path, &cli.root, warn) {
        Ok(contents) => contents,
        Err(error) => {
            console.failure_out(&format!("Error getting apps from config file: {error}"));
            return 1;
        }
    };
    if contents.apps.is_empty() {
        console.failure_out("No apps to run");
        return 1;
    }
    let mut events = Events::new();
    events.listen_to_signals();
    lead_a_group(console);
    events.post_guard();
    let mut runner = Runner {
        cli,
        path,
        name: contents.name,
        mtls,
        ports: Ports::beside(&scan()),
        authority: None,
        events,
        started: Vec::new(),
    };
    let well = contents.apps.iter().all(|app| runner.start(app));
    if well {
        runner.watch();
        console::out("\n");
        console.info(
            "Received signal to stop Dapr and app processes. Shutting down Dapr and app processes.",
        );
    }
    runner.finish();
    u8::from(!well)
}

/// So that `dapr stop -f` of any version ends this program and nobody else.
///
/// Differs from Dapr: not when the terminal's Ctrl-C goes to the group there
/// is, led by a script. It would not reach this program any more.
fn lead_a_group(console: Console) {
    let zero = nix::unistd::Pid::from_raw(0);
    if nix::unistd::getpgrp() == nix::unistd::getpid() || in_foreground() {
        return;
    }
    if let Err(error) = nix::unistd::setpgid(zero, zero) {
        console.warning(&format!("Failed to create process group id: {error}"));
    }
}

struct Runner<'a> {
    cli: &'a Cli,
    /// Absolute path of the file.
    path: PathBuf,
    /// The run's name; may be empty.
    name: String,
    mtls: bool,
    ports: Ports,
    authority: Option<Authority>,
    events: Events,
    started: Vec<Started>,
}

/// One app of the run.
struct Started {
    plan: Plan,
    daprd: Process,
    daprd_pump: Pump,
    daprd_lines: Lines,
    daprd_log: Option<PathBuf>,
    app: Option<Process>,
    app_pump: Option<Pump>,
    app_lines: Lines,
    app_log: Option<PathBuf>,
    /// When an app that does not listen is told of.
    late: Option<Instant>,
    /// It was said before that the app's port is taken.
    port_told: bool,
    /// How they ended by themselves.
    daprd_exit: Option<Exit>,
    app_exit: Option<Exit>,
}

impl Runner<'_> {
    /// Starts one app. `false` when it could not be started; a signal is no
    /// failure.
    fn start(&mut self, wanted: &FileApp) -> bool {
        let console = self.cli.console;
        let id = &wanted.app.id;
        self.await_latest();
        if self.events.signalled() {
            return true;
        }
        console.info(&format!("Validating config and starting app {id:?}"));
        let file = self.path.display().to_string();
        match self.try_start(wanted, &file) {
            Ok(()) | Err(StartError::Interrupted) => true,
            Err(error) => {
                console.failure(&match &error {
                    StartError::Check { error, .. } => format!(
                        "Error validating run config for app {id:?} present in {file}: {error}"
                    ),
                    error => format!("Error starting Dapr and app ({id:?}): {error}"),
                });
                if let Some(hint) = error.hint() {
                    console.warning(hint);
                }
                false
            }
        }
    }

    /// Gives the app started last some time to listen, so that the next one
    /// can call it at once.
    ///
    /// Differs from Dapr, whose slower start makes up for not waiting.
    fn await_latest(&mut self) {
        let console = self.cli.console;
        let Some(one) = self.started.last() else {
            return;
        };
        if one.plan.app.port <= 0 || one.app.is_none() {
            return;
        }
        let at = self.started.len() - 1;
        let pointless = |event: &Event| {
            let ended = matches!(event, Event::Exited { who: Who::App(app), .. } if *app == at);
            ended || event.ends_start_of(at)
        };
        // The sidecar knows: it waits for the app's port itself. One of Go
        // also waits for services that nobody needs here.
        let mut listens: Option<Instant> = None;
        let ready = || {
            if launch::ready(&one.plan) {
                return Some(());
            }
            if listens.is_none() && one.listens_on_its_port() {
                listens = Some(Instant::now());
            }
            listens.filter(|since| since.elapsed() >= NOTICED).map(drop)
        };
        let mut waited = self.events.wait(LATE, pointless, ready);
        if waited == Waited::TimedOut {
            self.started[at].look_at_port(console);
            let patience = if self.started[at].listens_somewhere() {
                STRAY_PATIENCE
            } else {
                APP_PATIENCE
            };
            waited = self.events.wait(patience, pointless, || {
                launch::ready(&self.started[at].plan).then_some(())
            });
        }
        if waited == Waited::TimedOut {
            let one = &self.started[at];
            let port = one.plan.app.port;
            one.daprd_lines.status(
                console,
                Level::Warning,
                &format!("The App process does not listen on port {port} yet; going on"),
            );
        }
    }

    /// Waits for a signal; processes that end are noted in their logs.
    fn watch(&mut self) {
        let console = self.cli.console;
        loop {
            let Some(event) = self.next() else {
                continue;
            };
            match event {
                Event::Signal(_) => return,
                Event::Exited {
                    who: Who::Authority,
                    how,
                } => console.warning(&format!(
                    "The certificate authority ended ({how}): certificates cannot be renewed"
                )),
                Event::Exited {
                    who: Who::App(at),
                    how,
                } => self.started[at].app_ended(console, how, &mut self.events),
                Event::Exited {
                    who: Who::Daprd(at),
                    how,
                } => self.started[at].daprd_ended(console, how, &mut self.events),
            }
        }
    }

    /// The next event; `None` when one of the apps was looked at instead.
    fn next(&mut self) -> Option<Event> {
        let due = |one: &Started| one.late;
        let Some(late) = self.started.iter().filter_map(due).min() else {
            return Some(self.events.next());
        };
        let event = self.events.next_before(late);
        if event.is_none() {
            for one in self.started.iter_mut().filter(|one| due(one) == Some(late)) {
                one.look_at_port(self.cli.console);
            }
        }
        event
    }

    /// Ends all sidecars, then all apps, then the authority.
    fn finish(mut self) {
        let console = self.cli.console;
        for one in &self.started {
            let message = "termination signal received: shutting down";
            for lines in [&one.daprd_lines, &one.app_lines] {
                lines.status(console, Level::Info, message);
            }
            // Those that ended in the very last moment count as stopped.
            if let Some(how) = one.daprd_exit.filter(|how| !how.succeeded()) {
                let message = format!("Error exiting Dapr: {how}");
                one.daprd_lines.status(console, Level::Failure, &message);
            }
        }
        let daprds = self.started.iter_mut().map(|one| &mut one.daprd).collect();
        end(daprds, &mut self.events);
        for one in self.started.iter().filter(|one| one.daprd_exit.is_none()) {
            one.daprd_pump.finish(&mut self.events);
            one.daprd_lines
                .status(console, Level::Success, "Exited Dapr successfully");
        }
        let apps = self.started.iter_mut().filter_map(|one| one.app.as_mut());
        end(apps.collect(), &mut self.events);
        for one in self.started.iter().filter(|one| one.app.is_some()) {
            if let Some(pump) = &one.app_pump {
                pump.finish(&mut self.events);
            }
            match one.app_exit {
                None => one
                    .daprd_lines
                    .status(console, Level::Success, "Exited App successfully"),
                Some(how) if !how.succeeded() => {
                    let message = format!("Error exiting App: {how}");
                    one.app_lines.status(console, Level::Failure, &message);
                }
                Some(_) => {}
            }
        }
        for one in self.started.iter().filter(|one| one.plan.uses_sockets()) {
            for api in ["http", "grpc"] {
                let _ = std::fs::remove_file(one.plan.socket(api));
            }
        }
        if let Some(authority) = self.authority.take() {
            authority.end(&mut self.events);
        }
    }
}

impl Started {
    fn app_ended(&mut self, console: Console, how: Exit, events: &mut Events) {
        self.app_exit = Some(how);
        self.late = None;
        if let Some(pump) = &self.app_pump {
            pump.finish(events);
        }
        let (level, message) = told(how, "Exited App", "The App process");
        self.app_lines.status(console, level, &message);
        if !how.succeeded() {
            self.explain_app(console, how);
        }
    }

    /// Brings to the console what is in a file only, and the likely reason.
    fn explain_app(&self, console: Console, how: Exit) {
        let app = &self.plan.app;
        if let Some(path) = self
            .app_log
            .as_ref()
            .filter(|_| !self.app_lines.on_console())
        {
            console.warning(&format!(
                "App {:?} ended ({how}). The end of {}:",
                app.id,
                path.display()
            ));
            for line in self.app_lines.recent().lines() {
                console::out(&format!("    {line}\n"));
            }
        }
        let session = self.app.as_ref().map(Process::pid);
        if let Some(message) = diagnose::port_taken(app, session, Source::File)
            && !self.port_told
        {
            console.warning(&message);
        }
    }

    fn daprd_ended(&mut self, console: Console, how: Exit, events: &mut Events) {
        self.daprd_exit = Some(how);
        self.daprd_pump.finish(events);
        let (level, message) = told(how, "Exited Dapr", "The daprd process");
        self.daprd_lines.status(console, level, &message);
        if let Some(said) = self.daprd_lines.recent().reason()
            && !how.succeeded()
        {
            console.warning(&format!(
                "The sidecar of app {:?} ended ({how}). daprd said: {said}",
                self.plan.app.id
            ));
        }
    }

    /// Whether the app listens where its sidecar calls it.
    fn listens_on_its_port(&self) -> bool {
        let app = &self.plan.app;
        let at_port = |it: &SocketAddr| i64::from(it.port()) == app.port;
        self.app.as_ref().is_some_and(|process| {
            diagnose::not_listening(app, process.pid(), Source::File).is_none()
                && sockets::of_session(process.pid()).iter().any(at_port)
        })
    }

    fn listens_somewhere(&self) -> bool {
        let app = self.app.as_ref();
        app.is_some_and(|app| !sockets::of_session(app.pid()).is_empty())
    }

    /// Says so when calls do not reach the app. Once is enough.
    fn look_at_port(&mut self, console: Console) {
        self.late = None;
        let Some(app) = self.app.as_ref().filter(|_| self.app_exit.is_none()) else {
            return;
        };
        if let Some(message) = diagnose::not_listening(&self.plan.app, app.pid(), Source::File) {
            console.warning(&message);
        }
    }
}

fn told(how: Exit, well: &str, badly: &str) -> (Level, String) {
    if how.succeeded() {
        return (Level::Success, format!("{well} successfully"));
    }
    let message = format!("{badly} exited with error code: {how}");
    (Level::Failure, message)
}
