//! One app and its sidecar, in the foreground.

mod start;

use std::process::Stdio;
use std::time::Instant;

use super::app::{App, Mtls, Plan};
use super::authority::{Authority, AuthorityError};
use super::checks::{CheckError, check};
use super::diagnose::{self, Source};
use super::events::{Event, Events, Who};
use super::launch;
use super::output::{Lines, Pump, Stream};
use super::ports::Ports;
use super::process::{Exit, Process, end};
use super::resources;
use crate::Cli;
use crate::console::{self, Console};
use crate::instances::scan;

/// Runs the app until it ends, its sidecar ends, or a signal comes.
pub(super) fn run(cli: &Cli, app: App, prefix: bool, mtls: bool) -> u8 {
    let console = cli.console;
    let mut events = Events::new();
    events.listen_to_signals();
    events.post_guard();
    if app.command.is_empty() {
        console::out(&warn_without_command());
    }
    if !app.socket_directory.is_empty() {
        console.warning("Unix domain sockets are currently a preview feature");
    }
    let running = scan();
    let mut ports = Ports::beside(&running);
    let plan = match check(app, &cli.root, &running, &mut ports, mtls) {
        Ok(plan) => plan,
        Err(error) => {
            console.failure(&error.to_string());
            if let CheckError::Port(error) = &error {
                tell(
                    console,
                    diagnose::port_refused(error, &running, Source::Flags),
                );
            }
            return 1;
        }
    };
    let authority = match plan.mtls {
        Mtls::Own => match Authority::start(&cli.root, &mut ports, &mut events) {
            Ok(authority) => Some(authority),
            Err(AuthorityError::Interrupted) => return 0,
            Err(error) => {
                console.failure(&error.to_string());
                return 1;
            }
        },
        Mtls::Users | Mtls::Off => None,
    };
    drop(ports);
    let status = with_authority(cli, &plan, authority.as_ref(), prefix, &mut events);
    if let Some(authority) = authority {
        authority.end(&mut events);
    }
    status
}

/// A warning, if there is something to warn of.
fn tell(console: Console, message: Option<String>) {
    if let Some(message) = message {
        console.warning(&message);
    }
}

fn warn_without_command() -> String {
    let text = "WARNING: no application command found.";
    if console::coloured() {
        return format!("\x1b[97;1m{text}\x1b[0m\n");
    }
    format!("{text}\n")
}

fn with_authority(
    cli: &Cli,
    plan: &Plan,
    authority: Option<&Authority>,
    prefix: bool,
    events: &mut Events,
) -> u8 {
    let console = cli.console;
    let port_told = advise(console, plan);
    console.info(&plan.starting());
    let started = launch::daprd(plan, &cli.root, authority, console.json)
        .map_err(|error| error.to_string())
        .and_then(|mut command| {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let program = command.get_program().to_string_lossy().into_owned();
            Process::spawn(command, Who::Daprd(0), events)
                .map_err(|error| format!("fork/exec {program}: {error}"))
        });
    let mut daprd = match started {
        Ok(daprd) => daprd,
        Err(message) => {
            console.failure(&message);
            return 1;
        }
    };
    // Read, not inherited, to know what it complained about.
    let daprd_lines = Lines::to_console("", Stream::Out);
    let (out, err) = daprd.take_output();
    let mut daprd_pumps = Vec::new();
    daprd_pumps.extend(out.map(|pipe| Pump::start(pipe, daprd_lines.clone(), events)));
    let lines = daprd_lines.on(Stream::Err);
    daprd_pumps.extend(err.map(|pipe| Pump::start(pipe, lines, events)));
    let mut run = Run {
        console,
        plan,
        daprd,
        daprd_lines,
        daprd_pumps,
        app: None,
        app_pumps: Vec::new(),
        late: None,
        port_told,
        failed: false,
    };
    if !run.start(prefix, events) {
        return 1;
    }
    run.watch(events);
    run.finish(events)
}

/// Says what will hardly go well. `true` when the app's port is taken.
fn advise(console: Console, plan: &Plan) -> bool {
    let app = &plan.app;
    for note in diagnose::same_id(app, &scan()) {
        console.info(&note);
    }
    tell(console, diagnose::protocol(app, Source::Flags));
    for line in resources::unreadable(&plan.resources) {
        console.warning(&line);
    }
    // Without a command the app is expected to run already.
    let taken = diagnose::port_taken(app, None, Source::Flags);
    let taken = taken.filter(|_| !app.command.is_empty());
    let port_told = taken.is_some();
    tell(console, taken);
    port_told
}

/// The processes of a run.
struct Run<'a> {
    console: Console,
    plan: &'a Plan,
    daprd: Process,
    daprd_lines: Lines,
    daprd_pumps: Vec<Pump>,
    app: Option<Process>,
    app_pumps: Vec<Pump>,
    /// When an app that does not listen is told of.
    late: Option<Instant>,
    /// It was said before that the app's port is taken.
    port_told: bool,
    /// Whether the app or the sidecar ended badly by itself.
    failed: bool,
}

impl Run<'_> {
    /// Waits for the end of something that ends the run.
    fn watch(&mut self, events: &mut Events) {
        loop {
            let event = match self.late {
                None => Some(events.next()),
                Some(late) => events.next_before(late),
            };
            let Some(event) = event else {
                self.late = None;
                self.look_at_port();
                continue;
            };
            match event {
                Event::Signal(_) => return,
                Event::Exited {
                    who: Who::Authority,
                    how,
                } => self.console.warning(&format!(
                    "The certificate authority ended ({how}): certificates cannot be renewed"
                )),
                Event::Exited {
                    who: Who::App(_),
                    how,
                } => return self.app_ended(how, events),
                Event::Exited {
                    who: Who::Daprd(_),
                    how,
                } => return self.daprd_ended(how, events),
            }
        }
    }

    /// Says so when calls do not reach the app.
    fn look_at_port(&self) {
        if let Some(app) = &self.app {
            let message = diagnose::not_listening(&self.plan.app, app.pid(), Source::Flags);
            tell(self.console, message);
        }
    }

    fn app_ended(&mut self, how: Exit, events: &mut Events) {
        drain(&self.app_pumps, events);
        self.failed |= !how.succeeded();
        match how {
            Exit::Status(0) => self.console.success("Exited App successfully"),
            Exit::Status(status) => self
                .console
                .failure(&format!("The App process exited with error code: {status}")),
            Exit::Signal(_) => self.console.failure(&format!(
                "The App process was terminated by signal: {}",
                how.signal().unwrap_or_default()
            )),
        }
        if !how.succeeded() && !self.port_told {
            let session = self.app.as_ref().map(Process::pid);
            let message = diagnose::port_taken(&self.plan.app, session, Source::Flags);
            tell(self.console, message);
        }
    }

    fn daprd_ended(&mut self, how: Exit, events: &mut Events) {
        drain(&self.daprd_pumps, events);
        self.failed |= !how.succeeded();
        if how.succeeded() {
            self.console.success("Exited Dapr successfully");
        } else {
            self.console
                .failure(&format!("The daprd process exited with error code: {how}"));
            let said = self.daprd_lines.recent().reason();
            tell(self.console, said.map(|said| format!("daprd said: {said}")));
        }
    }

    /// Ends what still runs, the sidecar first, and returns the exit status.
    fn finish(mut self, events: &mut Events) -> u8 {
        let console = self.console;
        console.info("\nterminated signal received: shutting down");
        match self.daprd.exit() {
            None => {
                end(vec![&mut self.daprd], events);
                drain(&self.daprd_pumps, events);
                console.success("Exited Dapr successfully");
            }
            Some(how) => {
                end(vec![&mut self.daprd], events);
                if self.failed && !how.succeeded() {
                    console.failure(&format!("Error exiting Dapr: {how}"));
                }
            }
        }
        if let Some(mut app) = self.app.take() {
            let by_itself = app.exit();
            // Also when the app has ended: it may have left something behind.
            end(vec![&mut app], events);
            drain(&self.app_pumps, events);
            match by_itself {
                None => console.success("Exited App successfully"),
                Some(Exit::Status(0)) => {}
                Some(Exit::Status(status)) => console.failure(&format!(
                    "Error exiting App: app exited with status {status}"
                )),
                Some(how) => console.failure(&format!("Error exiting App: {how}")),
            }
        }
        if self.plan.uses_sockets() {
            for api in ["http", "grpc"] {
                let _ = std::fs::remove_file(self.plan.socket(api));
            }
        }
        u8::from(self.failed)
    }
}

/// Waits until everything is written.
fn drain(pumps: &[Pump], events: &mut Events) {
    for pump in pumps {
        pump.finish(events);
    }
}
