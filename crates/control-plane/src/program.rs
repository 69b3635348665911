//! The frame of a control-plane program: flags, log, runtime, exit code.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use crate::flags::{Flag, FlagError, Flags, usage};

/// What a program is called and which flags it has of its own.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Name of the binary.
    pub name: &'static str,
    /// Scope of its log lines.
    pub scope: &'static str,
    /// Flags beside the common ones.
    pub flags: &'static [Flag],
}

impl Program {
    /// Runs the program with the arguments behind its name until `run` ends.
    ///
    /// Mistakes on the command line are one line on standard error; what goes
    /// wrong later is one line of the log with level `fatal`. Both end with 1.
    /// Everything runs on one thread: these programs are idle most of the
    /// time, and every further thread costs resting memory.
    pub fn main<F, Fut, E>(&self, args: impl Iterator<Item = String>, run: F) -> ExitCode
    where
        F: FnOnce(Flags) -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: Display,
    {
        let flags = match Flags::parse(self.flags, args) {
            Ok(flags) => flags,
            Err(FlagError::Help) => {
                // A closed standard output leaves nobody to help.
                let _ = std::io::stdout().write_all(usage(self.name, self.flags).as_bytes());
                return ExitCode::SUCCESS;
            }
            Err(error) => return self.usage_error(&error),
        };
        let log = match flags.log().and_then(telemetry::log::init) {
            Ok(guard) => guard,
            Err(error) => return self.usage_error(&error),
        };
        let code = self.serve(flags, run);
        drop(log);
        code
    }

    fn serve<F, Fut, E>(&self, flags: Flags, run: F) -> ExitCode
    where
        F: FnOnce(Flags) -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: Display,
    {
        security::install_crypto_provider();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let ended = match runtime {
            Ok(runtime) => runtime
                .block_on(run(flags))
                .map_err(|error| error.to_string()),
            Err(error) => Err(format!("failed to start the runtime: {error}")),
        };
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                telemetry::log::fatal(self.scope, &error);
                ExitCode::FAILURE
            }
        }
    }

    fn usage_error(&self, error: &dyn Display) -> ExitCode {
        eprintln!("{}: {error}", self.name);
        ExitCode::FAILURE
    }
}
