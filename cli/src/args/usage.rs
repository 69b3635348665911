//! Usage and help texts in cobra's layout.

use std::fmt::Write as _;

use super::{Flag, GLOBAL, HELP, Kind, inherited};
use crate::commands::{Command, top_level};

/// Usage of one command, or of the program for `None`, with a final line end.
pub(crate) fn usage(command: Option<&'static Command>) -> String {
    command.map_or_else(program, of_command)
}

fn of_command(command: &'static Command) -> String {
    let mut text = format!("Usage:\n  dapr {} [flags]\n", command.usage);
    let children: Vec<&Command> = command.children().collect();
    if !children.is_empty() {
        let _ = writeln!(text, "  dapr {} [command]", command.name);
    }
    if !command.example.is_empty() {
        let _ = writeln!(text, "\nExamples:\n{}", command.example.trim_end());
    }
    if !children.is_empty() {
        let _ = write!(text, "\nAvailable Commands:\n{}", names(children));
    }
    let flags = command.flags.iter().copied();
    let own = rows(flags.clone().chain([HELP]));
    let global = rows(inherited(flags));
    let _ = write!(text, "\nFlags:\n{own}\nGlobal Flags:\n{global}");
    if command.children().next().is_some() {
        let _ = writeln!(text, "\n{}", more(&format!("{} ", command.name)));
    }
    text
}

fn program() -> String {
    let version = Flag::bool("version", "Print the versions").short('v');
    let flags = rows([HELP, version].into_iter().chain(GLOBAL.iter().copied()));
    format!(
        "Usage:\n  dapr [command]\n\nAvailable Commands:\n{}\nFlags:\n{flags}\n{}\n",
        names(top_level().collect()),
        more("")
    )
}

/// What `--help` prints.
pub(crate) fn help(command: Option<&'static Command>) -> String {
    let about = command.map_or(
        "Calls between apps through sidecars: runs apps and their sidecars on this machine.",
        |command| command.about,
    );
    format!("{about}\n\n{}", usage(command))
}

fn more(parent: &str) -> String {
    format!("Use \"dapr {parent}[command] --help\" for more information about a command.")
}

/// Commands in the order of their names, by the last word of each.
fn names(mut commands: Vec<&Command>) -> String {
    commands.sort_by_key(|command| command.name);
    let width = commands.iter().map(|command| command.word().len()).max();
    let width = width.unwrap_or(0) + 1;
    let line = |command: &Command| format!("  {:<width$}{}\n", command.word(), command.about);
    commands.into_iter().map(line).collect()
}

fn rows(flags: impl Iterator<Item = Flag>) -> String {
    let mut visible: Vec<(String, Flag)> = flags
        .filter(Flag::visible)
        .map(|flag| (left(&flag), flag))
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
        Kind::Array => " stringArray",
        Kind::Int => " int",
    };
    match flag.short {
        Some(letter) => format!("  -{letter}, --{}{kind}", flag.name),
        None => format!("      --{}{kind}", flag.name),
    }
}
