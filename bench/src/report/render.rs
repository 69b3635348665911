//! The printed form of a report: aligned text for a terminal, Markdown for a file.

use super::{GRPC_PAIRS, Group, GrpcPair, Report, Series};
use crate::load::count_as_f64;
use crate::peers::{direct, nginx};
use crate::proc::Memory;
use crate::scenario::Sample;
use crate::stats::Spread;
use crate::table::Table;

impl Group {
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

    pub(super) fn row(&self, series: &Series) -> Vec<String> {
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
            "scenario {}: {} connection{}, {} at once, 1 KiB, {rounds} rounds, {} (ratio = median of the rounds ±IQR)",
            self.scenario,
            self.connections,
            if self.connections == 1 { "" } else { "s" },
            self.at_once,
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

/// Megabytes of both sides.
fn both(memory: &[Memory], field: fn(&Memory) -> u64) -> String {
    let cells: Vec<String> = memory
        .iter()
        .map(|memory| format!("{:.1}", count_as_f64(field(memory)) / 1e6))
        .collect();
    cells.join(" / ")
}

impl Report {
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
        for (title, table) in [
            (
                "CPU us per call, unary gRPC through the proxy beside HTTP (caller A, callee B; ratios gRPC / HTTP)",
                self.grpc_table(),
            ),
            (
                "idle gRPC streams, resident memory in MB, caller / callee",
                self.streams_table(),
            ),
            (
                "memory in MB (10^6 bytes), caller / callee",
                self.memory_table(),
            ),
            ("exec to ready in ms, mutual TLS", self.start_table()),
            ("bounds", self.bounds_table()),
        ] {
            if !table.is_empty() {
                out.push(section(title, &table));
            }
        }
        out.push(format!("{} s\n", self.seconds));
        out.concat()
    }

    fn grpc_table(&self) -> Table {
        let mut table = Table::new(&[
            "peer", "load", "HTTP A", "HTTP B", "gRPC A", "gRPC B", "A", "B", "A+B",
        ]);
        for pair in GRPC_PAIRS {
            for series in self.group(pair.grpc).map_or(&[][..], |group| &group.series) {
                table.row(self.grpc_row(pair, series));
            }
        }
        table
    }

    fn grpc_row(&self, pair: GrpcPair, grpc: &Series) -> Vec<String> {
        let http = self.group(pair.http).and_then(|group| group.of(grpc.peer));
        let median = |series: Option<&Series>, field: fn(&Sample) -> f64| {
            series
                .and_then(|series| Spread::of(&series.values(field)))
                .map_or_else(|| "-".to_owned(), |spread| format!("{:.1}", spread.median))
        };
        let of_a = |sample: &Sample| sample.caller_us;
        let of_b = |sample: &Sample| sample.callee_us;
        let ratio = |field| ratio_text(self.over_http(pair, grpc.peer, field).as_ref());
        vec![
            grpc.peer.to_owned(),
            pair.name.to_owned(),
            median(http, of_a),
            median(http, of_b),
            median(Some(grpc), of_a),
            median(Some(grpc), of_b),
            ratio(of_a),
            ratio(of_b),
            ratio(|sample| sample.cpu_us),
        ]
    }

    fn streams_table(&self) -> Table {
        let mut table = Table::new(&[
            "peer",
            "streams",
            "connections",
            "before",
            "open",
            "ended",
            "KiB per stream",
        ]);
        for peer in &self.streams {
            let memory = &peer.memory;
            let per_stream: Vec<String> = memory
                .kib_per_stream()
                .iter()
                .map(|kib| format!("{kib:.1}"))
                .collect();
            table.row(vec![
                peer.peer.to_owned(),
                memory.streams.to_string(),
                memory.connections.to_string(),
                both(&memory.before, |memory| memory.rss),
                both(&memory.open, |memory| memory.rss),
                both(&memory.ended, |memory| memory.rss),
                per_stream.join(" / "),
            ]);
        }
        table
    }

    fn memory_table(&self) -> Table {
        let mut table = Table::new(&["peer", "idle RSS", "idle anonymous", "RSS after load"]);
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
