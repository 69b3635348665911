//! The lines a user sees: five kinds, a mark in front of each, or JSON.
//!
//! Marks, the two spaces and the streams are matched on by scripts. Writing
//! never fails: a reader that went away is not this program's problem.

use std::io::{self, IsTerminal, Write};

/// What a status line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Success,
    Failure,
    Warning,
    Pending,
    Info,
}

/// Prints status lines to the two standard streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    pub(crate) json: bool,
}

impl Level {
    const fn mark(self) -> &'static str {
        match self {
            Self::Success => "✅  ",
            Self::Failure => "❌  ",
            Self::Warning => "⚠  ",
            Self::Pending => "⌛  ",
            Self::Info => "ℹ️  ",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Warning => "warning",
            Self::Pending => "pending",
            Self::Info => "info",
        }
    }
}

impl Console {
    /// Standard output.
    pub(crate) fn success(self, message: &str) {
        out(&self.marked(Level::Success, message));
    }

    /// Standard error.
    pub(crate) fn failure(self, message: &str) {
        err(&self.marked(Level::Failure, message));
    }

    /// Standard output: some failures of run files go there.
    pub(crate) fn failure_out(self, message: &str) {
        out(&self.marked(Level::Failure, message));
    }

    /// Standard output.
    pub(crate) fn warning(self, message: &str) {
        out(&self.marked(Level::Warning, message));
    }

    /// Standard error, for commands whose standard output is data.
    pub(crate) fn warning_err(self, message: &str) {
        err(&self.marked(Level::Warning, message));
    }

    /// Writes what a command was asked for to standard output, and returns its
    /// exit status: data that did not get there must not look whole.
    pub(crate) fn data(self, bytes: &[u8]) -> u8 {
        match write_out(bytes) {
            // `head` has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.failure(&format!("error writing to standard output: {error}"));
                1
            }
            _ => 0,
        }
    }

    /// Standard output.
    pub(crate) fn pending(self, message: &str) {
        out(&self.marked(Level::Pending, message));
    }

    /// Standard output.
    pub(crate) fn info(self, message: &str) {
        out(&self.marked(Level::Info, message));
    }

    /// The line for a log file: without the mark.
    pub(crate) fn for_file(self, level: Level, message: &str) -> String {
        if self.json {
            return json(level, message);
        }
        format!("{message}\n")
    }

    fn marked(self, level: Level, message: &str) -> String {
        if self.json {
            return json(level, message);
        }
        format!("{}{message}\n", level.mark())
    }
}

fn json(level: Level, message: &str) -> String {
    let line = serde_json::json!({
        "time": jiff::Timestamp::now().to_string(),
        "status": level.name(),
        "msg": message,
    });
    format!("{line}\n")
}

/// Writes text to standard output at once.
pub(crate) fn out(text: &str) {
    out_bytes(text.as_bytes());
}

/// Writes bytes to standard output at once.
pub(crate) fn out_bytes(bytes: &[u8]) {
    let _ = write_out(bytes);
}

/// As [`out_bytes`], for those who must know.
pub(crate) fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut stream = io::stdout().lock();
    stream.write_all(bytes).and_then(|()| stream.flush())
}

/// Writes text to standard error.
pub(crate) fn err(text: &str) {
    err_bytes(text.as_bytes());
}

/// Writes bytes to standard error.
pub(crate) fn err_bytes(bytes: &[u8]) {
    let _ = std::io::stderr().lock().write_all(bytes);
}

/// Whether standard output shows colours.
pub(crate) fn coloured() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_followed_by_two_spaces() {
        let console = Console { json: false };
        for (level, line) in [
            (Level::Success, "\u{2705}  m\n"),
            (Level::Failure, "\u{274c}  m\n"),
            (Level::Warning, "\u{26a0}  m\n"),
            (Level::Pending, "\u{231b}  m\n"),
            (Level::Info, "\u{2139}\u{fe0f}  m\n"),
        ] {
            assert_eq!(console.marked(level, "m"), line);
            assert_eq!(console.for_file(level, "m"), "m\n");
        }
    }

    #[test]
    fn json_lines_carry_time_status_and_message() {
        let line = Console { json: true }.marked(Level::Success, "a \"b\"");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["status"], "success");
        assert_eq!(value["msg"], "a \"b\"");
        assert!(value["time"].as_str().unwrap().ends_with('Z'));
    }
}
