//! What clients said, and the tables made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Behaviours of one client, and why those that failed did.
#[derive(Clone, Debug, Default)]
pub(super) struct Said(BTreeMap<String, Result<(), String>>);

/// Clients side by side.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(String, Said)>,
    notes: BTreeSet<String>,
}

// === impl Said ===

impl Said {
    /// Reads `ok <behaviour>` and `FAIL <behaviour>: <why>`; SDKs print lines
    /// of their own between them.
    pub(super) fn parse(output: &str) -> Self {
        let said = output.lines().filter_map(|line| {
            if let Some(behaviour) = line.strip_prefix("ok ") {
                return Some((behaviour.trim().to_owned(), Ok(())));
            }
            let (behaviour, why) = line.strip_prefix("FAIL ")?.split_once(':')?;
            Some((behaviour.to_owned(), Err(why.trim().to_owned())))
        });
        Self(said.collect())
    }

    /// Those that were tried.
    pub(super) fn behaviours(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    /// One line for each that failed.
    pub(super) fn failures(&self) -> Vec<String> {
        self.0
            .iter()
            .filter_map(|(behaviour, held)| {
                let why = held.as_ref().err()?;
                Some(format!("{behaviour}: {why}"))
            })
            .collect()
    }

    /// Forgets one that is known to fail; fails the test when it does not.
    pub(super) fn leave_out(&mut self, behaviour: &str) {
        let held = self.0.remove(behaviour);
        assert!(
            matches!(held, Some(Err(_))),
            "{behaviour} is no longer to be left out: {held:?}"
        );
    }

    fn cell(&self, behaviour: &str) -> &'static str {
        match self.0.get(behaviour) {
            Some(Ok(())) => "ok",
            Some(Err(_)) => "FAIL",
            None => "-",
        }
    }
}

// === impl Table ===

impl Table {
    /// A table without columns.
    pub(super) const fn new() -> Self {
        Self {
            columns: Vec::new(),
            notes: BTreeSet::new(),
        }
    }

    /// Adds a column; its place follows from its name, not from who was first.
    pub(super) fn add(&mut self, column: &str, said: Said) {
        self.columns.push((column.to_owned(), said));
    }

    /// Adds a line below the rows, once.
    pub(super) fn note(&mut self, note: String) {
        self.notes.insert(note);
    }

    /// How many columns there are.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// One row per behaviour, `-` where a client does not have it.
    pub(super) fn text(&self, title: &str) -> String {
        let mut columns: Vec<_> = self.columns.iter().collect();
        columns.sort_by(|one, other| one.0.cmp(&other.0));
        let rows: BTreeSet<_> = columns.iter().flat_map(|(_, said)| said.0.keys()).collect();
        let first = rows.iter().map(|row| row.len()).max().unwrap_or_default();
        let mut text = format!("\n{title}\n\n{:first$}", "");
        for (column, _) in &columns {
            let _ = write!(text, "  {column}");
        }
        for row in rows {
            let _ = write!(text, "\n{row:first$}");
            for (column, said) in &columns {
                let _ = write!(text, "  {:width$}", said.cell(row), width = column.len());
            }
            text.truncate(text.trim_end().len());
        }
        text.push('\n');
        if !self.notes.is_empty() {
            text.push_str("\nleft out\n");
            for note in &self.notes {
                let _ = writeln!(text, "  {note}");
            }
        }
        text
    }
}
