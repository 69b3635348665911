//! The apps of a run file, started one after the other.
//!
//! An app or a sidecar that ends by itself leaves the others alone; the run
//! ends with a signal.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::app::{Mtls, Plan};
use super::authority::{Authority, AuthorityError};
use super::checks::{CheckError, check};
use super::events::{Event, Events, Waited, Who};
use super::launch::{self, LookUpError, Notice};
use super::output::{Lines, Pump};
use super::ports::Ports;
use super::process::{Exit, Process, end};
use super::register::{RegisterError, Registrar};
use crate::Cli;
use crate::binaries::NotFound;
use crate::console::{self, Console, Level};
use crate::instances::scan;
use crate::run_file::{self, Destination, FileApp};

/// How long the start of the next app is put off for an app that does not
/// listen yet: enough for interpreters and virtual machines, and bearable for
/// apps that wait for each other or listen elsewhere.
const APP_PATIENCE: Duration = Duration::from_secs(10);

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
    let contents = match run_file::load(&path, &cli.root) {
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
    let events = Events::new();
    events.listen_to_signals();
    lead_a_group(console);
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
fn lead_a_group(console: Console) {
    let zero = nix::unistd::Pid::from_raw(0);
    if nix::unistd::getpgrp() == nix::unistd::getpid() {
        return;
    }
    if let Err(error) = nix::unistd::setpgid(zero, zero) {
        console.warning(&format!("Failed to create process group id: {error}"));
    }
}

/// Why an app of the file was not started.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Daprd(#[from] NotFound),
    #[error(transparent)]
    App(#[from] LookUpError),
    #[error("fork/exec {program}: {source}")]
    Spawn {
        program: String,
        source: std::io::Error,
    },
    #[error("error creating log file {}: {source}", .path.display())]
    Log {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("daprd ended with {how}: {reason}")]
    DaprdEnded { how: Exit, reason: String },
    /// A signal came.
    #[error("interrupted")]
    Interrupted,
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
    app: Option<Process>,
    pumps: Vec<Pump>,
    daprd_lines: Lines,
    daprd_log: Option<PathBuf>,
    app_lines: Lines,
    app_log: Option<PathBuf>,
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
            Err(StartError::Check(error)) => {
                console.failure(&format!(
                    "Error validating run config for app {id:?} present in {file}: {error}"
                ));
                false
            }
            Err(error) => {
                console.failure(&format!("Error starting Dapr and app ({id:?}): {error}"));
                false
            }
        }
    }

    /// Gives the app started last some time to listen, so that the next one
    /// can call it at once.
    ///
    /// Differs from Dapr, whose slower start makes up for not waiting.
    fn await_latest(&mut self) {
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
        // The sidecar knows: it waits for the app's port itself.
        let ready = || launch::ready(&one.plan).then_some(());
        if self.events.wait(APP_PATIENCE, pointless, ready) == Waited::TimedOut {
            let port = one.plan.app.port;
            one.daprd_lines.status(
                self.cli.console,
                Level::Warning,
                &format!("The App process does not listen on port {port} yet; going on"),
            );
        }
    }

    fn try_start(&mut self, wanted: &FileApp, file: &str) -> Result<(), StartError> {
        let console = self.cli.console;
        let running = scan();
        let checked = check(
            wanted.app.clone(),
            &wanted.root,
            &running,
            &mut self.ports,
            self.mtls,
        );
        let plan = checked?;
        if plan.app.command.is_empty() {
            let id = &plan.app.id;
            console.warning(&format!(
                "No application command found for app {id:?} present in {file}"
            ));
        }
        if plan.mtls == Mtls::Own && self.authority.is_none() {
            let root = &self.cli.root;
            let authority = Authority::start(root, &mut self.ports, &mut self.events);
            self.authority = Some(authority.map_err(|error| match error {
                AuthorityError::Interrupted => StartError::Interrupted,
                error => error.into(),
            })?);
        }
        self.ports.release();

        let at = self.started.len();
        let started = self.launch(wanted, plan, at)?;
        self.started.push(started);
        self.attach_app(wanted, at)?;
        self.register(at);
        if let Some(how) = self.started[at].daprd.exit() {
            return Err(self.died(at, how));
        }
        let ports = self.started[at].plan.ports;
        console.info(&format!(
            "Started Dapr with app id {:?}. HTTP Port: {}. gRPC Port: {}",
            wanted.app.id, ports.http, ports.grpc
        ));
        console.info(&format!(
            "Writing log files to directory : {}",
            wanted.directory.join(".dapr/logs").display()
        ));
        Ok(())
    }

    /// Starts the sidecar.
    fn launch(&self, wanted: &FileApp, plan: Plan, at: usize) -> Result<Started, StartError> {
        let stamp = jiff::Zoned::now().strftime("%Y%m%d%H%M%S").to_string();
        let logs = wanted.directory.join(".dapr/logs");
        let open = |what: &str, destination: Destination| {
            log_file(
                &logs,
                &format!("{}_{what}_{stamp}.log", plan.app.id),
                destination,
            )
        };
        let (daprd_log, daprd_file) = open("daprd", wanted.daprd_log)?.unzip();
        let (app_log, app_file) = if plan.app.command.is_empty() {
            (None, None)
        } else {
            open("app", wanted.app_log)?.unzip()
        };

        let authority = self.authority.as_ref().filter(|_| plan.mtls == Mtls::Own);
        let mut command = launch::daprd(&plan, &wanted.root, authority, self.cli.console.json)?;
        command.current_dir(&wanted.directory);
        if std::env::var_os("DAPR_HOST_IP").is_none() {
            command.env("DAPR_HOST_IP", "127.0.0.1");
        }
        let daprd_lines = Lines::to_log(String::new(), wanted.daprd_log.console(), daprd_file);
        let prefix = format!("== APP - {} == ", plan.app.id);
        let app_lines = Lines::to_log(prefix, wanted.app_log.console(), app_file);
        let (daprd, pump) = self.spawn(command, Who::Daprd(at), &daprd_lines)?;
        Ok(Started {
            plan,
            daprd,
            app: None,
            pumps: vec![pump],
            daprd_lines,
            daprd_log,
            app_lines,
            app_log,
            daprd_exit: None,
            app_exit: None,
        })
    }

    /// Waits for the sidecar if need be, and starts the app.
    fn attach_app(&mut self, wanted: &FileApp, at: usize) -> Result<(), StartError> {
        let console = self.cli.console;
        let one = &self.started[at];
        if one.plan.app.port <= 0 {
            let lines = one.daprd_lines.clone();
            let tell = |notice| match notice {
                Notice::Info(text) => lines.status(console, Level::Info, &text),
                Notice::Warning(text) => lines.status(console, Level::Warning, &text),
            };
            if !launch::await_sidecar(&one.plan, at, &mut self.events, tell) {
                return Err(match one.daprd.exit() {
                    Some(how) => self.died(at, how),
                    None => StartError::Interrupted,
                });
            }
        }
        if one.plan.app.command.is_empty() {
            return Ok(());
        }
        let mut command = launch::app(&one.plan, &wanted.directory)?;
        command.current_dir(&wanted.directory);
        let lines = one.app_lines.clone();
        let (app, pump) = self.spawn(command, Who::App(at), &lines)?;
        let one = &mut self.started[at];
        one.app = Some(app);
        one.pumps.push(pump);
        Ok(())
    }

    /// Starts a process whose two output streams share one pipe, so that
    /// their lines keep their order.
    fn spawn(
        &self,
        mut command: std::process::Command,
        who: Who,
        lines: &Lines,
    ) -> Result<(Process, Pump), StartError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |source| StartError::Spawn {
            program: program.clone(),
            source,
        };
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        let twin = writer.try_clone().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(writer).stderr(twin);
        let process = Process::spawn(command, who, &self.events).map_err(failed)?;
        Ok((process, Pump::start(reader, lines.clone())))
    }

    /// Tells the sidecar who started it. Problems are warnings in its log.
    fn register(&mut self, at: usize) {
        let console = self.cli.console;
        let one = &self.started[at];
        let registrar = Registrar::new(&one.plan, at);
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let values = [
            ("cliPID", Some(std::process::id().to_string())),
            ("runTemplatePath", Some(self.path.display().to_string())),
            (
                "runTemplateName",
                Some(self.name.clone()).filter(|name| !name.is_empty()),
            ),
            ("appLogPath", shown(&one.app_log)),
            ("daprdLogPath", shown(&one.daprd_log)),
            (
                "appCommand",
                one.app.as_ref().map(|_| one.plan.app.command.join(" ")),
            ),
            ("appPID", one.app.as_ref().map(|app| app.pid().to_string())),
        ];
        for (key, value) in values {
            let Some(value) = value else { continue };
            match registrar.put(&mut self.events, key, &value) {
                Ok(()) => {}
                Err(RegisterError::Interrupted) => return,
                Err(error) => one.daprd_lines.status(
                    console,
                    Level::Warning,
                    &format!("Could not update sidecar metadata for {key}: {error}"),
                ),
            }
        }
    }

    fn died(&self, at: usize, how: Exit) -> StartError {
        let one = &self.started[at];
        for pump in &one.pumps {
            pump.finish();
        }
        let reason = match &one.daprd_log {
            None => "see its output above".to_owned(),
            Some(path) => last_line(path).unwrap_or_else(|| format!("see {}", path.display())),
        };
        StartError::DaprdEnded { how, reason }
    }

    /// Waits for a signal; processes that end are noted in their logs.
    fn watch(&mut self) {
        let console = self.cli.console;
        loop {
            match self.events.next() {
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
                } => self.started[at].app_ended(console, how),
                Event::Exited {
                    who: Who::Daprd(at),
                    how,
                } => self.started[at].daprd_ended(console, how),
            }
        }
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
                console.failure(&format!("Error exiting Dapr: {how}"));
            }
        }
        let daprds = self.started.iter_mut().map(|one| &mut one.daprd).collect();
        end(daprds, &mut self.events);
        for one in self.started.iter().filter(|one| one.daprd_exit.is_none()) {
            one.daprd_lines
                .status(console, Level::Success, "Exited Dapr successfully");
        }
        let apps = self.started.iter_mut().filter_map(|one| one.app.as_mut());
        end(apps.collect(), &mut self.events);
        for one in self.started.iter().filter(|one| one.app.is_some()) {
            match one.app_exit {
                None => one
                    .daprd_lines
                    .status(console, Level::Success, "Exited App successfully"),
                Some(how) if !how.succeeded() => {
                    console.failure(&format!("Error exiting App: {how}"));
                }
                Some(_) => {}
            }
        }
        for one in &self.started {
            for pump in &one.pumps {
                pump.finish();
            }
            if one.plan.uses_sockets() {
                for api in ["http", "grpc"] {
                    let _ = std::fs::remove_file(one.plan.socket(api));
                }
            }
        }
        if let Some(authority) = self.authority.take() {
            authority.end(&mut self.events);
        }
    }
}

impl Started {
    fn app_ended(&mut self, console: Console, how: Exit) {
        self.app_exit = Some(how);
        if let Some(pump) = self.pumps.last() {
            pump.finish();
        }
        let (level, message) = told(how, "Exited App", "The App process");
        self.app_lines.status(console, level, &message);
    }

    fn daprd_ended(&mut self, console: Console, how: Exit) {
        self.daprd_exit = Some(how);
        let (level, message) = told(how, "Exited Dapr", "The daprd process");
        self.daprd_lines.status(console, level, &message);
    }
}

fn told(how: Exit, well: &str, badly: &str) -> (Level, String) {
    if how.succeeded() {
        return (Level::Success, format!("{well} successfully"));
    }
    let message = format!("{badly} exited with error code: {how}");
    (Level::Failure, message)
}

/// The path and the new file, unless lines go to the console only.
fn log_file(
    directory: &Path,
    name: &str,
    destination: Destination,
) -> Result<Option<(PathBuf, File)>, StartError> {
    if !destination.file() {
        return Ok(None);
    }
    let path = directory.join(name);
    match std::fs::create_dir_all(directory).and_then(|()| File::create(&path)) {
        Ok(file) => Ok(Some((path, file))),
        Err(source) => Err(StartError::Log { path, source }),
    }
}

/// The last line that says something.
fn last_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.trim().to_owned())
}
