//! Flags of a running sidecar, read back from its command line.
//!
//! Not daprd's own parser: it must also read lines that another version, or
//! another implementation, accepted.

use std::collections::BTreeMap;

/// Flags by name, without dashes; the last one wins.
#[derive(Debug, Default)]
pub(super) struct CommandLine {
    flags: BTreeMap<String, String>,
}

impl CommandLine {
    /// `None` when there is nothing behind the program's name.
    pub(super) fn parse(arguments: &[String]) -> Option<Self> {
        let (_, words) = arguments.split_first()?;
        if words.is_empty() {
            return None;
        }
        let mut flags = BTreeMap::new();
        let mut words = words.iter().peekable();
        while let Some(word) = words.next() {
            let name = word.trim_start_matches('-');
            if name.len() == word.len() || name.is_empty() {
                continue;
            }
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => match words.next_if(|next| is_value(next)) {
                    Some(value) => (name, value.clone()),
                    None => (name, "true".to_owned()),
                },
            };
            flags.insert(name.to_owned(), value);
        }
        Some(Self { flags })
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.flags.get(name).map(String::as_str)
    }

    pub(super) fn number(&self, name: &str, default: i64) -> i64 {
        let typed = self.text(name).and_then(|text| text.parse().ok());
        typed.unwrap_or(default)
    }
}

/// A word that does not look like another flag; `-1` is a number.
fn is_value(word: &str) -> bool {
    !word.starts_with('-') || word.parse::<i64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Option<CommandLine> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        CommandLine::parse(&words)
    }

    #[test]
    fn every_way_to_write_a_flag() {
        let line = parse(&[
            "daprd",
            "--app-id",
            "a",
            "-app-port",
            "5",
            "--enable-mtls",
            "--profile-port",
            "-1",
            "--dapr-http-port=3501",
            "stray",
            "--log-level",
            "--x",
        ])
        .unwrap();
        assert_eq!(line.text("app-id"), Some("a"));
        assert_eq!(line.text("enable-mtls"), Some("true"));
        assert_eq!(line.number("app-port", 0), 5);
        assert_eq!(line.number("profile-port", 0), -1);
        assert_eq!(line.number("dapr-http-port", 3500), 3501);
        assert_eq!(line.number("dapr-grpc-port", 50001), 50001);
    }

    #[test]
    fn a_bare_daprd_has_no_flags() {
        assert!(parse(&["daprd"]).is_none());
        assert!(parse(&[]).is_none());
    }
}
