//! Words to values.

use std::collections::BTreeMap;

use super::value::Value;
use super::{Flag, Kind, with_global};

/// Why a command line was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistake {
    /// `--help` or `-h`.
    #[error("help requested")]
    Help,
    /// Anything else, in pflag's words.
    #[error("{0}")]
    Usage(String),
}

/// What a command line said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parsed {
    values: BTreeMap<&'static str, Entry>,
    words: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Debug, Clone)]
struct Entry {
    value: Value,
    given: bool,
}

/// Reads the arguments of a command that takes `flags` and the global ones.
///
/// # Errors
/// The first thing that is wrong, or [`Mistake::Help`] when asked for.
pub(crate) fn parse(flags: &[Flag], arguments: &[String]) -> Result<Parsed, Mistake> {
    let all = with_global(flags);
    let mut parsed = Parsed::defaults(&all);
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            parsed.words.extend(rest.cloned());
            break;
        }
        if let Some(body) = word.strip_prefix("--") {
            parsed.long(&all, word, body, &mut rest)?;
        } else if let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            parsed.short(&all, letters, &mut rest)?;
        } else {
            parsed.words.push(word.clone());
        }
    }
    if parsed.bool("help") {
        return Err(Mistake::Help);
    }
    parsed.require(&all)?;
    Ok(parsed)
}

/// Takes the first word that is no flag, nor a flag's value, out of the
/// arguments: the command's name, and what is left for the command.
///
/// An unknown flag is taken to have a value, as cobra does.
pub(crate) fn split_command(arguments: &[String]) -> (Option<&str>, Vec<String>) {
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        if word == "--" {
            break;
        }
        if !word.starts_with('-') || word == "-" {
            let mut rest = arguments.to_vec();
            rest.remove(at);
            return (Some(word), rest);
        }
        let alone = match word.strip_prefix("--") {
            Some(name) => name.contains('=') || ["log-as-json", "help", "version"].contains(&name),
            None => word.len() != 2 || word == "-h" || word == "-v",
        };
        at += if alone { 1 } else { 2 };
    }
    (None, arguments.to_vec())
}

impl Parsed {
    fn defaults(flags: &[Flag]) -> Self {
        let entry = |flag| Entry {
            value: Value::default_of(flag),
            given: false,
        };
        Self {
            values: flags.iter().map(|flag| (flag.name, entry(flag))).collect(),
            ..Self::default()
        }
    }

    /// One `--name`, `--name=value` or `--name value`.
    fn long<'a>(
        &mut self,
        flags: &[Flag],
        word: &str,
        body: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), Mistake> {
        if body.starts_with(['-', '=']) {
            return Err(Mistake::Usage(format!("bad flag syntax: {word}")));
        }
        let (name, inline) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        let Some(flag) = flags.iter().find(|flag| flag.name == name) else {
            return Err(Mistake::Usage(format!("unknown flag: --{name}")));
        };
        let value = match (inline, flag.kind) {
            (Some(value), _) => value,
            (None, Kind::Bool) => "true",
            (None, _) => rest
                .next()
                .ok_or_else(|| Mistake::Usage(format!("flag needs an argument: --{name}")))?,
        };
        self.set(flag, value)
    }

    /// One word of short flags: `-p 1`, `-p1`, `-p=1`, `-kA`.
    fn short<'a>(
        &mut self,
        flags: &[Flag],
        letters: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), Mistake> {
        let mut left = letters;
        while let Some(letter) = left.chars().next() {
            let tail = &left[letter.len_utf8()..];
            let Some(flag) = flags.iter().find(|flag| flag.short == Some(letter)) else {
                return Err(Mistake::Usage(format!(
                    "unknown shorthand flag: {letter:?} in -{left}"
                )));
            };
            if let Some(value) = tail.strip_prefix('=').filter(|value| !value.is_empty()) {
                return self.set(flag, value);
            }
            if flag.kind == Kind::Bool {
                self.set(flag, "true")?;
                left = tail;
                continue;
            }
            let value = match tail {
                "" => rest.next().map(String::as_str).ok_or_else(|| {
                    Mistake::Usage(format!("flag needs an argument: {letter:?} in -{left}"))
                })?,
                tail => tail,
            };
            return self.set(flag, value);
        }
        Ok(())
    }

    fn set(&mut self, flag: &Flag, text: &str) -> Result<(), Mistake> {
        let value = Value::parse(flag.kind, text).map_err(|why| {
            let name = match flag.short.filter(|_| flag.deprecated.is_none()) {
                Some(letter) => format!("-{letter}, --{}", flag.name),
                None => format!("--{}", flag.name),
            };
            Mistake::Usage(format!(
                "invalid argument {text:?} for {name:?} flag: {why}"
            ))
        })?;
        if let Some(hint) = flag.deprecated {
            self.warnings
                .push(format!("Flag --{} has been deprecated, {hint}", flag.name));
        }
        let entry = self.entry_mut(flag.name);
        match (&mut entry.value, value) {
            (Value::List(list), Value::List(more)) if entry.given => list.extend(more),
            (slot, value) => *slot = value,
        }
        entry.given = true;
        Ok(())
    }

    fn require(&self, flags: &[Flag]) -> Result<(), Mistake> {
        let missing: Vec<String> = flags
            .iter()
            .filter(|flag| flag.required && !self.given(flag.name))
            .map(|flag| format!("{:?}", flag.name))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Mistake::Usage(format!(
            "required flag(s) {} not set",
            missing.join(", ")
        )))
    }

    /// Whether the command line gave the flag.
    pub(crate) fn given(&self, name: &str) -> bool {
        self.entry(name).given
    }

    /// Names of all flags that were given.
    pub(crate) fn all_given(&self) -> impl Iterator<Item = &'static str> {
        self.values
            .iter()
            .filter(|(_, entry)| entry.given)
            .map(|(name, _)| *name)
    }

    /// The value of a [`Kind::Text`] flag.
    pub(crate) fn text(&self, name: &str) -> &str {
        match &self.entry(name).value {
            Value::Text(text) => text,
            _ => unreachable!("--{name} is not a text flag"),
        }
    }

    /// The values of a [`Kind::List`] or [`Kind::Array`] flag.
    pub(crate) fn list(&self, name: &str) -> &[String] {
        match &self.entry(name).value {
            Value::List(list) => list,
            _ => unreachable!("--{name} is not a list flag"),
        }
    }

    /// The value of a [`Kind::Bool`] flag.
    pub(crate) fn bool(&self, name: &str) -> bool {
        match self.entry(name).value {
            Value::Bool(value) => value,
            _ => unreachable!("--{name} is not a boolean flag"),
        }
    }

    /// A boolean flag that an environment variable sets when it is not given.
    /// A variable that is no boolean is ignored.
    pub(crate) fn bool_or_env(&self, name: &str, variable: &str) -> bool {
        let typed = std::env::var(variable).ok().filter(|_| !self.given(name));
        typed
            .and_then(|text| api::flags::boolean(&text).ok())
            .unwrap_or_else(|| self.bool(name))
    }

    /// The value of a [`Kind::Int`] flag.
    pub(crate) fn int(&self, name: &str) -> i64 {
        match self.entry(name).value {
            Value::Int(value) => value,
            _ => unreachable!("--{name} is not a numeric flag"),
        }
    }

    /// Words that belonged to no flag, and everything behind `--`.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// Lines for standard error, one per use of a deprecated flag.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn entry(&self, name: &str) -> &Entry {
        self.values
            .get(name)
            .expect("every getter names a flag of its command")
    }

    fn entry_mut(&mut self, name: &str) -> &mut Entry {
        self.values
            .get_mut(name)
            .expect("only flags of the command are set")
    }
}
