//! The process table, as Linux shows it under `/proc`.

use std::fs;

use jiff::Timestamp;

/// Clock ticks per second in `/proc`; fixed for programs on Linux.
const TICKS: u64 = 100;

/// One running process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) arguments: Vec<String>,
    pub(super) started: Timestamp,
}

/// Processes whose executable has this base name. Those that end meanwhile
/// are left out.
pub(super) fn processes_named(name: &str) -> Vec<Process> {
    let boot = boot_time();
    pids()
        .filter(|pid| {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|comm| comm.trim_end().eq_ignore_ascii_case(name))
        })
        .filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let stat = Stat::of(pid)?;
            let started = boot + stat.start_ticks / TICKS;
            Some(Process {
                pid,
                arguments: split(&line),
                started: Timestamp::from_second(i64::try_from(started).ok()?).ok()?,
            })
        })
        .collect()
}

/// A process that has not ended.
#[derive(Debug)]
pub(crate) struct Living {
    pub(crate) pid: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
}

/// Every process that has not ended.
pub(crate) fn living() -> Vec<Living> {
    pids()
        .filter_map(|pid| {
            let stat = Stat::of(pid)?;
            (!stat.dead).then_some(Living {
                pid,
                group: stat.group,
                session: stat.session,
            })
        })
        .collect()
}

/// Whether the process exists and has not ended.
pub(crate) fn runs(pid: i32) -> bool {
    Stat::of(pid).is_some_and(|stat| !stat.dead)
}

/// Whether the terminal's keys, such as Ctrl-C, reach this process.
pub(crate) fn in_foreground() -> bool {
    Stat::parse(&fs::read_to_string("/proc/self/stat").unwrap_or_default())
        .is_some_and(|stat| stat.group == stat.foreground_group)
}

/// Whether this process ignores the signal, as `nohup` asks for.
pub(crate) fn ignores(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The few fields of `/proc/<pid>/stat` that matter here.
struct Stat {
    dead: bool,
    group: i32,
    session: i32,
    /// Of the terminal; -1 when there is none.
    foreground_group: i32,
    start_ticks: u64,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The name in parentheses may hold spaces and parentheses.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        Some(Self {
            dead: matches!(*fields.first()?, "Z" | "X"),
            group: fields.get(2)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            foreground_group: fields.get(5)?.parse().ok()?,
            start_ticks: fields.get(19)?.parse().ok()?,
        })
    }
}

fn split(line: &[u8]) -> Vec<String> {
    let line = line.strip_suffix(b"\0").unwrap_or(line);
    if line.is_empty() {
        return Vec::new();
    }
    line.split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// Seconds since 1970 at which the machine started.
fn boot_time() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))
        .and_then(|seconds| seconds.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_survives_odd_names() {
        let text = "12 (a) b) Z 1 77 3 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        let stat = Stat::parse(text).unwrap();
        assert!(stat.dead);
        assert_eq!((stat.group, stat.session), (77, 3));
        assert_eq!(stat.start_ticks, 4711);
        assert!(Stat::parse("nothing").is_none());
    }

    #[test]
    fn this_process_runs() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(runs(pid));
        let group = nix::unistd::getpgrp().as_raw();
        assert!(
            living()
                .iter()
                .any(|one| one.pid == pid && one.group == group)
        );
    }

    #[test]
    fn arguments_may_be_empty() {
        assert_eq!(
            split(b"daprd\0--app-id\0\0x\0"),
            ["daprd", "--app-id", "", "x"]
        );
        assert_eq!(split(b""), [""; 0]);
    }
}
