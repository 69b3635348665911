//! What the kernel knows about a process: CPU time, context switches, memory, and on which CPU it may run.
//!
//! CPU time is the first field of every thread's `schedstat` (nanoseconds, user and kernel). Threads that end between
//! two samples are lost, which the measured programs do not do under load.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Counters of every thread of some processes at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    threads: BTreeMap<u32, Thread>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Thread {
    cpu_ns: u64,
    switches: u64,
}

/// Growth of the counters between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Nanoseconds of CPU time, user and kernel.
    pub(crate) cpu_ns: u64,
    /// Voluntary context switches.
    pub(crate) switches: u64,
}

impl Usage {
    pub(crate) fn of(processes: &[u32]) -> anyhow::Result<Self> {
        let mut threads = BTreeMap::new();
        for process in processes {
            for (thread, folder) in thread_folders(*process)? {
                // A thread may end between the listing and the reading.
                let (Ok(schedstat), Ok(status)) = (
                    fs::read_to_string(folder.join("schedstat")),
                    fs::read_to_string(folder.join("status")),
                ) else {
                    continue;
                };
                let counters = Thread {
                    cpu_ns: schedstat_cpu(&schedstat).context("schedstat has no number")?,
                    switches: field(&status, "voluntary_ctxt_switches:").unwrap_or_default(),
                };
                threads.insert(thread, counters);
            }
        }
        Ok(Self { threads })
    }

    pub(crate) fn since(&self, earlier: &Self) -> Used {
        let mut used = Used::default();
        for (thread, now) in &self.threads {
            let before = earlier.threads.get(thread).copied().unwrap_or_default();
            used.cpu_ns += now.cpu_ns.saturating_sub(before.cpu_ns);
            used.switches += now.switches.saturating_sub(before.switches);
        }
        used
    }
}

/// Memory of one process in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Memory {
    pub(crate) rss: u64,
    pub(crate) anonymous: u64,
}

impl Memory {
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let path = format!("/proc/{process}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let bytes = |name| field(&text, name).map(|kib| kib * 1024);
        Ok(Self {
            rss: bytes("Rss:").with_context(|| format!("{path} has no Rss"))?,
            anonymous: bytes("Anonymous:").with_context(|| format!("{path} has no Anonymous"))?,
        })
    }
}

/// Lets every present thread of a process run on these CPUs only.
pub(crate) fn pin(process: u32, cpus: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)?;
    }
    for (thread, _) in thread_folders(process)? {
        let thread = Pid::from_raw(i32::try_from(thread)?);
        match sched_setaffinity(thread, &set) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
            Err(error) => return Err(error).context("set the CPU affinity"),
        }
    }
    Ok(())
}

/// CPUs the calling thread may run on.
pub(crate) fn allowed_cpus() -> anyhow::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0)).context("read the CPU affinity")?;
    Ok((0..CpuSet::count())
        .filter(|cpu| set.is_set(*cpu).unwrap_or(false))
        .collect())
}

fn thread_folders(process: u32) -> anyhow::Result<Vec<(u32, PathBuf)>> {
    let folder = format!("/proc/{process}/task");
    let entries = fs::read_dir(&folder).with_context(|| format!("list {folder}"))?;
    Ok(entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let thread = entry.file_name().to_str()?.parse().ok()?;
            Some((thread, entry.path()))
        })
        .collect())
}

fn schedstat_cpu(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// The number after `name` at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))?
        .split_ascii_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t42\nRss:  11 kB\n";
        assert_eq!(field(text, "voluntary_ctxt_switches:"), Some(42));
        assert_eq!(field(text, "Rss:"), Some(11));
        assert_eq!(field(text, "Pss:"), None);
        assert_eq!(schedstat_cpu("123 4 5\n"), Some(123));
        assert_eq!(schedstat_cpu(""), None);
    }

    #[test]
    fn a_new_thread_counts_from_zero_and_a_lost_one_not_at_all() {
        let thread = |cpu_ns, switches| Thread { cpu_ns, switches };
        let before = Usage {
            threads: [(1, thread(100, 1)), (2, thread(50, 1))].into(),
        };
        let after = Usage {
            threads: [(1, thread(130, 3)), (3, thread(7, 4))].into(),
        };
        let expected = Used {
            cpu_ns: 37,
            switches: 6,
        };
        assert_eq!(after.since(&before), expected);
    }

    #[test]
    fn this_process_uses_cpu_and_memory() {
        let own = [std::process::id()];
        let before = Usage::of(&own).unwrap();
        let mut sum = 0u64;
        while Usage::of(&own).unwrap().since(&before).cpu_ns < 1_000_000 {
            sum = std::hint::black_box((0..10_000).sum::<u64>() + sum);
        }
        let memory = Memory::of(own[0]).unwrap();
        assert!(memory.rss > memory.anonymous && memory.anonymous > 0);
        assert!(Usage::of(&[u32::MAX]).is_err());
    }
}
