//! Command line to values, the way pflag walks it.

use super::value::Value;
use super::{Flag, Kind, ParseError, TABLE};
use crate::duration::GoDuration;

/// The values of all flags after parsing.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// One entry per row of [`TABLE`], in its order.
    entries: Vec<Entry>,
    positionals: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Debug, Clone)]
struct Entry {
    value: Value,
    /// Given on the command line; the environment does not count.
    given: bool,
}

/// Parses the arguments behind the program's name.
///
/// Words that belong to no flag are kept and otherwise ignored: Dapr's CLI
/// leaves some behind when it blanks an option for an older runtime.
///
/// # Errors
/// [`ParseError::Help`] when asked for, [`ParseError::Usage`] at the first
/// mistake.
pub fn parse<I>(args: I) -> Result<Parsed, ParseError>
where
    I: IntoIterator<Item = String>,
{
    let mut parsed = Parsed::defaults();
    let mut args = args.into_iter().map(double_dash);
    while let Some(arg) = args.next() {
        match arg.as_bytes() {
            [b'-', b'-'] => {
                parsed.positionals.extend(args);
                break;
            }
            [b'-', b'-', ..] => parsed.long(&arg, &mut args)?,
            [b'-', b'h'] => return Err(ParseError::Help),
            // Longer ones have become long flags above.
            [b'-', letter] => {
                let letter = char::from(*letter);
                return Err(usage(format!(
                    "unknown shorthand flag: {letter:?} in {arg}"
                )));
            }
            _ => parsed.positionals.push(arg),
        }
    }
    Ok(parsed)
}

/// `-flag` means `--flag`, wherever it stands, even where a value is due.
fn double_dash(arg: String) -> String {
    match arg.as_bytes() {
        [b'-', second, _, ..] if *second != b'-' => format!("-{arg}"),
        _ => arg,
    }
}

const fn usage(message: String) -> ParseError {
    ParseError::Usage { message }
}

fn position(name: &str) -> Option<usize> {
    TABLE.binary_search_by(|flag| flag.name.cmp(name)).ok()
}

impl Parsed {
    fn defaults() -> Self {
        let entry = |flag| Entry {
            value: Value::default_of(flag),
            given: false,
        };
        Self {
            entries: TABLE.iter().map(entry).collect(),
            positionals: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// One `--name`, `--name=value` or `--name value`.
    fn long(
        &mut self,
        arg: &str,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<(), ParseError> {
        let body = &arg[2..];
        if body.starts_with(['-', '=']) {
            return Err(usage(format!("bad flag syntax: {arg}")));
        }
        let (name, inline) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let Some(at) = position(name) else {
            return Err(match name {
                "help" => ParseError::Help,
                _ => usage(format!("unknown flag: --{name}")),
            });
        };
        let flag = &TABLE[at];
        let value = match inline {
            Some(value) => value,
            None if flag.kind == Kind::Bool => "true".to_owned(),
            None => rest
                .next()
                .ok_or_else(|| usage(format!("flag needs an argument: --{name}")))?,
        };
        self.set(at, flag, &value)
    }

    fn set(&mut self, at: usize, flag: &Flag, text: &str) -> Result<(), ParseError> {
        let name = flag.name;
        let value = Value::parse(flag.kind, text).map_err(|why| {
            usage(format!(
                "invalid argument {text:?} for \"--{name}\" flag: {why}"
            ))
        })?;
        let entry = &mut self.entries[at];
        match (&mut entry.value, value) {
            (Value::List(list), Value::List(more)) if entry.given => list.extend(more),
            (slot, value) => *slot = value,
        }
        entry.given = true;
        if let Some(hint) = flag.deprecated {
            self.warnings
                .push(format!("Flag --{name} has been deprecated, {hint}"));
        }
        Ok(())
    }

    /// Fills flags that were not given from the environment. `lookup` answers
    /// `None` for an unset variable; an empty one counts as a value.
    #[must_use]
    pub fn with_env(mut self, lookup: impl Fn(&str) -> Option<String>) -> Self {
        for (entry, flag) in self.entries.iter_mut().zip(TABLE) {
            let Some(text) = flag.env.filter(|_| !entry.given).and_then(&lookup) else {
                continue;
            };
            match &mut entry.value {
                Value::List(list) => *list = text.split(',').map(str::to_owned).collect(),
                Value::Text(slot) => *slot = text,
                Value::Bool(_) | Value::Int(_) | Value::Duration(_) => {}
            }
        }
        self
    }

    /// Whether the command line gave the flag.
    pub fn is_set(&self, name: &str) -> bool {
        self.entry(name).given
    }

    /// The value of a [`Kind::Text`] flag.
    pub fn string(&self, name: &str) -> &str {
        match &self.entry(name).value {
            Value::Text(text) => text,
            _ => unreachable!("--{name} is not a text flag"),
        }
    }

    /// The value of a [`Kind::List`] flag.
    pub fn strings(&self, name: &str) -> &[String] {
        match &self.entry(name).value {
            Value::List(list) => list,
            _ => unreachable!("--{name} is not a list flag"),
        }
    }

    /// The value of a [`Kind::Bool`] flag.
    pub fn bool(&self, name: &str) -> bool {
        match self.entry(name).value {
            Value::Bool(value) => value,
            _ => unreachable!("--{name} is not a boolean flag"),
        }
    }

    /// The value of a [`Kind::Int`] or [`Kind::Uint`] flag.
    pub fn int(&self, name: &str) -> i64 {
        match self.entry(name).value {
            Value::Int(value) => value,
            _ => unreachable!("--{name} is not a numeric flag"),
        }
    }

    /// The value of a [`Kind::Duration`] flag.
    pub fn duration(&self, name: &str) -> GoDuration {
        match self.entry(name).value {
            Value::Duration(value) => value,
            _ => unreachable!("--{name} is not a duration flag"),
        }
    }

    /// Words that belonged to no flag.
    pub fn positionals(&self) -> &[String] {
        &self.positionals
    }

    /// Lines to print on standard error, one per use of a deprecated flag.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn entry(&self, name: &str) -> &Entry {
        let at = position(name).expect("every getter names a row of the table");
        &self.entries[at]
    }
}
