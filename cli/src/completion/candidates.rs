//! What may stand in the place of the last word of a command line.

use crate::args::{Flag, Kind, with_global};
use crate::commands::{Command, resolve, top_level};
use crate::instances::scan;

/// Words with their descriptions.
type Rows = Vec<(String, &'static str)>;

/// What can be typed.
pub(super) struct Candidates {
    pub(super) rows: Rows,
    /// Whether file names are as good.
    pub(super) files: bool,
}

/// The values of a flag that are known.
enum Values {
    AppIds,
    OneOf(&'static [&'static str]),
    Files,
    Anything,
}

/// Candidates for the last of `words`, which begin with what it has already.
pub(super) fn candidates(words: &[String]) -> Candidates {
    let (last, before) = words
        .split_last()
        .map_or(("", words), |(last, before)| (last.as_str(), before));
    let mut found = all(last, before);
    // Of `--flag=value` only the value is completed.
    let typed = match last.split_once('=') {
        Some((flag, value)) if flag.starts_with('-') => value,
        _ => last,
    };
    found.rows.retain(|(word, _)| word.starts_with(typed));
    found.rows.sort();
    found.rows.dedup();
    found
}

fn all(last: &str, before: &[String]) -> Candidates {
    let (command, rest) = match resolve(before) {
        Ok(found) => found,
        Err(name) if name == "help" => return words(names_after_help(before)),
        Err(_) => return words(Vec::new()),
    };
    if rest.iter().any(|word| word == "--") {
        return files();
    }
    let flags = with_global(command.map_or(&[], |command| command.flags));
    let open = rest.last().and_then(|word| waits_for_value(&flags, word));
    if let Some(flag) = open {
        return values(flag);
    }
    if let Some((name, _)) = last.split_once('=').filter(|_| last.starts_with('-')) {
        let flag = flags.iter().find(|flag| is(flag, name));
        return flag.map_or_else(|| words(Vec::new()), values);
    }
    if last.starts_with('-') {
        return words(flag_names(&flags, command, &rest, last));
    }
    match command {
        None => words(names(top_level(), HELP)),
        Some(command) if command.children().next().is_some() => {
            words(names(command.children(), None))
        }
        Some(command) => match command.name {
            "stop" => app_ids(),
            "run" | "annotate" => files(),
            _ => words(Vec::new()),
        },
    }
}

const HELP: Option<(&str, &str)> = Some(("help", "Help about any command"));

fn names_after_help(before: &[String]) -> Rows {
    let topic: Vec<String> = before
        .iter()
        .filter(|word| *word != "help")
        .cloned()
        .collect();
    match resolve(&topic) {
        Ok((None, _)) => names(top_level(), None),
        Ok((Some(command), _)) => names(command.children(), None),
        Err(_) => Vec::new(),
    }
}

fn names(
    commands: impl Iterator<Item = &'static Command>,
    more: Option<(&str, &'static str)>,
) -> Rows {
    let more = more.map(|(name, about)| (name.to_owned(), about));
    commands
        .map(|command| (command.word().to_owned(), command.about))
        .chain(more)
        .collect()
}

/// The flag whose value is the next word.
fn waits_for_value<'a>(flags: &'a [Flag], word: &str) -> Option<&'a Flag> {
    if word.contains('=') {
        return None;
    }
    let flag = flags.iter().find(|flag| is(flag, word))?;
    (flag.kind != Kind::Bool).then_some(flag)
}

/// Whether the word is this flag's long or short form.
fn is(flag: &Flag, word: &str) -> bool {
    if let Some(name) = word.strip_prefix("--") {
        return name == flag.name;
    }
    let mut letters = word.strip_prefix('-').unwrap_or_default().chars();
    flag.short.is_some() && letters.next_back() == flag.short
}

/// Flags that can still be given. Short forms are offered behind one dash.
fn flag_names(flags: &[Flag], command: Option<&Command>, rest: &[String], last: &str) -> Rows {
    let version = Flag::bool("version", "Print the versions").short('v');
    let version = command.is_none().then_some(&version);
    let mut rows = Vec::new();
    for flag in flags.iter().chain(version) {
        let several = matches!(flag.kind, Kind::List | Kind::Array);
        let given = rest.iter().any(|word| {
            let name = word.split('=').next().unwrap_or_default();
            name.len() > 1 && is(flag, name)
        });
        if !flag.visible() || (given && !several) {
            continue;
        }
        rows.push((format!("--{}", flag.name), flag.describe()));
        if let Some(letter) = flag.short.filter(|_| last == "-") {
            rows.push((format!("-{letter}"), flag.describe()));
        }
    }
    rows
}

fn values(flag: &Flag) -> Candidates {
    match known(flag) {
        Values::AppIds => app_ids(),
        Values::OneOf(texts) => {
            let rows = texts.iter().map(|text| ((*text).to_owned(), ""));
            words(rows.collect())
        }
        Values::Files => files(),
        Values::Anything => words(Vec::new()),
    }
}

fn known(flag: &Flag) -> Values {
    match flag.name {
        // The id of `dapr run` is new, but it may be one that ran before.
        "app-id" => Values::AppIds,
        "output" if flag.default == "list" => Values::OneOf(&["list", "json", "yaml"]),
        "output" if flag.default == "table" => Values::OneOf(&["table", "json", "yaml"]),
        "output" => Values::OneOf(&["json"]),
        "verb" => Values::OneOf(&["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
        "app-protocol" => Values::OneOf(&["http", "https", "h2c", "grpc", "grpcs"]),
        "log-level" => Values::OneOf(&["debug", "info", "warn", "error", "fatal"]),
        "config"
        | "resources-path"
        | "components-path"
        | "run-file"
        | "unix-domain-socket"
        | "runtime-path"
        | "from-dir"
        | "data-file"
        | "out"
        | "private-key"
        | "ca-root-certificate"
        | "issuer-private-key"
        | "issuer-public-certificate" => Values::Files,
        _ => Values::Anything,
    }
}

fn app_ids() -> Candidates {
    let ids = scan().into_iter().map(|instance| (instance.app_id, ""));
    words(ids.collect())
}

fn words(rows: Rows) -> Candidates {
    Candidates { rows, files: false }
}

fn files() -> Candidates {
    Candidates {
        rows: Vec::new(),
        files: true,
    }
}
