//! Usage and help texts in cobra's layout.

use std::fmt::Write as _;

use super::{Flag, GLOBAL, Kind};
use crate::commands::{COMMANDS, Command};

/// Usage of one command, or of the program for `None`, with a final line end.
pub(crate) fn usage(command: Option<&Command>) -> String {
    command.map_or_else(program, of_command)
}

fn of_command(command: &Command) -> String {
    let mut text = format!("Usage:\n  dapr {} [flags]\n", command.usage);
    if !command.example.is_empty() {
        let _ = writeln!(text, "\nExamples:\n{}", command.example.trim_end());
    }
    let own = rows(&[command.flags, &[HELP]].concat());
    let _ = write!(text, "\nFlags:\n{own}\nGlobal Flags:\n{}", rows(GLOBAL));
    text
}

fn program() -> String {
    let mut text = String::from("Usage:\n  dapr [command]\n\nAvailable Commands:\n");
    for command in COMMANDS {
        let _ = writeln!(text, "  {:<12}{}", command.name, command.about);
    }
    let version = Flag::bool("version", "Print the versions").short('v');
    let flags = rows(&[&[HELP, version], GLOBAL].concat());
    let _ = writeln!(
        text,
        "\nFlags:\n{flags}\nUse \"dapr [command] --help\" for more information about a command."
    );
    text
}

/// What `--help` prints.
pub(crate) fn help(command: Option<&Command>) -> String {
    let about = command.map_or(
        "Calls between apps through sidecars: runs apps and their sidecars on this machine.",
        |command| command.about,
    );
    format!("{about}\n\n{}", usage(command))
}

const HELP: Flag = Flag::bool("help", "Print this help message").short('h');

fn rows(flags: &[Flag]) -> String {
    let mut visible: Vec<(String, &Flag)> = flags
        .iter()
        .filter(|flag| !flag.hidden && flag.deprecated.is_none())
        .map(|flag| (left(flag), flag))
        .collect();
    visible.sort_by_key(|(_, flag)| flag.name);
    let width = visible.iter().map(|(left, _)| left.len()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for (left, flag) in visible {
        let _ = write!(text, "{left:width$}   {}", flag.describe());
        match flag.kind {
            _ if ["", "0", "false"].contains(&flag.default) => {}
            Kind::Text => {
                let _ = write!(text, " (default {:?})", flag.default);
            }
            _ => {
                let _ = write!(text, " (default {})", flag.default);
            }
        }
        text.push('\n');
    }
    text
}

fn left(flag: &Flag) -> String {
    let kind = match flag.kind {
        Kind::Bool => "",
        Kind::Text => " string",
        Kind::List => " strings",
        Kind::Int => " int",
    };
    match flag.short {
        Some(letter) => format!("  -{letter}, --{}{kind}", flag.name),
        None => format!("      --{}{kind}", flag.name),
    }
}
