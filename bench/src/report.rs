//! From samples to what is printed and stored: scenario tables, memory, start-up times and the bounds.
//!
//! Ratios exist only where every call of both sides succeeded. The bounds are those of the project; nothing else makes
//! a run fail.

use serde::Serialize;

use crate::machine::Machine;
use crate::peers::{direct, nginx, ours};
use crate::proc::Memory;
use crate::scenario::{SATURATION, SEQUENTIAL, Sample, Scenario};
use crate::stats::{Spread, Verdict, paired_difference, paired_ratio};
use crate::table::Table;

/// A CPU ratio that spreads wider than this is called noisy.
pub(crate) const CPU_NOISE: f64 = 0.10;
/// The same for a median latency.
pub(crate) const LATENCY_NOISE: f64 = 0.20;
/// Start-up times are short and always spread.
const START_NOISE: f64 = 0.50;

/// CPU time per request of both hops over that of the nginx pair.
pub(crate) const CPU_LIMIT: f64 = 1.5;
/// p50 at one connection over that of the nginx pair.
pub(crate) const LATENCY_LIMIT: f64 = 1.5;
/// Idle resident set of one sidecar with mutual TLS, in bytes.
const RSS_LIMIT: f64 = 12e6;
/// Milliseconds from exec to a 204 of the health path.
const START_LIMIT: f64 = 50.0;

/// All rounds of one peer under one scenario.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Series {
    pub(crate) peer: &'static str,
    pub(crate) rounds: Vec<Sample>,
}

/// All peers under one scenario.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Group {
    pub(crate) scenario: &'static str,
    pub(crate) connections: usize,
    pub(crate) pinned: bool,
    pub(crate) series: Vec<Series>,
}

/// Memory of one peer, caller side first.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PeerMemory {
    pub(crate) peer: &'static str,
    pub(crate) idle: Vec<Memory>,
    pub(crate) loaded: Vec<Memory>,
}

/// Milliseconds from exec to ready.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Starts {
    pub(crate) peer: &'static str,
    pub(crate) milliseconds: Vec<f64>,
}

/// One bound and what was measured against it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bound {
    name: &'static str,
    measured: Option<Spread>,
    limit: f64,
    unit: &'static str,
    verdict: Verdict,
}

/// Everything a run found out.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Name and description of each peer.
    pub(crate) peers: Vec<(&'static str, String)>,
    /// What was not measured, and why.
    pub(crate) notes: Vec<String>,
    pub(crate) groups: Vec<Group>,
    pub(crate) memory: Vec<PeerMemory>,
    pub(crate) starts: Vec<Starts>,
    pub(crate) bounds: Vec<Bound>,
    pub(crate) seconds: u64,
}

impl Series {
    fn values(&self, field: fn(&Sample) -> f64) -> Vec<f64> {
        self.rounds.iter().map(field).collect()
    }

    pub(crate) fn errors(&self) -> u64 {
        self.rounds.iter().map(|sample| sample.errors).sum()
    }

    fn first_error(&self) -> Option<&str> {
        self.rounds
            .iter()
            .find_map(|sample| sample.first_error.as_deref())
    }
}

impl Group {
    pub(crate) fn new(scenario: Scenario, peers: &[&'static str]) -> Self {
        let series = |peer: &&'static str| Series {
            peer,
            rounds: Vec::new(),
        };
        Self {
            scenario: scenario.name,
            connections: scenario.connections,
            pinned: scenario.pinned,
            series: peers.iter().map(series).collect(),
        }
    }

    fn of(&self, peer: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.peer == peer)
    }

    /// Ratio of `peer` to `base` inside each round, when all their calls succeeded.
    pub(crate) fn ratio(
        &self,
        peer: &str,
        base: &str,
        field: fn(&Sample) -> f64,
    ) -> Option<Spread> {
        let (peer, base) = self.clean_pair(peer, base)?;
        paired_ratio(&peer.values(field), &base.values(field))
    }

    fn added_us(&self, peer: &str) -> Option<Spread> {
        let (peer, base) = self.clean_pair(peer, direct::NAME)?;
        paired_difference(
            &peer.values(|sample| sample.p50_us),
            &base.values(|sample| sample.p50_us),
        )
    }

    fn clean_pair(&self, peer: &str, base: &str) -> Option<(&Series, &Series)> {
        let (peer, base) = (self.of(peer)?, self.of(base)?);
        (peer.errors() == 0 && base.errors() == 0).then_some((peer, base))
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            "peer",
            "p50 us",
            "p99 us",
            "mean us",
            "added p50",
            "req/s",
            "CPU us/req A+B",
            "switches/req",
            "p50 / direct",
            "p50 / nginx",
            "CPU / nginx",
            "errors",
        ]);
        for series in &self.series {
            table.row(self.row(series));
        }
        table
    }

    fn row(&self, series: &Series) -> Vec<String> {
        let peer = series.peer;
        let median = |field: fn(&Sample) -> f64| {
            Spread::of(&series.values(field)).map_or(f64::NAN, |spread| spread.median)
        };
        let number = |value: f64| format!("{value:.1}");
        let of_hops = |value: f64| {
            if peer == direct::NAME {
                "-".to_owned()
            } else {
                number(value)
            }
        };
        let p50 = |sample: &Sample| sample.p50_us;
        let ratio = |base: &str, field| ratio_text(self.ratio(peer, base, field).as_ref());
        vec![
            peer.to_owned(),
            number(median(p50)),
            number(median(|sample| sample.p99_us)),
            number(median(|sample| sample.mean_us)),
            self.added_us(peer)
                .filter(|_| peer != direct::NAME)
                .map_or_else(|| "-".to_owned(), |spread| number(spread.median)),
            format!("{:.0}", median(|sample| sample.rate)),
            of_hops(median(|sample| sample.cpu_us)),
            of_hops(median(|sample| sample.switches)),
            ratio(direct::NAME, p50),
            ratio(nginx::NAME, p50),
            ratio(nginx::NAME, |sample| sample.cpu_us),
            series.errors().to_string(),
        ]
    }

    fn title(&self) -> String {
        let rounds = self.series.first().map_or(0, |series| series.rounds.len());
        format!(
            "scenario {}: {} connection{}, 1 KiB, {rounds} rounds, {} (ratio = median of the rounds ±IQR)",
            self.scenario,
            self.connections,
            if self.connections == 1 { "" } else { "s" },
            if self.pinned { "pinned" } else { "not pinned" },
        )
    }
}

/// `1.23 ±4%`; the percentage is the inter-quartile range.
fn ratio_text(ratio: Option<&Spread>) -> String {
    ratio.map_or_else(
        || "-".to_owned(),
        |spread| {
            format!(
                "{:.2} ±{:.0}%",
                spread.median,
                spread.relative_range() * 100.0
            )
        },
    )
}

impl Report {
    /// Judges the project's bounds; `nginx` tells whether the yardstick was there.
    pub(crate) fn judge(&mut self, has_nginx: bool) {
        let group = |scenario: Scenario| {
            self.groups
                .iter()
                .find(|group| group.scenario == scenario.name)
        };
        let cpu = group(SATURATION)
            .and_then(|group| group.ratio(ours::NAME, nginx::NAME, |sample| sample.cpu_us));
        let p50 = group(SEQUENTIAL)
            .and_then(|group| group.ratio(ours::NAME, nginx::NAME, |sample| sample.p50_us));
        let relative = |measured: Option<Spread>, limit, noise| {
            if has_nginx {
                Verdict::of(measured.as_ref(), limit, noise)
            } else {
                Verdict::Skipped
            }
        };
        let mut bounds = vec![
            Bound {
                name: "CPU per request, 16 connections, ours / nginx",
                measured: cpu,
                limit: CPU_LIMIT,
                unit: "x",
                verdict: relative(cpu, CPU_LIMIT, CPU_NOISE),
            },
            Bound {
                name: "p50, 1 connection, ours / nginx",
                measured: p50,
                limit: LATENCY_LIMIT,
                unit: "x",
                verdict: relative(p50, LATENCY_LIMIT, LATENCY_NOISE),
            },
        ];
        let memory = self.memory.iter().find(|memory| memory.peer == ours::NAME);
        for (index, name) in ["idle RSS, caller", "idle RSS, callee"]
            .into_iter()
            .enumerate()
        {
            let rss = memory
                .and_then(|memory| memory.idle.get(index))
                .and_then(|memory| Spread::of(&[crate::load::count_as_f64(memory.rss) / 1e6]));
            bounds.push(Bound {
                name,
                measured: rss,
                limit: RSS_LIMIT / 1e6,
                unit: "MB",
                verdict: Verdict::of(rss.as_ref(), RSS_LIMIT / 1e6, 0.0),
            });
        }
        let starts = self
            .starts
            .iter()
            .find(|starts| starts.peer == ours::NAME)
            .and_then(|starts| Spread::of(&starts.milliseconds));
        bounds.push(Bound {
            name: "exec to ready",
            measured: starts,
            limit: START_LIMIT,
            unit: "ms",
            verdict: Verdict::of(starts.as_ref(), START_LIMIT, START_NOISE),
        });
        self.bounds = bounds;
    }

    /// Whether the run has to end with a failure; `strict` also for what could not be measured.
    pub(crate) fn fails(&self, strict: bool) -> bool {
        self.bounds.iter().any(|bound| bound.verdict.fails(strict))
    }

    pub(crate) fn text(&self) -> String {
        self.render(|title, table| format!("{title}\n{}\n", table.text()), "")
    }

    pub(crate) fn markdown(&self) -> String {
        self.render(
            |title, table| format!("### {title}\n\n{}\n", table.markdown()),
            "\n",
        )
    }

    fn render(&self, section: fn(&str, &Table) -> String, gap: &str) -> String {
        let mut out = vec![format!("machine: {}\n{gap}", self.machine.line())];
        for (name, about) in &self.peers {
            out.push(format!("peer {name}: {about}\n{gap}"));
        }
        for note in &self.notes {
            out.push(format!("{note}\n{gap}"));
        }
        out.push("\n".to_owned());
        for group in &self.groups {
            out.push(section(&group.title(), &group.table()));
            for series in &group.series {
                if let Some(error) = series.first_error() {
                    out.push(format!("{} failed: {error}\n\n", series.peer));
                }
            }
        }
        let memory = "memory in MB (10^6 bytes), caller / callee";
        out.push(section(memory, &self.memory_table()));
        out.push(section(
            "exec to ready in ms, mutual TLS",
            &self.start_table(),
        ));
        out.push(section("bounds", &self.bounds_table()));
        out.push(format!("{} s\n", self.seconds));
        out.concat()
    }

    fn memory_table(&self) -> Table {
        let mut table = Table::new(&["peer", "idle RSS", "idle anonymous", "RSS after load"]);
        let both = |memory: &[Memory], field: fn(&Memory) -> u64| {
            let cells: Vec<String> = memory
                .iter()
                .map(|memory| format!("{:.1}", crate::load::count_as_f64(field(memory)) / 1e6))
                .collect();
            cells.join(" / ")
        };
        for memory in &self.memory {
            table.row(vec![
                memory.peer.to_owned(),
                both(&memory.idle, |memory| memory.rss),
                both(&memory.idle, |memory| memory.anonymous),
                both(&memory.loaded, |memory| memory.rss),
            ]);
        }
        table
    }

    fn start_table(&self) -> Table {
        let mut table = Table::new(&["peer", "n", "median", "min", "max"]);
        for starts in &self.starts {
            let Some(spread) = Spread::of(&starts.milliseconds) else {
                continue;
            };
            table.row(vec![
                starts.peer.to_owned(),
                spread.count.to_string(),
                format!("{:.1}", spread.median),
                format!("{:.1}", spread.min),
                format!("{:.1}", spread.max),
            ]);
        }
        table
    }

    fn bounds_table(&self) -> Table {
        let mut table = Table::new(&["bound", "measured", "IQR", "max", "limit", "verdict"]);
        for bound in &self.bounds {
            let cell = |value: fn(&Spread) -> String| {
                bound
                    .measured
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), value)
            };
            table.row(vec![
                bound.name.to_owned(),
                cell(|spread| format!("{:.2}", spread.median)),
                cell(|spread| format!("±{:.0}%", spread.relative_range() * 100.0)),
                cell(|spread| format!("{:.2}", spread.max)),
                format!("{} {}", bound.limit, bound.unit),
                bound.verdict.text().to_owned(),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests;
