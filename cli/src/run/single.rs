//! One app and its sidecar, in the foreground.

use std::path::Path;
use std::process::Stdio;

use super::app::{App, Mtls, Plan};
use super::authority::{Authority, AuthorityError};
use super::checks::check;
use super::events::{Event, Events, Who};
use super::launch::{self, Notice};
use super::output::{Lines, Pump, Stream};
use super::ports::Ports;
use super::process::{Exit, Process, end};
use super::register::{RegisterError, Registrar};
use crate::Cli;
use crate::console::{self, Console};
use crate::instances::scan;

const PREFIX: &str = "== APP == ";

/// Runs the app until it ends, its sidecar ends, or a signal comes.
pub(super) fn run(cli: &Cli, app: App, prefix: bool, mtls: bool) -> u8 {
    let console = cli.console;
    let mut events = Events::new();
    events.listen_to_signals();
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
    announce(console, plan);
    let started = launch::daprd(plan, &cli.root, authority, console.json)
        .map_err(|error| error.to_string())
        .and_then(|command| {
            let program = command.get_program().to_string_lossy().into_owned();
            Process::spawn(command, Who::Daprd(0), events)
                .map_err(|error| format!("fork/exec {program}: {error}"))
        });
    let daprd = match started {
        Ok(daprd) => daprd,
        Err(message) => {
            console.failure(&message);
            return 1;
        }
    };
    let mut run = Run {
        console,
        plan,
        daprd,
        app: None,
        pumps: Vec::new(),
        failed: false,
    };
    if !run.start(prefix, events) {
        return 1;
    }
    run.watch(events);
    run.finish(events)
}

fn announce(console: Console, plan: &Plan) {
    let id = &plan.app.id;
    let places = if plan.uses_sockets() {
        let (http, grpc) = (plan.socket("http"), plan.socket("grpc"));
        format!(
            "HTTP Socket: {}. gRPC Socket: {}.",
            http.display(),
            grpc.display()
        )
    } else {
        format!(
            "HTTP Port: {}. gRPC Port: {}",
            plan.ports.http, plan.ports.grpc
        )
    };
    console.info(&format!("Starting Dapr with id {id}. {places}"));
}

/// The processes of a run.
struct Run<'a> {
    console: Console,
    plan: &'a Plan,
    daprd: Process,
    app: Option<Process>,
    pumps: Vec<Pump>,
    /// Whether the app or the sidecar ended badly by itself.
    failed: bool,
}

impl Run<'_> {
    /// Starts the app and registers it. `false` when it could not be started.
    fn start(&mut self, prefix: bool, events: &mut Events) -> bool {
        let console = self.console;
        let tell = |notice| match notice {
            Notice::Info(text) => console.info(&text),
            Notice::Warning(text) => console.warning(&text),
        };
        // With an app port the sidecar itself waits, for the app.
        if self.plan.app.port <= 0 && !launch::await_sidecar(self.plan, 0, events, tell) {
            return true;
        }
        if !self.plan.app.command.is_empty()
            && let Err(message) = self.start_app(prefix, events)
        {
            console.failure(&message);
            end(vec![&mut self.daprd], events);
            console.success("Start App failed, try to stop Dapr successfully");
            return false;
        }
        if self.register(events).is_ok() {
            let whose = match self.app {
                Some(_) => "Both Dapr and your app logs",
                None => "Dapr logs",
            };
            console.success(&format!(
                "You're up and running! {whose} will appear here.\n"
            ));
        }
        true
    }

    fn start_app(&mut self, prefix: bool, events: &Events) -> Result<(), String> {
        let name = &self.plan.app.command[0];
        let mut command = launch::app(self.plan, Path::new("."))
            .map_err(|error| format!("Failed to find command {name}: {error}"))?;
        if prefix {
            // The app is in the background of the terminal, where reading
            // from it would stop the app.
            if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
                command.stdin(Stdio::null());
            }
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut process = Process::spawn(command, Who::App(0), events)
            .map_err(|error| format!("fork/exec {name}: {error}"))?;
        let (out, err) = process.take_output();
        let lines = |stream| Lines::to_console(PREFIX, stream);
        self.pumps
            .extend(out.map(|pipe| Pump::start(pipe, lines(Stream::Out))));
        self.pumps
            .extend(err.map(|pipe| Pump::start(pipe, lines(Stream::Err))));
        self.app = Some(process);
        Ok(())
    }

    /// Tells the sidecar who started it.
    ///
    /// # Errors
    /// The run shall end; everything else is a warning.
    fn register(&self, events: &mut Events) -> Result<(), RegisterError> {
        let console = self.console;
        let registrar = Registrar::new(self.plan, 0);
        let mut put = |key: &str, value: &str| match registrar.put(events, key, value) {
            Err(RegisterError::Interrupted) => Err(RegisterError::Interrupted),
            Err(error) => {
                console.warning(&format!(
                    "Could not update sidecar metadata for {key}: {error}"
                ));
                Ok(())
            }
            Ok(()) => Ok(()),
        };
        put("cliPID", &std::process::id().to_string())?;
        if let Some(app) = &self.app {
            let pid = app.pid();
            console.info(&format!("Updating metadata for appPID: {pid}"));
            put("appPID", &pid.to_string())?;
            let command = self.plan.app.command.join(" ");
            console.info(&format!("Updating metadata for app command: {command}"));
            put("appCommand", &command)?;
        }
        Ok(())
    }

    /// Waits for the end of something that ends the run.
    fn watch(&mut self, events: &mut Events) {
        loop {
            match events.next() {
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
                } => return self.app_ended(how),
                Event::Exited {
                    who: Who::Daprd(_),
                    how,
                } => return self.daprd_ended(how),
            }
        }
    }

    fn app_ended(&mut self, how: Exit) {
        self.finish_output();
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
    }

    fn daprd_ended(&mut self, how: Exit) {
        self.failed |= !how.succeeded();
        if how.succeeded() {
            self.console.success("Exited Dapr successfully");
        } else {
            self.console
                .failure(&format!("The daprd process exited with error code: {how}"));
        }
    }

    /// Ends what still runs, the sidecar first, and returns the exit status.
    fn finish(mut self, events: &mut Events) -> u8 {
        let console = self.console;
        console.info("\nterminated signal received: shutting down");
        match self.daprd.exit() {
            None => {
                end(vec![&mut self.daprd], events);
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
            self.finish_output();
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

    fn finish_output(&self) {
        for pump in &self.pumps {
            pump.finish();
        }
    }
}
