//! Command lines the way cobra and pflag read them.
//!
//! Flags may stand between positional words, short ones combine, `--` ends
//! them, and mistakes are told in the words scripts match on. Commands declare
//! their flags as tables of [`Flag`] and read values from [`Parsed`].

mod parse;
#[cfg(test)]
mod tests;
mod usage;
mod value;

pub(crate) use parse::{Mistake, Parsed, parse, split_command};
pub(crate) use usage::{help, usage};

/// One flag of one command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    /// Name without dashes.
    pub(crate) name: &'static str,
    /// Letter for the short form.
    pub(crate) short: Option<char>,
    /// What kind of value it takes.
    pub(crate) kind: Kind,
    /// Default as it would be typed; empty for none.
    pub(crate) default: &'static str,
    /// One sentence for the usage text; see [`Flag::describe`].
    pub(crate) help: &'static str,
    /// What to use instead; such a flag works with a warning, and is hidden.
    pub(crate) deprecated: Option<&'static str>,
    /// Left out of the usage text.
    pub(crate) hidden: bool,
    /// Whether the command refuses to run without it.
    pub(crate) required: bool,
}

/// The kinds of value a flag can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// Several texts: repeatable, and each value may be a CSV line.
    List,
    /// Several texts: repeatable, each value taken as it is.
    Array,
    /// `--x` or `--x=true|false`; a separate word is never its value.
    Bool,
    /// A signed whole number.
    Int,
}

/// Every command takes it.
const HELP: Flag = Flag::bool("help", "Print this help message").short('h');

/// Flags that every command takes.
pub(crate) const GLOBAL: &[Flag] = &[
    Flag::bool("log-as-json", "Print the status lines as JSON"),
    Flag::text(
        "runtime-path",
        "",
        "Directory that holds the .dapr directory; without it DAPR_RUNTIME_PATH, then the home directory",
    ),
];

impl Flag {
    const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            short: None,
            kind,
            default,
            help,
            deprecated: None,
            hidden: false,
            required: false,
        }
    }

    pub(crate) const fn text(
        name: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self::new(name, Kind::Text, default, help)
    }

    pub(crate) const fn list(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::List, "", help)
    }

    pub(crate) const fn array(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Array, "", help)
    }

    /// A boolean that is off unless given.
    pub(crate) const fn bool(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Bool, "false", help)
    }

    /// A boolean that is on unless switched off.
    pub(crate) const fn on(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Bool, "true", help)
    }

    pub(crate) const fn int(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Int, default, help)
    }

    pub(crate) const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    pub(crate) const fn deprecated(mut self, hint: &'static str) -> Self {
        self.deprecated = Some(hint);
        self
    }

    pub(crate) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Whether usage texts and completion show it.
    pub(crate) const fn visible(&self) -> bool {
        !self.hidden && self.deprecated.is_none()
    }

    /// The help sentence. An empty one means that daprd's flag of the same
    /// meaning has it, so that it is written once.
    pub(crate) fn describe(&self) -> &'static str {
        if !self.help.is_empty() {
            return self.help;
        }
        api::flags::TABLE
            .iter()
            .find(|flag| flag.run_flag == Some(self.name))
            .map_or("", |flag| flag.help)
    }
}

/// All flags of a command that has these of its own, which stand in front of
/// global ones of the same name.
pub(crate) fn with_global(own: &[Flag]) -> Vec<Flag> {
    let own = own.iter().copied();
    own.clone().chain([HELP]).chain(inherited(own)).collect()
}

/// The global flags that a command with these flags does not have itself.
fn inherited(own: impl Iterator<Item = Flag> + Clone) -> impl Iterator<Item = Flag> {
    let shadowed = move |global: &Flag| own.clone().any(|flag| flag.name == global.name);
    GLOBAL.iter().copied().filter(move |flag| !shadowed(flag))
}
