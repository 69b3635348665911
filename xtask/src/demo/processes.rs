//! The process table, as far as the demo looks at it.

use std::{collections::BTreeSet, fs, path::Path};

/// One process; a process id used again by another one is not the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pid: u32,
    /// Clock ticks since the machine started.
    started: u64,
}

/// All processes that have not ended.
pub(super) fn all() -> BTreeSet<Process> {
    with_parents().map(|(process, _)| process).collect()
}

/// Children of the process, their children, and so on.
pub(super) fn descendants(pid: u32) -> BTreeSet<Process> {
    let all: Vec<(Process, u32)> = with_parents().collect();
    let mut known = BTreeSet::from([pid]);
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        for (process, parent) in &all {
            if known.contains(parent) && known.insert(process.pid) {
                found.insert(process.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

fn with_parents() -> impl Iterator<Item = (Process, u32)> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| read(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

/// A process and its parent's process id.
fn read(pid: u32) -> Option<(Process, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces and parentheses.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    let started = fields.get(19)?.parse().ok()?;
    Some((Process { pid, started }, fields.get(1)?.parse().ok()?))
}

impl Process {
    /// Whether its working directory is this one or below.
    pub(super) fn works_in(&self, directory: &Path) -> bool {
        fs::read_link(format!("/proc/{}/cwd", self.pid))
            .is_ok_and(|current| current.starts_with(directory))
    }

    /// Process id and command line.
    pub(super) fn describe(&self) -> String {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        format!("{} ({})", self.pid, line.trim())
    }
}
