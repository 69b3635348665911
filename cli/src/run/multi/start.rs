//! The start of one app of a run file: logs, sidecar, app, registration.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::super::app::{Mtls, Plan};
use super::super::authority::{Authority, AuthorityError};
use super::super::checks::{CheckError, check};
use super::super::events::Who;
use super::super::launch::{self, LookUpError, Notice};
use super::super::output::{Lines, Pump};
use super::super::process::{Exit, Process};
use super::super::register::{RegisterError, Registrar};
use super::{Runner, Started};
use crate::binaries::NotFound;
use crate::console::Level;
use crate::instances::scan;
use crate::run_file::{Destination, FileApp};

/// Why an app of the file was not started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
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

impl Runner<'_> {
    pub(super) fn try_start(&mut self, wanted: &FileApp, file: &str) -> Result<(), StartError> {
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
