//! The `process_*` metrics every Prometheus client exposes, from `/proc`.
//!
//! Read when asked and written straight into the answer: nothing is kept
//! between two scrapes. A value that cannot be read is left out.

use std::fmt::Write as _;
use std::fs;
use std::sync::OnceLock;

/// Ticks per second of the times in `/proc/<pid>/stat`. The kernel fixes
/// `USER_HZ` at 100 for every architecture we build for.
const TICKS: f64 = 100.0;

/// Appends the metrics in Prometheus text form.
pub fn render(out: &mut String) {
    let status = Status::read();
    let cpu = cpu_seconds();
    let descriptors = fs::read_dir("/proc/self/fd").ok().map(|entries| {
        // The directory being read holds one of them.
        entries.count().saturating_sub(1)
    });
    counter(
        out,
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
        cpu,
    );
    gauge(
        out,
        "process_max_fds",
        "Maximum number of open file descriptors.",
        max_descriptors(),
    );
    gauge(
        out,
        "process_open_fds",
        "Number of open file descriptors.",
        descriptors,
    );
    gauge(
        out,
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
        status.resident,
    );
    gauge(
        out,
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        start_time(),
    );
    gauge(
        out,
        "process_virtual_memory_bytes",
        "Virtual memory size in bytes.",
        status.size,
    );
}

fn counter(out: &mut String, name: &str, help: &str, value: Option<impl ToString>) {
    metric(out, name, "counter", help, value);
}

fn gauge(out: &mut String, name: &str, help: &str, value: Option<impl ToString>) {
    metric(out, name, "gauge", help, value);
}

fn metric(out: &mut String, name: &str, kind: &str, help: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        let value = value.to_string();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
        );
    }
}

/// Sizes in bytes.
#[derive(Default)]
struct Status {
    resident: Option<u64>,
    size: Option<u64>,
}

impl Status {
    fn read() -> Self {
        let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kilobytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            let number: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
            number.checked_mul(1024)
        };
        Self {
            resident: kilobytes("VmRSS:"),
            size: kilobytes("VmSize:"),
        }
    }
}

/// Field `number` of `/proc/self/stat`, counted from 1 as in proc(5).
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    // The program's name may contain anything; fields follow its bracket.
    let (_, fields) = stat.rsplit_once(')')?;
    fields
        .split_ascii_whitespace()
        .nth(number.checked_sub(3)?)?
        .parse()
        .ok()
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    Some((stat_field(&stat, 14)? + stat_field(&stat, 15)?) / TICKS)
}

fn start_time() -> Option<f64> {
    static START: OnceLock<Option<f64>> = OnceLock::new();
    *START.get_or_init(|| {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let after_boot = stat_field(&stat, 22)? / TICKS;
        let system = fs::read_to_string("/proc/stat").ok()?;
        let boot = system
            .lines()
            .find_map(|line| line.strip_prefix("btime "))?;
        Some(boot.trim().parse::<f64>().ok()? + after_boot)
    })
}

fn max_descriptors() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> f64 {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    }

    #[test]
    fn all_metrics_are_plausible() {
        let mut text = String::new();
        render(&mut text);
        for (name, low, high) in [
            ("process_cpu_seconds_total", 0.0, 1e6),
            ("process_open_fds", 3.0, 1e6),
            ("process_max_fds", 3.0, 1e12),
            ("process_resident_memory_bytes", 1e5, 1e11),
            ("process_virtual_memory_bytes", 1e5, 1e16),
            ("process_start_time_seconds", 1.7e9, 1e11),
        ] {
            let number = value(&text, name);
            assert!((low..high).contains(&number), "{name} {number}");
            assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
        }
        assert!(text.contains("# TYPE process_cpu_seconds_total counter\n"));
        assert!(
            value(&text, "process_virtual_memory_bytes")
                > value(&text, "process_resident_memory_bytes")
        );
    }

    #[test]
    fn descriptors_are_counted_while_open() {
        let open = || {
            let mut text = String::new();
            render(&mut text);
            value(&text, "process_open_fds")
        };
        let before = open();
        let files: Vec<_> = (0..50)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        // Other tests of this process open a few files of their own.
        assert!(open() - before > 25.0, "{}", files.len());
    }

    #[test]
    fn program_names_with_brackets_do_not_shift_fields() {
        let stat = "7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 13";
        assert_eq!(stat_field(stat, 14), Some(150.0));
        assert_eq!(stat_field("garbage", 14), None);
    }
}
