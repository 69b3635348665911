//! Our metrics, by the names Dapr gives them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use parking_lot::Mutex;

/// Series a metric may have; what comes later is counted together.
const LIMIT: usize = 1000;
/// Bytes of the longest name a pod can have.
const LONGEST: usize = 253;
/// App id of what is counted together.
const OTHERS: &str = "_other";

/// Why there was no injection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Not a pod, or a requester that is not listed.
    PodPatch,
    /// Unreadable, or without a usable app id.
    Patch,
}

/// Counters; shared by all connections.
#[derive(Debug, Default)]
pub struct Metrics {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: u64,
    succeeded: BTreeMap<String, u64>,
    failed: BTreeMap<(String, Reason), u64>,
}

impl Metrics {
    /// Something asked the webhook.
    pub fn requested(&self) {
        self.counts.lock().requests += 1;
    }

    /// A pod of this app got its sidecar.
    pub fn succeeded(&self, app_id: &str) {
        let mut counts = self.counts.lock();
        let app_id = bounded(counts.succeeded.len(), app_id, |id| {
            counts.succeeded.contains_key(id)
        });
        *counts.succeeded.entry(app_id).or_default() += 1;
    }

    /// A pod of this app got none; `app_id` may be empty.
    pub fn failed(&self, app_id: &str, reason: Reason) {
        let mut counts = self.counts.lock();
        let app_id = bounded(counts.failed.len(), app_id, |id| {
            counts.failed.contains_key(&(id.to_owned(), reason))
        });
        *counts.failed.entry((app_id, reason)).or_default() += 1;
    }

    /// Prometheus text.
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(2048);
        let counts = self.counts.lock();
        head(
            &mut out,
            "requests",
            "The total number of sidecar injection requests.",
        );
        let _ = writeln!(out, "{PREFIX}requests_total {}", counts.requests);
        head(
            &mut out,
            "succeeded",
            "The total number of successful sidecar injections.",
        );
        for (app_id, count) in &counts.succeeded {
            let _ = writeln!(
                out,
                "{PREFIX}succeeded_total{{app_id=\"{}\"}} {count}",
                escaped(app_id)
            );
        }
        head(
            &mut out,
            "failed",
            "The total number of failed sidecar injections.",
        );
        for ((app_id, reason), count) in &counts.failed {
            let reason = match reason {
                Reason::PodPatch => "pod_patch",
                Reason::Patch => "patch",
            };
            let app_id = escaped(app_id);
            let _ = if app_id.is_empty() {
                writeln!(out, "{PREFIX}failed_total{{reason=\"{reason}\"}} {count}")
            } else {
                writeln!(
                    out,
                    "{PREFIX}failed_total{{app_id=\"{app_id}\",reason=\"{reason}\"}} {count}"
                )
            };
        }
        drop(counts);
        telemetry::process::render(&mut out);
        out
    }
}

const PREFIX: &str = "dapr_injector_sidecar_injection_";

fn head(out: &mut String, name: &str, help: &str) {
    let _ = writeln!(
        out,
        "# HELP {PREFIX}{name}_total {help}\n# TYPE {PREFIX}{name}_total counter"
    );
}

/// Anybody may create pods, so the number and length of app ids have no limit
/// of their own.
fn bounded(series: usize, app_id: &str, known: impl Fn(&str) -> bool) -> String {
    if app_id.len() <= LONGEST && (series < LIMIT || known(app_id)) {
        app_id.to_owned()
    } else {
        OTHERS.to_owned()
    }
}

/// An app id of a refused pod may be any text.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels() {
        let metrics = Metrics::default();
        metrics.requested();
        metrics.succeeded("cart");
        metrics.succeeded("cart");
        metrics.failed("", Reason::PodPatch);
        metrics.failed("a\"b", Reason::Patch);
        let text = metrics.render();
        for line in [
            "# TYPE dapr_injector_sidecar_injection_requests_total counter",
            "dapr_injector_sidecar_injection_requests_total 1",
            "dapr_injector_sidecar_injection_succeeded_total{app_id=\"cart\"} 2",
            "dapr_injector_sidecar_injection_failed_total{reason=\"pod_patch\"} 1",
            "dapr_injector_sidecar_injection_failed_total{app_id=\"a\\\"b\",reason=\"patch\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn series_are_bounded() {
        let metrics = Metrics::default();
        for number in 0..2 * LIMIT {
            metrics.succeeded(&format!("app-{number}"));
            metrics.failed(&format!("app-{number}"), Reason::Patch);
        }
        let text = metrics.render();
        assert!(
            text.contains("succeeded_total{app_id=\"_other\"} 1000"),
            "{text}"
        );
        assert!(
            text.contains("failed_total{app_id=\"_other\",reason=\"patch\"} 1000"),
            "{text}"
        );
    }
}
