//! Log lines in Dapr's two formats.
//!
//! Programs log with `tracing` macros; the target of an event is its scope
//! (`info!(target: "dapr.runtime", …)`). [`init`] installs the subscriber
//! once, in `main`. A line is put together in a buffer of its thread and
//! leaves with one write, so lines never interleave.

mod format;
mod quote;
mod subscriber;

#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

use jiff::tz::TimeZone;
use parking_lot::Mutex;

use self::format::Event;

/// Lowest level that is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Per call.
    Debug,
    /// Start, stop, configuration, identity.
    #[default]
    Info,
    /// Degraded but serving.
    Warn,
    /// Someone must act.
    Error,
    /// The process ends.
    Fatal,
}

/// What the log looks like and where it goes.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Lowest level printed. API-log lines (targets ending in `-info`) are
    /// printed at info whatever this says.
    pub level: Level,
    /// JSON objects instead of `key=value` text.
    pub json: bool,
    /// File to append to, made with mode 0644; standard output when absent.
    pub file: Option<PathBuf>,
    /// The app id if it is known already, see [`set_app_id`].
    pub app_id: Option<String>,
    /// Version shown as `ver`.
    pub version: String,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level has no such name.
    #[error("invalid value for --log-level: {0}")]
    Level(String),
    /// The log file cannot be opened for appending.
    #[error("failed to open log file {path}: {source}")]
    OpenFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Standard output is closed.
    #[error("failed to use standard output: {0}")]
    StandardOutput(io::Error),
    /// Logging was set up before.
    #[error("logging is already set up")]
    AlreadySet,
}

/// Keep it until the process ends: dropping it hands the log file's last
/// lines to the disk.
#[derive(Debug)]
#[must_use = "the log file is synchronised when the guard is dropped"]
pub struct Guard {
    file: Option<File>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // Best effort at exit: there is nowhere left to report to.
            let _ = file.sync_data();
        }
    }
}

impl FromStr for Level {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        const NAMES: [(&str, Level); 5] = [
            ("debug", Level::Debug),
            ("info", Level::Info),
            ("warn", Level::Warn),
            ("error", Level::Error),
            ("fatal", Level::Fatal),
        ];
        NAMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, level)| *level)
            .ok_or_else(|| LogError::Level(text.to_owned()))
    }
}

impl Level {
    /// The name inside a line, which is not the flag's spelling for warnings.
    const fn label(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// The one log of the process.
static LOG: OnceLock<Log> = OnceLock::new();

/// Opens the destination and installs the subscriber for all threads.
///
/// # Errors
/// The file cannot be opened, or logging was set up before.
pub fn init(options: Options) -> Result<Guard, LogError> {
    let log = Log::open(options)?;
    let file = log
        .synced
        .then(|| log.sink.lock().try_clone().ok())
        .flatten();
    LOG.set(log).map_err(|_| LogError::AlreadySet)?;
    let log = LOG.get().ok_or(LogError::AlreadySet)?;
    tracing::subscriber::set_global_default(subscriber::LogSubscriber::new(log))
        .map_err(|_| LogError::AlreadySet)?;
    Ok(Guard { file })
}

/// Adds `app_id` to every line from now on. The first call counts.
pub fn set_app_id(app_id: &str) {
    if let Some(log) = LOG.get() {
        log.set_app_id(app_id);
    }
}

/// Prints a line with level `fatal`, whatever the level is set to. Ending
/// the process is up to the caller. Before [`init`] the line is text on
/// standard output, as upstream prints it.
pub fn fatal(scope: &str, message: &str) {
    let event = Event::message(Level::Fatal, scope, message);
    if let Some(log) = LOG.get() {
        log.print(&event);
        return;
    }
    let options = Options {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Options::default()
    };
    if let Ok(log) = Log::open(options) {
        log.print(&event);
    }
}

/// Destination, format and the fields every line carries.
#[derive(Debug)]
struct Log {
    level: Level,
    json: bool,
    sink: Mutex<File>,
    synced: bool,
    zone: TimeZone,
    instance: String,
    version: String,
    app_id: OnceLock<String>,
}

impl Log {
    fn open(options: Options) -> Result<Self, LogError> {
        let Options {
            level,
            json,
            file,
            app_id,
            version,
        } = options;
        let synced = file.is_some();
        let sink = match file {
            Some(path) => open_file(path)?,
            None => standard_output().map_err(LogError::StandardOutput)?,
        };
        let log = Self {
            level,
            json,
            sink: Mutex::new(sink),
            synced,
            zone: TimeZone::system(),
            instance: host_name(),
            version,
            app_id: OnceLock::new(),
        };
        if let Some(app_id) = app_id {
            log.set_app_id(&app_id);
        }
        Ok(log)
    }

    fn set_app_id(&self, app_id: &str) {
        if !app_id.is_empty() {
            let _ = self.app_id.set(app_id.to_owned());
        }
    }

    fn print(&self, event: &Event<'_>) {
        format::with_line(self, event, |line| {
            // A log that cannot be written must not stop the calls.
            let _ = self.sink.lock().write_all(line);
        });
    }
}

fn open_file(path: PathBuf) -> Result<File, LogError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644)
        .open(&path)
        .map_err(|source| LogError::OpenFile { path, source })
}

/// Standard output without the standard library's buffer and lock.
fn standard_output() -> io::Result<File> {
    let fd = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(File::from(fd))
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim_end().to_owned())
        .unwrap_or_default()
}
