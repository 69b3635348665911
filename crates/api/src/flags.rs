//! daprd's flags: one row per flag, and the parser that reads them.
//!
//! The sidecar parses with this table, the injector and `dapr run` write
//! command lines from it, and the reference page is generated from it.
//! Parsing and messages mirror pflag as Dapr 1.18 cmd/daprd/options uses it;
//! meaning and validation of the values are the sidecar's business.

mod parse;
mod table;
mod usage;
mod value;

#[cfg(test)]
mod tests;

pub use parse::{Parsed, parse};
pub use table::TABLE;
pub use usage::usage;
pub use value::{boolean, csv_line, integer, truthy};

/// Everything that is known about one flag.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Name without dashes.
    pub name: &'static str,
    /// What kind of value it takes.
    pub kind: Kind,
    /// Default as it would be typed; empty for none.
    pub default: &'static str,
    /// Pod annotation that sets it, if any.
    pub annotation: Option<&'static str>,
    /// `dapr run` flag that sets it, if any, without dashes.
    pub run_flag: Option<&'static str>,
    /// Environment variable read when the flag is not given.
    pub env: Option<&'static str>,
    /// What to use instead; such a flag still works, with a warning.
    pub deprecated: Option<&'static str>,
    /// Left out of the usage text.
    pub hidden: bool,
    /// One sentence with units.
    pub help: &'static str,
}

/// The kinds of value a flag can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Several texts: repeatable, and each value may be a CSV line.
    List,
    /// `--x` or `--x=true|false`; a separate word is never its value.
    Bool,
    /// A signed whole number.
    Int,
    /// A whole number that is not negative.
    Uint,
    /// A Go duration.
    Duration,
}

/// Why parsing stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// `--help` or `-h`: print [`usage`] and exit with 0.
    #[error("help requested")]
    Help,
    /// Print [`usage`], then the message as the last line, and exit with 2.
    #[error("{message}")]
    Usage {
        /// The text scripts match on, without a line end.
        message: String,
    },
}

impl Flag {
    const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            default,
            annotation: None,
            run_flag: None,
            env: None,
            deprecated: None,
            hidden: false,
            help,
        }
    }

    const fn text(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Text, default, help)
    }

    const fn list(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::List, "", help)
    }

    const fn bool(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Bool, default, help)
    }

    const fn int(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Int, default, help)
    }

    const fn uint(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Uint, default, help)
    }

    const fn duration(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Duration, default, help)
    }

    const fn annotation(mut self, annotation: &'static str) -> Self {
        self.annotation = Some(annotation);
        self
    }

    const fn run(mut self, run_flag: &'static str) -> Self {
        self.run_flag = Some(run_flag);
        self
    }

    const fn env(mut self, env: &'static str) -> Self {
        self.env = Some(env);
        self
    }

    const fn deprecated(mut self, hint: &'static str) -> Self {
        self.deprecated = Some(hint);
        self
    }

    const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
}
