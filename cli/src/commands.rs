//! The table of commands, and the way from a command line to one of them.

use crate::args::{Flag, Mistake, Parsed, help, parse, split_command, usage};
use crate::console::{self, Console};
use crate::root::Root;
use crate::{
    Cli, annotate, build_info, cluster, completion, init, invoke, list, logs, run, stop, uninstall,
    version,
};

/// One command.
pub(crate) struct Command {
    /// What is typed; two words for a command under another one.
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

/// Every command.
pub(crate) const COMMANDS: &[Command] = &[
    annotate::COMMAND,
    build_info::COMMAND,
    completion::COMMAND,
    completion::BASH,
    completion::ZSH,
    completion::FISH,
    completion::POWERSHELL,
    cluster::COMPONENTS,
    cluster::CONFIGURATIONS,
    cluster::DASHBOARD,
    init::COMMAND,
    invoke::COMMAND,
    list::COMMAND,
    logs::COMMAND,
    cluster::MTLS,
    cluster::MTLS_EXPIRY,
    cluster::MTLS_EXPORT,
    cluster::MTLS_RENEW,
    run::COMMAND,
    cluster::STATUS,
    stop::COMMAND,
    uninstall::COMMAND,
    cluster::UPGRADE,
    version::COMMAND,
];

/// Commands that work, or say why not, without being offered.
const HIDDEN: &[&str] = &["dashboard"];

/// Other names: as typed, and as in the table.
const ALIASES: &[(&str, &str)] = &[
    ("mtls renew-cert", "mtls renew-certificate"),
    ("mtls rnc", "mtls renew-certificate"),
];

/// Exit status of a command line that was not understood.
const MISUSE: u8 = 255;

impl Command {
    /// The last word of the name.
    pub(crate) fn word(&self) -> &'static str {
        self.name.rsplit(' ').next().unwrap_or(self.name)
    }

    /// The commands under this one.
    pub(crate) fn children(&'static self) -> impl Iterator<Item = &'static Self> {
        COMMANDS.iter().filter(|command| {
            let rest = command.name.strip_prefix(self.name);
            rest.is_some_and(|rest| rest.starts_with(' '))
        })
    }
}

/// The commands that are offered, without those under others.
pub(crate) fn top_level() -> impl Iterator<Item = &'static Command> {
    COMMANDS
        .iter()
        .filter(|command| !command.name.contains(' ') && !HIDDEN.contains(&command.name))
}

/// The command that arguments name, and the arguments left for it. A first
/// word that names none is the error.
pub(crate) fn resolve(
    arguments: &[String],
) -> Result<(Option<&'static Command>, Vec<String>), String> {
    let (name, rest) = split_command(arguments);
    let Some(name) = name else {
        return Ok((None, rest));
    };
    let command = find(name).ok_or_else(|| name.to_owned())?;
    let (word, deeper) = split_command(&rest);
    let child = word.and_then(|word| find(&format!("{name} {word}")));
    Ok(match child {
        Some(child) => (Some(child), deeper),
        None => (Some(command), rest),
    })
}

pub(crate) fn find(name: &str) -> Option<&'static Command> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    let name = alias.map_or(name, |(_, name)| name);
    COMMANDS.iter().find(|command| command.name == name)
}

/// The whole program behind `main`.
pub(crate) fn main(arguments: &[String]) -> u8 {
    match arguments.first().map(String::as_str) {
        Some(completion::REQUEST) => return completion::answer(&arguments[1..], true),
        Some(completion::REQUEST_BARE) => return completion::answer(&arguments[1..], false),
        _ => {}
    }
    match resolve(arguments) {
        Ok((Some(command), rest)) => dispatch(command, &rest),
        Ok((None, rest)) => without_command(&rest),
        Err(name) if name == "help" => topic(&split_command(arguments).1),
        Err(name) => unknown(&name),
    }
}

fn dispatch(command: &'static Command, arguments: &[String]) -> u8 {
    let parsed = match parse(command.flags, arguments) {
        Ok(parsed) => parsed,
        Err(mistake) => return misuse(Some(command), &mistake),
    };
    // A command's own flag of that name is about something else.
    let json =
        command.flags.iter().all(|flag| flag.name != "log-as-json") && parsed.bool("log-as-json");
    with_cli(&parsed, json, |cli| {
        for warning in parsed.warnings() {
            console::err(&format!("{warning}\n"));
        }
        (command.run)(cli, &parsed)
    })
}

fn without_command(arguments: &[String]) -> u8 {
    const FLAGS: &[Flag] = &[Flag::bool("version", "").short('v')];
    match parse(FLAGS, arguments) {
        Ok(parsed) if parsed.bool("version") => {
            with_cli(&parsed, parsed.bool("log-as-json"), version::print)
        }
        Ok(_) => {
            console::out(&help(None));
            0
        }
        Err(mistake) => misuse(None, &mistake),
    }
}

fn with_cli(parsed: &Parsed, json: bool, work: impl FnOnce(&Cli) -> u8) -> u8 {
    let console = Console { json };
    match Root::resolve(parsed.text("runtime-path")) {
        Ok(root) => work(&Cli { console, root }),
        Err(error) => {
            console.failure(&error.to_string());
            1
        }
    }
}

/// `dapr help <command>`.
fn topic(arguments: &[String]) -> u8 {
    match resolve(arguments) {
        Ok((command, _)) => console::out(&help(command)),
        Err(name) => console::err(&format!("Unknown help topic [`{name}`]\n{}", usage(None))),
    }
    0
}

/// Help was asked for, or the mistake is told twice: with the usage on
/// standard error, and alone on standard output.
fn misuse(command: Option<&'static Command>, mistake: &Mistake) -> u8 {
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
    let near: Vec<&str> = top_level()
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
    use crate::args::{Kind, with_global};

    #[test]
    fn near_names_are_suggested() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert!(resembles("lst", "list") && resembles("unin", "uninstall"));
        assert!(!resembles("publish", "list"));
    }

    #[test]
    fn flags_of_a_command_are_unambiguous_and_described() {
        for command in COMMANDS {
            let all = with_global(command.flags);
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

    #[test]
    fn commands_under_others_are_found_with_flags_between() {
        let resolved = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            resolve(&words).map(|(command, rest)| (command.map(|one| one.name), rest.join(" ")))
        };
        let is = |name, rest: &str| Ok((Some(name), rest.to_owned()));
        assert_eq!(resolved("mtls -k"), is("mtls", "-k"));
        assert_eq!(
            resolved("mtls --log-as-json export -o x"),
            is("mtls export", "--log-as-json -o x")
        );
        assert_eq!(resolved("mtls rnc -k"), is("mtls renew-certificate", "-k"));
        assert_eq!(resolved("run mtls export"), is("run", "mtls export"));
        assert_eq!(resolved("publish x"), Err("publish".to_owned()));
    }
}
