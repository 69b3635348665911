//! The start of one app of a run file: logs, sidecar, app, registration.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use super::super::app::{Mtls, Plan};
use super::super::authority::{Authority, AuthorityError};
use super::super::checks::{CheckError, check};
use super::super::diagnose::{self, Source};
use super::super::environment;
use super::super::events::Who;
use super::super::launch::{self, LATE, LookUpError, Notice};
use super::super::output::{Lines, Pump};
use super::super::process::{Exit, Process};
use super::super::register::{RegisterError, Registrar};
use super::super::resources;
use super::{Runner, Started};
use crate::binaries::NotFound;
use crate::console::Level;
use crate::instances::scan;
use crate::run_file::{self, Destination, FileApp};

/// Why an app of the file was not started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("{error}")]
    Check {
        error: CheckError,
        hint: Option<String>,
    },
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Daprd(#[from] NotFound),
    #[error("{error}")]
    App {
        error: LookUpError,
        hint: Option<String>,
    },
    #[error("fork/exec {program}: {source}")]
    Spawn {
        program: String,
        source: std::io::Error,
        hint: Option<String>,
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

impl StartError {
    /// What to do about it, where that is known.
    pub(super) fn hint(&self) -> Option<&str> {
        match self {
            Self::Check { hint, .. } | Self::App { hint, .. } | Self::Spawn { hint, .. } => {
                hint.as_deref()
            }
            _ => None,
        }
    }
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
        let plan = checked.map_err(|error| StartError::Check {
            hint: match &error {
                CheckError::Port(error) => diagnose::port_refused(error, &running, Source::File),
                _ => None,
            },
            error,
        })?;
        for note in diagnose::same_id(&plan.app, &running) {
            console.info(&note);
        }
        let mut warnings = vec![diagnose::protocol(&plan.app, Source::File)];
        warnings.extend(resources::unreadable(&plan.resources).into_iter().map(Some));
        let mut port_told = false;
        if plan.app.command.is_empty() {
            let id = &plan.app.id;
            warnings.push(Some(format!(
                "No application command found for app {id:?} present in {file}"
            )));
        } else {
            warnings.push(diagnose::shell_words(&plan.app.command));
            let taken = diagnose::port_taken(&plan.app, None, Source::File);
            port_told = taken.is_some();
            warnings.push(taken);
        }
        for warning in warnings.into_iter().flatten() {
            console.warning(&warning);
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
        self.started.push(Started {
            port_told,
            ..started
        });
        self.attach_app(wanted, at)?;
        self.register(at);
        if let Some(how) = self.started[at].daprd.exit() {
            return Err(self.died(at, how));
        }
        // Scripts wait for it in the log.
        self.started[at].daprd_lines.status(
            console,
            Level::Success,
            "You're up and running! Dapr logs will appear here.\n",
        );
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
                &format!("{}_{what}_{stamp}", plan.app.id),
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
        daprd_lines.status(self.cli.console, Level::Info, &plan.starting());
        let prefix = format!("== APP - {} == ", plan.app.id);
        let app_lines = Lines::to_log(prefix, wanted.app_log.console(), app_file);
        let (daprd, daprd_pump) = self.spawn(command, Who::Daprd(at), &daprd_lines)?;
        Ok(Started {
            plan,
            daprd,
            daprd_pump,
            daprd_lines,
            daprd_log,
            app: None,
            app_pump: None,
            app_lines,
            app_log,
            late: None,
            port_told: false,
            daprd_exit: None,
            app_exit: None,
        })
    }

    /// Waits for the sidecar if need be, and starts the app.
    fn attach_app(&mut self, wanted: &FileApp, at: usize) -> Result<(), StartError> {
        let console = self.cli.console;
        let one = &self.started[at];
        if one.plan.app.port <= 0 {
            let lines = &one.daprd_lines;
            let tell = |notice| match notice {
                Notice::Info(text) => lines.status(console, Level::Info, &text),
                Notice::Warning(text) => lines.status(console, Level::Warning, &text),
                Notice::Advice(text) => console.warning(&text),
            };
            let why = || lines.recent().complaint();
            if !launch::await_sidecar(&one.plan, at, &mut self.events, tell, why) {
                return Err(match one.daprd.exit() {
                    Some(how) => self.died(at, how),
                    None => StartError::Interrupted,
                });
            }
        }
        if one.plan.app.command.is_empty() {
            return Ok(());
        }
        let words = &one.plan.app.command;
        let directory = &wanted.directory;
        let mut command = launch::app(&one.plan, directory).map_err(|error| StartError::App {
            hint: diagnose::not_a_program(words, directory, &error, Source::File),
            error,
        })?;
        command.current_dir(directory);
        environment::unbuffer(&mut command);
        let lines = one.app_lines.clone();
        let (app, pump) = self.spawn(command, Who::App(at), &lines)?;
        let one = &mut self.started[at];
        one.app = Some(app);
        one.app_pump = Some(pump);
        one.late = (one.plan.app.port > 0).then(|| Instant::now() + LATE);
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
        let directory = command.get_current_dir().unwrap_or_else(|| Path::new("."));
        let directory = directory.to_owned();
        let failed = |source| StartError::Spawn {
            program: program.clone(),
            hint: diagnose::not_executable(&program, &directory, &source),
            source,
        };
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        let twin = writer.try_clone().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(writer).stderr(twin);
        let process = Process::spawn(command, who, &self.events).map_err(failed)?;
        Ok((process, Pump::start(reader, lines.clone(), &self.events)))
    }

    /// Tells the sidecar who started it. Problems are warnings in its log.
    fn register(&mut self, at: usize) {
        let console = self.cli.console;
        let one = &self.started[at];
        let registrar = Registrar::new(&one.plan, at);
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let values = [
            ("cliPID", Some(std::process::id().to_string())),
            ("runTemplatePath", Some(run_file::registered(&self.path))),
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
            let label = match key {
                "appCommand" => "app command",
                other => other,
            };
            if ["cliPID", "appCommand", "appPID"].contains(&key) {
                let message = format!("Updating metadata for {label}: {value}");
                one.daprd_lines.status(console, Level::Info, &message);
            }
            match registrar.put(&mut self.events, key, &value) {
                Ok(()) => {}
                Err(RegisterError::Interrupted) => return,
                Err(error) => {
                    let message = format!("Could not update sidecar metadata for {key}: {error}");
                    one.daprd_lines.status(console, Level::Warning, &message);
                    // The first of them says why; the others fail alike.
                    if let Some(why) = one.daprd_lines.recent().complaint()
                        && key == "cliPID"
                    {
                        console.warning(&launch::not_ready(&one.plan.app.id, &why));
                    }
                }
            }
        }
    }

    fn died(&mut self, at: usize, how: Exit) -> StartError {
        let one = &self.started[at];
        one.daprd_pump.finish(&mut self.events);
        let recent = one.daprd_lines.recent();
        let reason = match (recent.reason(), &one.daprd_log) {
            (Some(reason), _) => reason,
            (None, None) => "see its output above".to_owned(),
            (None, Some(path)) => match recent.lines().pop() {
                Some(line) => line.trim().to_owned(),
                None => format!("see {}", path.display()),
            },
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
    let failed = |path: &Path, source| StartError::Log {
        path: path.to_owned(),
        source,
    };
    std::fs::create_dir_all(directory).map_err(|source| failed(directory, source))?;
    // Two instances of one app may start within the same second.
    let names = (2..).map(|number| format!("{name}_{number}.log"));
    for name in std::iter::once(format!("{name}.log")).chain(names) {
        let path = directory.join(name);
        match File::create_new(&path) {
            Ok(file) => return Ok(Some((path, file))),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed(&path, source)),
        }
    }
    Ok(None)
}
