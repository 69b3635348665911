//! The table of commands, and the way from a command line to one of them.

use crate::args::{Flag, Mistake, Parsed, help, parse, split_command, usage};
use crate::console::{self, Console};
use crate::root::Root;
use crate::{Cli, init, invoke, list, run, stop, uninstall, version};

/// One command.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// The name with the words it takes, for the usage text.
    pub(crate) usage: &'static str,
    /// One sentence.
    pub(crate) about: &'static str,
    /// Example lines; may be empty.
    pub(crate) example: &'static str,
    pub(crate) flags: &'static [Flag],
    /// Does the work and returns the exit status.
    pub(crate) run: fn(&Cli, &Parsed) -> u8,
}

/// Every command, in the order of the help text.
pub(crate) const COMMANDS: &[Command] = &[
    init::COMMAND,
    invoke::COMMAND,
    list::COMMAND,
    run::COMMAND,
    stop::COMMAND,
    uninstall::COMMAND,
    version::COMMAND,
];

/// Exit status of a command line that was not understood.
const MISUSE: u8 = 255;

/// The whole program behind `main`.
pub(crate) fn main(arguments: &[String]) -> u8 {
    let (name, rest) = split_command(arguments);
    match name {
        None => without_command(&rest),
        Some("help") => {
            console::out(&help(split_command(&rest).0.and_then(find)));
            0
        }
        Some(name) => match find(name) {
            Some(command) => dispatch(command, &rest),
            None => unknown(name),
        },
    }
}

fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

fn dispatch(command: &'static Command, arguments: &[String]) -> u8 {
    let parsed = match parse(command.flags, arguments) {
        Ok(parsed) => parsed,
        Err(mistake) => return misuse(Some(command), &mistake),
    };
    with_cli(&parsed, |cli| {
        for warning in parsed.warnings() {
            console::err(&format!("{warning}\n"));
        }
        (command.run)(cli, &parsed)
    })
}

fn without_command(arguments: &[String]) -> u8 {
    const FLAGS: &[Flag] = &[Flag::bool("version", "").short('v')];
    match parse(FLAGS, arguments) {
        Ok(parsed) if parsed.bool("version") => with_cli(&parsed, version::print),
        Ok(_) => {
            console::out(&help(None));
            0
        }
        Err(mistake) => misuse(None, &mistake),
    }
}

fn with_cli(parsed: &Parsed, work: impl FnOnce(&Cli) -> u8) -> u8 {
    let console = Console {
        json: parsed.bool("log-as-json"),
    };
    match Root::resolve(parsed.text("runtime-path")) {
        Ok(root) => work(&Cli { console, root }),
        Err(error) => {
            console.failure(&error.to_string());
            1
        }
    }
}

/// Help was asked for, or the mistake is told three times: with the usage on
/// standard error, and alone on standard output.
fn misuse(command: Option<&Command>, mistake: &Mistake) -> u8 {
    match mistake {
        Mistake::Help => {
            console::out(&help(command));
            0
        }
        Mistake::Usage(message) => {
            console::err(&format!("Error: {message}\n{}\n", usage(command)));
            console::out(&format!("{message}\n"));
            MISUSE
        }
    }
}

fn unknown(name: &str) -> u8 {
    let mut message = format!("unknown command {name:?} for \"dapr\"");
    let near: Vec<&str> = COMMANDS
        .iter()
        .filter(|command| resembles(name, command.name))
        .map(|command| command.name)
        .collect();
    if !near.is_empty() {
        message.push_str("\n\nDid you mean this?\n");
        for name in near {
            message.extend(["\t", name, "\n"]);
        }
    }
    console::err(&format!("Error: {message}\nRun 'dapr --help' for usage.\n"));
    console::out(&format!("{message}\n"));
    MISUSE
}

/// At most two edits away, or its beginning.
fn resembles(typed: &str, name: &str) -> bool {
    name.starts_with(typed) || distance(typed, name) <= 2
}

/// Levenshtein distance.
pub(crate) fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let substitute = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{GLOBAL, Kind};

    #[test]
    fn near_names_are_suggested() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert!(resembles("lst", "list") && resembles("unin", "uninstall"));
        assert!(!resembles("publish", "list"));
    }

    #[test]
    fn flags_of_a_command_are_unambiguous_and_described() {
        for command in COMMANDS {
            let all: Vec<&Flag> = command.flags.iter().chain(GLOBAL).collect();
            for (at, flag) in all.iter().enumerate() {
                assert!(!flag.describe().is_empty(), "--{}", flag.name);
                assert!(flag.kind != Kind::Bool || !flag.default.is_empty());
                for other in &all[at + 1..] {
                    assert_ne!(flag.name, other.name, "{}", command.name);
                    assert!(
                        flag.short.is_none() || flag.short != other.short,
                        "-{:?} of {}",
                        flag.short,
                        command.name
                    );
                }
            }
        }
    }
}
