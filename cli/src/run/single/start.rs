//! The start of the app, once its sidecar has been started.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use super::super::diagnose::{self, Source};
use super::super::environment;
use super::super::events::{Events, Who};
use super::super::launch::{self, LATE, Notice};
use super::super::output::{Lines, Pump, Stream};
use super::super::process::{Process, end};
use super::super::register::{RegisterError, Registrar};
use super::Run;

const PREFIX: &str = "== APP == ";

/// Why the app was not started.
struct Refusal {
    message: String,
    /// What to do about it, where that is known.
    hint: Option<String>,
}

impl Run<'_> {
    /// Starts the app and registers it. `false` when it could not be started.
    pub(super) fn start(&mut self, prefix: bool, events: &mut Events) -> bool {
        let console = self.console;
        let tell = |notice| match notice {
            Notice::Info(text) => console.info(&text),
            Notice::Warning(text) | Notice::Advice(text) => console.warning(&text),
        };
        // With an app port the sidecar itself waits, for the app.
        let why = || self.daprd_lines.recent().complaint();
        if self.plan.app.port <= 0 && !launch::await_sidecar(self.plan, 0, events, tell, why) {
            return true;
        }
        if !self.plan.app.command.is_empty()
            && let Err(refusal) = self.start_app(prefix, events)
        {
            console.failure(&refusal.message);
            super::tell(console, refusal.hint);
            end(vec![&mut self.daprd], events);
            super::drain(&self.daprd_pumps, events);
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

    fn start_app(&mut self, prefix: bool, events: &Events) -> Result<(), Refusal> {
        let here = Path::new(".");
        let words = &self.plan.app.command;
        let name = &words[0];
        let mut command = launch::app(self.plan, here).map_err(|error| Refusal {
            message: format!("Failed to find command {name}: {error}"),
            hint: diagnose::not_a_program(words, here, &error, Source::Flags),
        })?;
        if prefix {
            // The app's questions would not be seen before their lines end.
            if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
                command.stdin(Stdio::null());
            }
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            environment::unbuffer(&mut command);
        }
        let mut process =
            Process::spawn(command, Who::App(0), events).map_err(|error| Refusal {
                message: format!("fork/exec {name}: {error}"),
                hint: diagnose::not_executable(name, here, &error),
            })?;
        let (out, err) = process.take_output();
        let lines = |stream| Lines::to_console(PREFIX, stream);
        self.app_pumps
            .extend(out.map(|pipe| Pump::start(pipe, lines(Stream::Out), events)));
        self.app_pumps
            .extend(err.map(|pipe| Pump::start(pipe, lines(Stream::Err), events)));
        self.app = Some(process);
        self.late = (self.plan.app.port > 0).then(|| Instant::now() + LATE);
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
                // The first of them says why; the others fail alike.
                if key == "cliPID" {
                    let why = self.daprd_lines.recent().complaint();
                    super::tell(
                        console,
                        why.map(|why| launch::not_ready(&self.plan.app.id, &why)),
                    );
                }
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
}
